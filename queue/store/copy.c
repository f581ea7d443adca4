/*
 * copy — see copy.h; the steps are those of docs/SPOOL.md, copy-forward.
 */
#include "queue/store/copy.h"

#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"

#define CHUNK	(512u * 1024)		/* one change: what the loop reads and folds in one go */

void
copy_init(struct store *store)
{
	store->copier = (struct copier){ .credit = (int64_t)store->ring.bytes };
	buf_init(&store->copier.envelope, STORE_CHANGE_MAX);
}

void
copy_fini(struct store *store)
{
	buf_fini(&store->copier.envelope);
}

void
copy_earn(struct store *store, uint64_t bytes)
{
	struct copier *c = &store->copier;
	int64_t most = 2 * (int64_t)store->ring.bytes;

	c->credit += (int64_t)((bytes + DISK_BLOCK) * store->ring.n);
	if (c->credit > most)
		c->credit = most;
}

/* The content behind the envelope, in memory of the item's own. Large content stays where it is. */
static int
item_load(struct item *item, struct slice envelope)
{
	struct stored *s = item->stored;
	size_t content = s->flags & STORED_LARGE ? 0 : s->size;
	struct err err;
	char *p;

	if ((p = item->owned = mem_alloc(envelope.len + content + 1)) == NULL)
		return -1;
	if (envelope.len > 0)
		memcpy(p, envelope.p, envelope.len);
	if (content > 0 && stored_read(s, 0, p + envelope.len, content, &err) == -1) {
		if (!(s->flags & STORED_LOST))
			log_error("copy-forward: %s", err.text);
		return -1;
	}
	item->record.envelope = slice_of(p, envelope.len);
	item->record.content = slice_of(p + envelope.len, content);
	return 0;
}

/* The message as it is now, every state folded in, as a PUT. -1: not now (said why). */
static int
copy_message(struct store *store, struct change *change, struct stored *s)
{
	struct buf *envelope = &store->copier.envelope;
	struct item *item;

	buf_reset(envelope);
	store->ops->fold(store->arg, s->owner, envelope);
	if (envelope->failed || buf_len(envelope) + s->size * !(s->flags & STORED_LARGE) > STORE_CHANGE_MAX - RECORD_PUT_HEAD) {
		log_error("copy-forward: a message of %llu bytes is too long with its envelope", (unsigned long long)s->size);
		return -1;
	}
	if ((item = change_item(change, RECORD_PUT, s)) == NULL)
		return -1;
	item->record.id = s->id;
	item->record.version = s->version;
	item->record.large = (s->flags & STORED_LARGE) != 0;
	item->record.content_size = s->size;
	item->record.content_crc = s->crc;
	if (item_load(item, buf_slice(envelope)) == -1) {
		item_free(store, item);
		return -1;
	}
	if (change_add(change, item) == -1)
		return -1;
	s->flags |= STORED_COPYING;
	return 0;
}

/* Live messages of the segment up to `most` bytes; those that are finishing go by themselves. */
static struct change *
copy_gather(struct store *store, struct segment *seg, size_t most)
{
	struct change *change = change_make(store, CHANGE_COPY, STORE_DONE);
	struct stored *s, *next;

	if (change == NULL)
		return NULL;
	for (s = TAILQ_FIRST(&seg->live); s != NULL; s = next) {
		next = TAILQ_NEXT(s, in_segment);
		if (s->flags & (STORED_FINISHING | STORED_COPYING | STORED_SPOOLED | STORED_ORDERED | STORED_DEAD))
			continue;
		if (change->bytes > 0 && change->bytes + s->bytes > most)
			break;
		if (copy_message(store, change, s) == -1 && !(s->flags & STORED_LOST))
			break;
	}
	if (STAILQ_EMPTY(&change->items))
		change_free(&change);
	return change;
}

static void
hand_over(struct store *store, struct change *change)
{
	struct post_list one = STAILQ_HEAD_INITIALIZER(one);

	STAILQ_INSERT_TAIL(&one, change, next);
	committer_give(&store->committer, &one);
}

static void
ask_wipe(struct store *store, struct segment *seg)
{
	struct change *change = change_make(store, CHANGE_WIPE, STORE_DONE);

	seg->oldest_since = 0;
	if (change == NULL)
		return;
	STEP("copy-3");
	seg->wiping = true;
	change->segment = seg;
	hand_over(store, change);
}

/* docs/SPOOL.md, copy-forward: 1 hand over a chunk, 2 it is durable, 3 nothing lives there any
 * more: wipe. */
void
copy_pump(struct store *store, bool copies)
{
	struct segment *seg = ring_oldest(&store->ring, true);
	struct change *change;
	struct fill fill;

	if (seg == NULL || seg->wiping || pin_stands(&store->pin))
		return;
	if (TAILQ_EMPTY(&seg->live)) {
		/* A batch of it may still be on its way to the loop, and the hunt asks what the ring knew. */
		if (seg->sequence < store->settled && !evacuation_keeps(store, seg))
			ask_wipe(store, seg);
		return;
	}
	if (!copies)
		return;
	store_fill(store, &fill);
	if (store->copier.busy || store->copier.credit <= 0 || !admission_copies(&fill))
		return;
	/* What was handed over earlier must stay in front: a DONE must not be followed by a
	 * copy. */
	store_flush(store);
	if ((change = copy_gather(store, seg, CHUNK)) == NULL)
		return;
	STEP("copy-1");
	store->copier.busy = true;
	store->copier.credit -= (int64_t)change->bytes;
	hand_over(store, change);
}

void
copy_finish(struct store *store, struct change *change)
{
	struct item *item;

	store->copier.busy = false;
	if (change->result != STORE_DURABLE) {
		change_undo(change);
		return;
	}
	STEP("copy-2");
	change_settle(store, change);
	STAILQ_FOREACH(item, &change->items, next)
		store->copier.copied++;
}

/* A part of a segment would cost the last free one and win none. */
static bool
all_gathered(const struct segment *seg)
{
	const struct stored *s;

	TAILQ_FOREACH(s, &seg->live, in_segment)
		if (!(s->flags & STORED_COPYING))
			return false;
	return true;
}

/* docs/SPOOL.md, rescue: all of it in one batch, so that a crash leaves either nothing (the torn
 * segment is empty and free again) or all. */
int
copy_rescue(struct store *store, struct err *err)
{
	struct segment *seg = ring_oldest(&store->ring, true);
	struct post_list list = STAILQ_HEAD_INITIALIZER(list);
	struct change *change;
	int rc = -1;

	if (seg == NULL)
		return err_set(err, "the ring is full and has no segment to win: ask for more segments");
	while ((change = copy_gather(store, seg, CHUNK)) != NULL)
		STAILQ_INSERT_TAIL(&list, change, next);
	STEP("rescue-1");
	if (!all_gathered(seg))
		(void)err_set(err, "no memory to empty the oldest journal segment, or a message of it is too long: ask for more segments");
	else if (STAILQ_EMPTY(&list) || committer_write_now(&store->committer, &list, err) == 0)
		rc = 0;
	STEP("rescue-2");

	while ((change = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, next);
		if (rc == 0)
			change_settle(store, change);
		else
			change_undo(change);
		change_free(&change);
	}
	if (rc == 0 && !TAILQ_EMPTY(&seg->live))
		return err_set(err, "the oldest journal segment cannot be emptied: ask for more segments");
	return rc;
}
