/*
 * committer — see committer.h; the steps are those of docs/SPOOL.md, commit.
 */
#include "queue/store/committer.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "queue/store/inside.h"
#include "queue/store/thread.h"

#define BATCH_MAX	(8u * 1024 * 1024)
#define CALM		8u		/* batches in a row, until the loop believes that it goes on like this */
#define QUICK		INT64_C(3)	/* ms; a loop that waits so long for a sync is missed by nobody */

void
committer_init(struct committer *c, struct ring *ring, struct post *post)
{
	*c = (struct committer){ .ring = ring, .post = post, .quick_ms = QUICK };
	pthread_mutex_init(&c->lock, NULL);
	thread_cond_init(&c->wake);
	STAILQ_INIT(&c->waiting);
	STAILQ_INIT(&c->taken);
	batch_init(&c->batch);
}

void
committer_fini(struct committer *c)
{
	batch_fini(&c->batch);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
}

void
committer_give(struct committer *c, struct post_list *list)
{
	struct change *change;

	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&c->lock);
	if (STAILQ_EMPTY(&c->waiting))
		c->due = INT64_MAX;
	STAILQ_FOREACH(change, list, next)
		if (change->due < c->due)
			c->due = change->due;
	STAILQ_CONCAT(&c->waiting, list);
	if (c->asleep)
		pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

bool
committer_is_broken(struct committer *c, char why[256])
{
	bool broken;

	pthread_mutex_lock(&c->lock);
	broken = c->broken;
	memcpy(why, c->why, sizeof(c->why));
	pthread_mutex_unlock(&c->lock);
	return broken;
}

void
committer_figures(struct committer *c, struct committer_figures *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->figures;
	pthread_mutex_unlock(&c->lock);
}

/* Those that do not wait for somebody else's batch. */
static uint32_t
count_urgent(const struct post_list *list)
{
	const struct change *change;
	uint32_t n = 0;

	STAILQ_FOREACH(change, list, next)
		n += change->due == 0;
	return n;
}

/* Sleeps until something is given, or until the patience of what waits ends. Called under the
 * lock. */
static void
committer_sleep(struct committer *c)
{
	c->asleep = true;
	if (STAILQ_EMPTY(&c->waiting))
		pthread_cond_wait(&c->wake, &c->lock);
	else
		thread_wait(&c->wake, &c->lock, c->due - clock_mono_ms());
	c->asleep = false;
}

/* Everything that waits, in order. False: all is done and the store closes. */
static bool
committer_take(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->lent || (STAILQ_EMPTY(&c->taken) && !c->closing &&
	    (STAILQ_EMPTY(&c->waiting) || (c->due != 0 && c->due > clock_mono_ms()))))
		committer_sleep(c);
	STAILQ_CONCAT(&c->taken, &c->waiting);
	pthread_mutex_unlock(&c->lock);
	return !STAILQ_EMPTY(&c->taken);
}

static void
committer_break(struct committer *c, const struct err *err)
{
	pthread_mutex_lock(&c->lock);
	if (!c->broken)
		snprintf(c->why, sizeof(c->why), "%s", err->text);
	c->broken = true;
	pthread_mutex_unlock(&c->lock);
}

static void
count_batch(struct committer *c, bool synced, bool calm)
{
	pthread_mutex_lock(&c->lock);
	c->calm = synced && calm ? c->calm + 1 : 0;
	c->figures.syncs++;
	if (synced) {
		c->figures.batches++;
		c->figures.records += c->batch.records;
		c->figures.bytes += batch_padded(&c->batch);
	}
	pthread_mutex_unlock(&c->lock);
}

/* Does a batch with so many bytes of records fit into the active segment? */
static bool
active_fits(const struct ring *ring, uint64_t bytes)
{
	return ring->active != NULL && BATCH_HEAD + bytes <= ring->active->size - ring->active->end;
}

/* docs/SPOOL.md, commit 1-3; a segment's head travels with its first batch. */
static int
write_and_sync(struct committer *c, struct segment *seg, uint16_t flags, struct err *err)
{
	struct batch *b = &c->batch;
	bool opens = seg->end == SEGMENT_HEAD;
	struct batch_head head = { .flags = flags, .segment = seg->sequence, .nonce = seg->nonce,
	    .sequence = c->ring->next_batch, .oldest = ring_oldest_sequence(c->ring), .offset = seg->end };
	struct segment_head life = { .use = SEGMENT_USE_MAIL, .sequence = seg->sequence, .nonce = seg->nonce,
	    .size = seg->size, .commits = c->ring->commits };
	uint64_t at = opens ? 0 : seg->end;

	batch_seal(b, &head);
	memcpy(life.store, c->ring->store_id, sizeof(life.store));
	if (opens) {
		segment_head_put(c->segment_head, &life);
		b->iov[0] = (struct iovec){ c->segment_head, SEGMENT_HEAD };
		STEP("open-1");
	}
	STEP("commit-1");
	if (disk_writev(seg->fd, b->iov + (opens ? 0 : 1), b->n - (opens ? 0 : 1), at, err) == -1)
		return -1;
	if (opens)
		STEP("open-2");
	STEP("commit-2");
	if (disk_sync_data(seg->fd, err) == -1)
		return -1;
	if (opens)
		STEP("open-3");
	STEP("commit-3");
	return 0;
}

/* A segment for the batch: the active one if it fits, else the next. `spare`: how many free ones
 * must remain. */
static struct segment *
segment_for(struct ring *ring, const struct batch *b, uint32_t spare, struct err *err)
{
	struct segment *seg = ring->active;

	if (active_fits(ring, b->length))
		return seg;
	if (ring_free_count(ring) <= spare || (seg = ring_advance(ring)) == NULL)
		err_set(err, "no free journal segment is left");
	else if (seg->size - SEGMENT_HEAD - BATCH_HEAD < b->length)
		err_set(err, "a journal segment is too small for a batch of %u bytes", b->length);
	else
		return seg;
	return NULL;
}

/* docs/SPOOL.md, commit, failed sync: never again on that file; the same batch once more in the
 * next segment. */
static int
batch_commit(struct committer *c, uint16_t flags, uint32_t spare, struct segment **where, struct err *err)
{
	struct segment *seg;
	int64_t began;

	for (int tries = 0; tries < 2; tries++) {
		if ((seg = segment_for(c->ring, &c->batch, spare, err)) == NULL)
			return -1;
		began = clock_mono_ms();
		if (write_and_sync(c, seg, flags, err) == 0) {
			count_batch(c, true, c->urgent <= 1 && clock_mono_ms() - began <= c->quick_ms);
			*where = seg;
			seg->end += (uint32_t)batch_padded(&c->batch);
			c->ring->next_batch++;
			c->ring->declare = false;
			return 0;
		}
		count_batch(c, false, false);
		ring_fail(c->ring, seg);
		err_wrap(err, "journal/%03u.seg", seg->number);
		post_say(c->post, LOG_LEVEL_ERROR, "%s: this segment is out of service until the next start", err->text);
		STEP("fail-1");
	}
	return -1;
}

static void
batch_take_change(struct batch *b, struct change *change)
{
	struct item *item;
	size_t head;

	change->offset = b->length;
	STAILQ_FOREACH(item, &change->items, next) {
		if (item->record.type == RECORD_PUT && !item->record.large)
			item->record.content_crc = crc32c(0, item->record.content.p, item->record.content.len);
		head = record_head_put(item->head, &item->record);
		batch_piece(b, item->head, head);
		batch_piece(b, item->record.envelope.p, item->record.envelope.len);
		batch_piece(b, item->record.content.p, item->record.content.len);
		b->records++;
	}
}

/* It is no batch and joins none. */
static bool
change_is_alone(const struct change *change)
{
	return change->kind == CHANGE_WIPE || change->kind == CHANGE_MARK;
}

static void
list_answer(struct post_list *list, enum store_result result)
{
	struct change *change;

	STAILQ_FOREACH(change, list, next)
		change->result = result;
}

/* May this change join? Where the free segments say no, what frees space may still fill the
 * active one. */
static bool
admitted(struct ring *ring, const struct batch *b, const struct change *change, uint32_t free)
{
	if (admission_allows(change->class, free))
		return true;
	return change->class == STORE_DONE && active_fits(ring, b->length + change->bytes);
}

/* The most bytes of records for a batch that begins with this change. */
static uint64_t
batch_limit(const struct ring *ring, const struct change *first)
{
	uint64_t room = active_fits(ring, first->bytes) ? ring->active->size - ring->active->end : ring->least - SEGMENT_HEAD;

	return (room < BATCH_MAX ? room : BATCH_MAX) - BATCH_HEAD;
}

/* Moves from `taken` to `batched` what fits, to `refused` what is not admitted. */
static void
gather(struct committer *c, struct post_list *batched, struct post_list *refused)
{
	uint32_t free = ring_free_count(c->ring);
	struct change *change;
	uint64_t limit = 0;

	batch_reset(&c->batch);
	while ((change = STAILQ_FIRST(&c->taken)) != NULL && !change_is_alone(change)) {
		if (!admitted(c->ring, &c->batch, change, free)) {
			STAILQ_REMOVE_HEAD(&c->taken, next);
			STAILQ_INSERT_TAIL(refused, change, next);
			continue;
		}
		if (STAILQ_EMPTY(batched))
			limit = batch_limit(c->ring, change);
		if ((!STAILQ_EMPTY(batched) && c->batch.length + change->bytes > limit) ||
		    batch_room(&c->batch, change->pieces) == -1)
			break;
		STAILQ_REMOVE_HEAD(&c->taken, next);
		STAILQ_INSERT_TAIL(batched, change, next);
		batch_take_change(&c->batch, change);
	}
}

static void
answer(struct committer *c, struct post_list *list)
{
	if (c->lent)
		post_leave(c->post, list);
	else
		post_give(c->post, list);
}

/* docs/SPOOL.md, commit 4: only now is anything answered. */
static void
settle(struct committer *c, struct post_list *batched, struct segment *seg, uint32_t offset)
{
	struct change *change;

	STAILQ_FOREACH(change, batched, next) {
		change->result = STORE_DURABLE;
		change->segment = seg;
		change->offset += offset;
	}
	answer(c, batched);
	STEP("commit-4");
}

static bool
is_broken(struct committer *c)
{
	bool broken;

	pthread_mutex_lock(&c->lock);
	broken = c->broken;
	pthread_mutex_unlock(&c->lock);
	return broken;
}

static void
fail_all(struct committer *c, struct post_list *list)
{
	list_answer(list, STORE_FAILED);
	answer(c, list);
}

/* No memory for the pieces of even one change: that one fails. */
static void
fail_first(struct committer *c)
{
	struct post_list one = STAILQ_HEAD_INITIALIZER(one);
	struct change *first = STAILQ_FIRST(&c->taken);

	if (first == NULL || change_is_alone(first))
		return;
	STAILQ_REMOVE_HEAD(&c->taken, next);
	STAILQ_INSERT_TAIL(&one, first, next);
	fail_all(c, &one);
}

static void
commit_round(struct committer *c)
{
	struct post_list batched = STAILQ_HEAD_INITIALIZER(batched), refused = STAILQ_HEAD_INITIALIZER(refused);
	struct segment *seg;
	struct err err = { 0 };

	gather(c, &batched, &refused);
	c->urgent = count_urgent(&batched);
	list_answer(&refused, STORE_FULL);
	answer(c, &refused);
	if (STAILQ_EMPTY(&batched)) {
		fail_first(c);
	} else if (batch_commit(c, 0, 1, &seg, &err) == 0) {
		settle(c, &batched, seg, seg->end - (uint32_t)batch_padded(&c->batch) + BATCH_HEAD);
	} else {
		committer_break(c, &err);
		fail_all(c, &batched);
	}
}

/* A segment that could not be wiped is dead by the word of a later batch; before the next one
 * leaves, such a batch must be there. */
static int
declare(struct committer *c, struct err *err)
{
	struct segment *seg;

	if (!c->ring->declare)
		return 0;
	batch_reset(&c->batch);
	if (batch_room(&c->batch, 1) == -1)
		return err_memory(err, "no memory");
	return batch_commit(c, 0, 1, &seg, err);
}

static enum store_result
wipe(struct committer *c, struct segment *seg)
{
	struct err err = { 0 };

	if (c->ring->declare && !active_fits(c->ring, 0) && ring_free_count(c->ring) <= 1)
		return STORE_FULL;		/* asked again when there is room */
	if (declare(c, &err) == -1) {
		committer_break(c, &err);
		return STORE_FAILED;
	}
	if (!ring_failed(c->ring, seg) && segment_wipe(seg, ring_oldest(c->ring, false) == seg, &err) == 0) {
		ring_set_state(c->ring, seg, SEGMENT_FREE);
		return STORE_DURABLE;
	}
	if (!ring_failed(c->ring, seg)) {
		post_say(c->post, LOG_LEVEL_ERROR, "journal/%03u.seg: %s: this segment is out of service until the next start",
		    seg->number, err.text);
		ring_fail(c->ring, seg);
	}
	ring_set_state(c->ring, seg, SEGMENT_OUT);
	c->ring->declare = true;
	return STORE_DURABLE;
}

/* docs/SPOOL.md, pin: how much of each segment is durable now; earlier wipes are over. */
static enum store_result
mark(struct committer *c)
{
	struct ring *ring = c->ring;
	struct segment *seg;

	pthread_mutex_lock(&ring->lock);
	for (uint32_t i = 0; i < ring->n; i++) {
		seg = &ring->v[i];
		seg->marked = seg->state == SEGMENT_SEALED ? seg->size : seg->state == SEGMENT_ACTIVE ? seg->end : 0;
	}
	pthread_mutex_unlock(&ring->lock);
	return STORE_DURABLE;
}

/* One that is no batch. */
static void
round_alone(struct committer *c)
{
	struct post_list one = STAILQ_HEAD_INITIALIZER(one);
	struct change *change = STAILQ_FIRST(&c->taken);

	STAILQ_REMOVE_HEAD(&c->taken, next);
	STAILQ_INSERT_TAIL(&one, change, next);
	change->result = change->kind == CHANGE_WIPE ? wipe(c, change->segment) : mark(c);
	answer(c, &one);
}

/* docs/SPOOL.md, end: says that nothing follows, so that damage to the last batches can be told
 * from a torn one. */
static void
write_end(struct committer *c)
{
	struct segment *seg;
	struct err err;

	batch_reset(&c->batch);
	STEP("end-1");
	if (c->ring->active != NULL && batch_room(&c->batch, 1) == 0 && batch_commit(c, BATCH_END, 1, &seg, &err) == -1)
		post_say(c->post, LOG_LEVEL_WARN, "the END batch was not written: %s", err.text);
	STEP("end-2");
}

static void *
committer_main(void *arg)
{
	struct committer *c = arg;

	while (committer_take(c)) {
		if (is_broken(c))
			fail_all(c, &c->taken);
		else if (change_is_alone(STAILQ_FIRST(&c->taken)))
			round_alone(c);
		else
			commit_round(c);
	}
	if (!is_broken(c))
		write_end(c);
	return NULL;
}

/* Under the lock: nothing is under way, and what waits may go with others. */
static bool
is_idle(const struct committer *c)
{
	return c->asleep && !c->lent && !c->closing && !c->broken && c->calm >= CALM &&
	    (STAILQ_EMPTY(&c->waiting) || c->due != 0);
}

bool
committer_try(struct committer *c, struct post_list *list)
{
	struct change *first = STAILQ_FIRST(list);
	bool mine;

	if (first == NULL || STAILQ_NEXT(first, next) != NULL || first->due != 0 || change_is_alone(first))
		return false;
	pthread_mutex_lock(&c->lock);
	if ((mine = is_idle(c))) {
		c->lent = true;
		STAILQ_CONCAT(&c->taken, &c->waiting);
		STAILQ_CONCAT(&c->taken, list);
	}
	pthread_mutex_unlock(&c->lock);
	if (!mine)
		return false;
	commit_round(c);
	pthread_mutex_lock(&c->lock);
	c->lent = false;
	if (!STAILQ_EMPTY(&c->taken) || !STAILQ_EMPTY(&c->waiting))
		pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	return true;
}

int
committer_start(struct committer *c, struct err *err)
{
	if (thread_start(&c->thread, committer_main, c, "start the committer", err) == -1)
		return -1;
	c->started = true;
	return 0;
}

void
committer_stop(struct committer *c)
{
	if (!c->started)
		return;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	c->started = false;
}

int
committer_write_now(struct committer *c, struct post_list *list, struct err *err)
{
	struct segment *seg;
	struct change *change;

	batch_reset(&c->batch);
	STAILQ_FOREACH(change, list, next) {
		if (batch_room(&c->batch, change->pieces) == -1)
			return err_memory(err, "no memory");
		batch_take_change(&c->batch, change);
	}
	if (batch_commit(c, 0, 0, &seg, err) == -1)
		return -1;
	STAILQ_FOREACH(change, list, next) {
		change->result = STORE_DURABLE;
		change->segment = seg;
		change->offset += seg->end - (uint32_t)batch_padded(&c->batch) + BATCH_HEAD;
	}
	return 0;
}

/* In recovery. A segment that cannot be wiped is out of service, and declared so by the next
 * batch. */
void
committer_wipe_now(struct committer *c, struct segment *seg)
{
	(void)wipe(c, seg);
}
