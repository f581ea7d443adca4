/*
 * store — the one face of the disk: opening, closing, and what happens on the loop when threads
 * have finished.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"
#include "queue/store/layout.h"
#include "queue/store/recover.h"

static void
finish_all(struct store *store)
{
	struct post_list finished;
	struct change *c;
	/* The committer posts a batch before it leaves its segment: what is in segments below this one is in the list now. */
	uint64_t settled = ring_active_sequence(&store->ring);

	store->settled = settled;
	post_take(&store->post, &finished);
	while ((c = STAILQ_FIRST(&finished)) != NULL) {
		STAILQ_REMOVE_HEAD(&finished, next);
		if (!throttle_takes_back(store, c))
			change_finish(c);
	}
}

static void
tell_broken(
struct store *store)
{
	char why[256];

	if (store->broken || (!committer_is_broken(&store->committer, why) &&
	    !(store->evacuation.able && evacuator_is_condemned(&store->evacuator, why))))
		return;
	store->broken = true;
	log_error("the store cannot make anything durable any more: %s", why);
	store->ops->broken(store->arg, why);
}

void
store_fetch(struct store *store)
{
	finish_all(store);
	if (store->evacuation.able)
		evacuation_take(store);
	store_after(store);
}

static void
on_post(void *arg, int what)
{
	(void)what;
	store_fetch(arg);
}

void
store_fill(struct store *store, struct fill *out)
{
	struct ring *ring = &store->ring;
	struct segment *seg;

	*out = (struct fill){ .bytes = ring->bytes, .live = store->live_bytes,
	    .evacuates = store->evacuation.able && !store->evacuation.failing };
	pthread_mutex_lock(&ring->lock);
	out->free = ring->free;
	for (uint32_t i = 0; i < ring->n; i++) {
		seg = &ring->v[i];
		out->segments += seg->state != SEGMENT_OUT;
		if (seg->state == SEGMENT_SEALED)
			out->dead += seg->size - seg->live_bytes;
	}
	pthread_mutex_unlock(&ring->lock);
	if (out->segments == 0)
		out->segments = 1;
}

static void
tell_rooms(struct store *store)
{
	struct fill fill;
	bool yes;

	store_fill(store, &fill);
	for (enum store_class class = STORE_CLIENT; class < STORE_CLASS_COUNT; class++) {
		yes = admission_has_room(class, &fill, store->room[class]);
		if (class == STORE_CLIENT && fill.evacuates)
			yes = !throttle_says_full(store);
		if (yes == store->room[class])
			continue;
		store->room[class] = yes;
		store->ops->room(store->arg, class, yes);
	}
}

static void
flush_waiting(void *arg)
{
	store_flush(arg);
}

void
store_after(struct store *store)
{
	tell_broken(store);
	if (store->broken || store->closing)
		return;
	pin_look(store);
	if (!STAILQ_EMPTY(&store->throttle.waiting))
		loop_at_end(store->loop, &store->hook, flush_waiting, store);
	evacuation_pump(store);
	copy_pump(store, !store->evacuation.able || store->evacuation.failing);
	tell_rooms(store);
}

bool
store_has_room(const struct store *store, enum store_class class)
{
	return !store->broken && store->room[class];
}

/* docs/SPOOL.md, making a store: 4 the segments, 5 STORE, with the first epoch: only now it is
 * one. */
static int
open_identity(struct store *store, bool *fresh, struct err *err)
{
	enum ids_result result = ids_read(&store->ids, store->dir, err);

	*fresh = result == IDS_ABSENT;
	if (result == IDS_FAILED)
		return -1;
	if (*fresh) {
		if (layout_check_new(store->dir, err) == -1)
			return -1;
		ids_draw(&store->ids, store->dir);
	}
	return layout_make(store->dir, err);
}

/* An owner that makes no plans keeps all of its mail in memory and in the ring. */
static int
open_evacuator(struct store *store, const struct store_conf *conf, struct err *err)
{
	if (store->ops->plan == NULL)
		return faccessat(store->dir, "db/catalog.db", F_OK, 0) == -1 ? 0 :
		    err_set(err, "this store has a spool, and its owner would keep all mail in memory");
	if (evacuator_open(&store->evacuator, conf->directory, store->dir, store->ids.epoch, &store->large, &store->post, err) == -1)
		return -1;
	return evacuation_init(store, err);
}

static int
open_ring(struct store *store, const struct store_conf *conf, bool fresh, struct err *err)
{
	struct ring_found *found = NULL;
	int rc = -1;

	/* An old store's epoch is raised before anything else is touched; a new store exists
	 * only when its ring does. */
	if (!fresh && ids_raise(&store->ids, err) == -1)
		return -1;
	STEP("recovery-2");
	if (ring_open(&store->ring, store->dir, conf, store->ids.store, fresh, &found, err) == -1)
		goto out;
	STEP("recovery-3");
	if (fresh && ids_raise(&store->ids, err) == -1)
		goto out;
	copy_init(store);
	if (open_evacuator(store, conf, err) == 0)
		rc = recover(store, found, err);
out:
	mem_free(found);
	return rc;
}

static int
start_threads(struct store *store, struct err *err)
{
	store->settled = store->ring.next_sequence;
	if (post_watch(&store->post, store->loop, on_post, store, err) == -1 ||
	    committer_start(&store->committer, err) == -1 || large_start(&store->large, err) == -1)
		return -1;
	if (store->evacuation.able) {
		evacuation_begin(store);
		if (evacuator_start(&store->evacuator, err) == -1)
			return -1;
	}
	if (store->condemned != NULL)
		store_commit(store, &store->condemned, 0);
	STEP("recovery-9");
	return 0;
}

static int
check_conf(const struct store_conf *conf, struct err *err)
{
	if (conf->segments < STORE_SEGMENTS_MIN || conf->segments > STORE_SEGMENTS_MAX)
		return err_set(err, "the ring needs %d to %d segments", STORE_SEGMENTS_MIN, STORE_SEGMENTS_MAX);
	if (conf->segment_size < STORE_SEGMENT_SIZE_MIN || conf->segment_size > STORE_SEGMENT_SIZE_MAX ||
	    conf->segment_size % DISK_BLOCK != 0)
		return err_set(err, "a journal segment has 1 MiB to 1 GiB, in steps of 4096 bytes");
	return 0;
}

static struct store *
store_make(struct loop *loop, const struct store_ops *ops, void *arg)
{
	struct store *store = mem_zalloc(sizeof(*store));

	if (store == NULL)
		return NULL;
	store->loop = loop;
	store->ops = ops;
	store->arg = arg;
	store->dir = store->lock = store->ring.dir = store->large.dir = store->post.fd = -1;
	STAILQ_INIT(&store->outbox);
	STAILQ_INIT(&store->idle_changes);
	STAILQ_INIT(&store->idle_items);
	TAILQ_INIT(&store->idle_stored);
	return store;
}

static int
open_steps(struct store *store, const struct store_conf *conf, struct err *err)
{
	bool fresh;

	if (layout_open(conf->directory, &store->dir, &store->lock, err) == -1)
		return -1;
	STEP("recovery-1");
	if (open_identity(store, &fresh, err) == -1)
		return -1;
	if (post_open(&store->post, err) == -1 || throttle_init(store, err) == -1 || pin_init(store, conf->directory, err) == -1)
		return -1;
	committer_init(&store->committer, &store->ring, &store->post);
	if (large_open(&store->large, store->dir, &store->committer, &store->post, err) == -1)
		return -1;
	return open_ring(store, conf, fresh, err);
}

static void
free_lists(struct store *store)
{
	struct change *c;
	struct item *item;
	struct slab *slab;

	while ((c = STAILQ_FIRST(&store->idle_changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->idle_changes, next);
		mem_free(c);
	}
	while ((item = STAILQ_FIRST(&store->idle_items)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->idle_items, next);
		mem_free(item);
	}
	while ((slab = store->slabs) != NULL) {
		store->slabs = slab->next;
		mem_free(slab);
	}
}

static void
store_free(struct store *store)
{
	loop_hook_cancel(store->loop, &store->hook);
	if (store->evacuator.queue_dir != 0) {
		evacuation_fini(store);
		evacuator_close(&store->evacuator);
	}
	if (store->condemned != NULL)
		change_drop(&store->condemned);
	if (store->large.committer != NULL)
		large_close(&store->large);
	if (store->committer.ring != NULL)
		committer_fini(&store->committer);
	if (store->ring.v != NULL)
		copy_fini(store);
	ring_close(&store->ring);
	if (store->post.fd != -1)
		post_close(&store->post);
	throttle_fini(store);
	pin_fini(store);
	free_lists(store);
	fd_close(&store->lock);
	fd_close(&store->dir);
	mem_free(store);
}

struct store *
store_open(struct loop *loop, const struct store_conf *conf, const struct store_ops *ops, void *arg, struct err *err)
{
	struct store *store;
	struct fill fill;

	if (check_conf(conf, err) == -1)
		return NULL;
	if ((store = store_make(loop, ops, arg)) == NULL) {
		err_memory(err, "no memory");
		return NULL;
	}
	if (open_steps(store, conf, err) == -1 || start_threads(store, err) == -1) {
		large_stop(&store->large);
		committer_stop(&store->committer);
		evacuator_stop(&store->evacuator);
		store_free(store);
		return NULL;
	}
	store_fill(store, &fill);
	for (enum store_class class = STORE_CLIENT; class < STORE_CLASS_COUNT; class++)
		store->room[class] = admission_has_room(class, &fill, true);
	copy_pump(store, !store->evacuation.able);
	return store;
}

/* What callbacks commit while the store closes can only fail. */
static void
fail_outbox(struct store *store)
{
	struct change *c;

	while ((c = STAILQ_FIRST(&store->outbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->outbox, next);
		c->result = STORE_FAILED;
		change_finish(c);
	}
}

void
store_close(struct store **sp)
{
	struct store *store = *sp;

	if (store == NULL)
		return;
	store_flush(store);
	store->closing = true;
	throttle_end(store);
	pin_end(store);
	large_stop(&store->large);
	committer_stop(&store->committer);
	finish_all(store);
	tell_broken(store);
	fail_outbox(store);
	evacuator_stop(&store->evacuator);
	/* Answers may lead to questions, whose answer is no. */
	while (store->evacuation.able && evacuator_has_news(&store->evacuator))
		evacuation_take(store);
	/* Unlinks that the last DONEs asked for are left to the hunt of the next start. */
	large_drop_unlinks(&store->large);
	store_free(store);
	*sp = NULL;		/* only now: callbacks above may have used it */
}

uint32_t
store_epoch(const struct store *store)
{
	return store->ids.epoch;
}

const char *
store_identity(const struct store *store)
{
	return store->ids.text;
}

int
store_next_ids(struct store *store, uint32_t count, uint64_t *first)
{
	struct err err;

	if (ids_next(&store->ids, count, first, &err) == 0)
		return 0;
	log_error("%s", err.text);
	return -1;
}

int
store_large_create(struct store *store, uint64_t id, struct err *err)
{
	return large_create(&store->large, id, err);
}

void
store_large_drop(struct store *store, uint64_t id)
{
	large_forget(&store->large, id);
}

void
store_figures(const struct store *store, struct store_figures *out)
{
	struct store *s = (struct store *)(uintptr_t)store;
	struct committer_figures written;
	struct fill fill;

	store_fill(s, &fill);
	committer_figures(&s->committer, &written);
	*out = store->figures;
	out->batches = written.batches;
	out->records = written.records;
	out->bytes = written.bytes;
	out->syncs = written.syncs;
	out->copied = store->copier.copied;
	out->segments = fill.segments;
	out->free_segments = fill.free;
	out->live = store->live;
	out->live_bytes = store->live_contents;
	if (store->evacuation.able) {
		out->spooled = s->evacuation.totals.messages;
		out->spooled_bytes = s->evacuation.totals.bytes;
		out->evacuated = store->evacuation.evacuated;
	}
}
