/*
 * change — records that become durable together: filled by the owner, carried by the threads,
 * finished by the loop.
 *
 * Changes, items and places come from free lists: a message costs no allocation once the lists
 * are warm.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"

struct change *
change_make(struct store *store, enum change_kind kind, enum store_class class)
{
	struct change *c = STAILQ_FIRST(&store->idle_changes);

	if (c != NULL)
		STAILQ_REMOVE_HEAD(&store->idle_changes, next);
	else if ((c = mem_alloc(sizeof(*c))) == NULL)
		return NULL;
	*c = (struct change){ .store = store, .kind = kind, .class = class };
	STAILQ_INIT(&c->items);
	return c;
}

struct change *
change_new(struct store *store, enum store_class class, change_cb *done, void *arg)
{
	struct change *c = change_make(store, CHANGE_OWNER, class);

	if (c != NULL) {
		c->done = done;
		c->arg = arg;
	}
	return c;
}

struct item *
change_item(struct change *c, enum record_type type, struct stored *stored)
{
	struct store *store = c->store;
	struct item *item = STAILQ_FIRST(&store->idle_items);

	if (item != NULL)
		STAILQ_REMOVE_HEAD(&store->idle_items, next);
	else if ((item = mem_alloc(sizeof(*item))) == NULL)
		return NULL;
	item->record = (struct record){ .type = type };
	item->stored = stored;
	item->fd = -1;
	item->owned = NULL;
	return item;
}

void
item_free(struct store *store, struct item *item)
{
	mem_free(item->owned);
	fd_close(&item->fd);
	STAILQ_INSERT_HEAD(&store->idle_items, item, next);
}

int
change_add(struct change *c, struct item *item)
{
	size_t size = record_size(&item->record);

	if (size > STORE_CHANGE_MAX - c->bytes) {
		item_free(c->store, item);
		return -1;
	}
	c->bytes += size;
	c->pieces += 3;
	STAILQ_INSERT_TAIL(&c->items, item, next);
	return 0;
}

void
change_free(struct change **cp)
{
	struct change *c = *cp;
	struct item *item;

	*cp = NULL;
	if (c == NULL)
		return;
	while ((item = STAILQ_FIRST(&c->items)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->items, next);
		item_free(c->store, item);
	}
	STAILQ_INSERT_HEAD(&c->store->idle_changes, c, next);
}

/* What the records have begun, undone. */
void
change_undo(struct change *c)
{
	struct item *item;

	STAILQ_FOREACH(item, &c->items, next) {
		if (c->kind == CHANGE_COPY)
			item->stored->flags &= (uint16_t)~STORED_COPYING;
		else if (item->record.type == RECORD_PUT)
			stored_free(c->store, item->stored);
		else if (item->record.type == RECORD_DONE)
			item->stored->flags &= (uint16_t)~STORED_FINISHING;
		else
			item->stored->pending--;
	}
}

void
change_drop(struct change **cp)
{
	if (*cp != NULL)
		change_undo(*cp);
	change_free(cp);
}

struct stored *
change_put(struct change *c, const struct store_put *put, void *owner)
{
	struct stored *stored = stored_new(c->store);
	struct item *item = stored == NULL ? NULL : change_item(c, RECORD_PUT, stored);

	if (item == NULL)
		goto fail;
	item->record.id = put->id;
	item->record.version = 1;
	item->record.envelope = put->envelope;
	item->record.large = put->large;
	item->record.content = put->large ? slice_of("", 0) : put->content;
	item->record.content_size = put->large ? put->large_size : put->content.len;
	item->record.content_crc = put->large ? put->large_crc : 0;
	if (change_add(c, item) == -1)
		goto fail;
	stored->owner = owner;
	stored->id = put->id;
	stored->version = 1;
	c->large |= put->large;
	return stored;
fail:
	if (stored != NULL)
		stored_free(c->store, stored);
	return NULL;
}

int
change_state(struct change *c, struct stored *stored, struct slice delta)
{
	struct item *item;
	char *copy;

	if (!(stored->flags & STORED_DURABLE) || (item = change_item(c, RECORD_STATE, stored)) == NULL)
		return -1;
	copy = item->small;
	if (delta.len > sizeof(item->small))
		copy = item->owned = mem_alloc(delta.len);
	if (copy == NULL) {
		item_free(c->store, item);
		return -1;
	}
	if (delta.len > 0)
		memcpy(copy, delta.p, delta.len);
	item->record.envelope = slice_of(copy, delta.len);
	item->record.id = stored->id;
	item->record.version = stored->version + 1;
	if (change_add(c, item) == -1)
		return -1;
	stored->version++;
	stored->pending++;
	return 0;
}

int
change_done(struct change *c, struct stored *stored)
{
	struct item *item;

	if (!(stored->flags & STORED_DURABLE) || (stored->flags & STORED_FINISHING) ||
	    (item = change_item(c, RECORD_DONE, stored)) == NULL)
		return -1;
	item->record.id = stored->id;
	item->record.version = stored->version;
	if (change_add(c, item) == -1)
		return -1;
	stored->flags |= STORED_FINISHING;
	return 0;
}

/* The free segments are judged by the committer; how much is live, only the loop knows. */
static bool
live_forbids(struct store *store, const struct change *c)
{
	struct fill fill;

	if ((c->class != STORE_CLIENT && c->class != STORE_DSN) ||
	    (store->evacuation.able && !store->evacuation.failing))
		return false;		/* what lives can leave */
	store_fill(store, &fill);
	return !admission_live_allows(c->class, &fill, store->room[c->class]);
}

static void
sort(struct change *c, struct post_list *direct, struct post_list *large)
{
	if (c->large)
		STAILQ_INSERT_TAIL(large, c, next);
	else
		STAILQ_INSERT_TAIL(direct, c, next);
}

/* One hand-over for all that this round committed: twenty messages of one round make one batch. `here`: a lonely change may be
 * committed before this returns, and what comes of that may flush again: not here, or there would be no end to it. */
static void
flush(struct store *store, bool here)
{
	struct post_list direct = STAILQ_HEAD_INITIALIZER(direct), large = STAILQ_HEAD_INITIALIZER(large);
	struct post_list released = STAILQ_HEAD_INITIALIZER(released);
	struct change_list refused = STAILQ_HEAD_INITIALIZER(refused);
	struct change *c;

	throttle_release(store, &released);
	while ((c = STAILQ_FIRST(&released)) != NULL) {
		STAILQ_REMOVE_HEAD(&released, next);
		sort(c, &direct, &large);
	}
	while ((c = STAILQ_FIRST(&store->outbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->outbox, next);
		if (throttle_holds(store, c))
			continue;
		if (live_forbids(store, c))
			STAILQ_INSERT_TAIL(&refused, c, next);
		else
			sort(c, &direct, &large);
	}
	large_give(&store->large, &large);
	if (here && committer_try(&store->committer, &direct))
		store_fetch(store);
	else
		committer_give(&store->committer, &direct);
	while ((c = STAILQ_FIRST(&refused)) != NULL) {
		STAILQ_REMOVE_HEAD(&refused, next);
		c->result = STORE_FULL;
		change_finish(c);
	}
}

/* Once in a round: the sockets get their turn, too. */
static void
flush_hook(void *arg)
{
	struct store *store = arg;
	bool here = store->lonely_round != loop_round(store->loop);

	store->lonely_round = loop_round(store->loop);
	flush(store, here);
}

void
store_commit(struct store *store, struct change **cp, int64_t patience_ms)
{
	struct change *c = *cp;

	*cp = NULL;
	c->due = patience_ms > 0 ? clock_mono_ms() + patience_ms : 0;
	if (c->large)
		large_claim(&store->large, c);
	STAILQ_INSERT_TAIL(&store->outbox, c, next);
	loop_at_end(store->loop, &store->hook, flush_hook, store);
}

void
store_flush(struct store *store)
{
	flush(store, false);
}

void
change_settle(struct store *store, struct change *c)
{
	uint32_t offset = c->offset;
	struct item *item;

	STAILQ_FOREACH(item, &c->items, next) {
		if (item->record.type == RECORD_PUT) {
			stored_settle(store, item->stored, c->segment, &item->record, offset);
			item->stored->flags &= (uint16_t)~STORED_COPYING;
		} else if (item->record.type == RECORD_STATE) {
			item->stored->pending--;
			evacuation_state(item->stored, c->segment);
		}
		offset += (uint32_t)record_size(&item->record);
	}
}

/* docs/SPOOL.md, large: 4 the DONE is durable, 5 the content's file is gone. */
static void
finished_messages_go(struct store *store, struct change *c)
{
	struct item *item;

	STAILQ_FOREACH(item, &c->items, next)
		if (item->record.type == RECORD_DONE) {
			copy_earn(store, item->stored->bytes);
			if (evacuation_knows(item->stored)) {
				evacuation_done(item->stored, c->segment);
				continue;
			}
			if (stored_is_large(item->stored))
				large_unlink(&store->large, item->stored->id);
			stored_free(store, item->stored);
		}
}

static void
owner_finish(struct store *store, struct change *c)
{
	enum store_result result = c->result;

	if (result == STORE_DURABLE) {
		change_settle(store, c);
		copy_earn(store, c->bytes);
	}
	if (c->done != NULL)
		c->done(c->arg, result);
	if (result == STORE_DURABLE)
		finished_messages_go(store, c);
	else
		change_undo(c);
}

void
change_finish(struct change *c)
{
	struct store *store = c->store;

	switch (c->kind) {
	case CHANGE_OWNER:
		owner_finish(store, c);
		break;
	case CHANGE_COPY:
		copy_finish(store, c);
		break;
	case CHANGE_MARK:
		pin_marked(store, c->result == STORE_DURABLE);
		break;
	default:
		c->segment->wiping = false;
		break;
	}
	change_free(&c);
}
