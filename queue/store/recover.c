/*
 * recover — see recover.h; the steps are those of docs/SPOOL.md, recovery.
 *
 * The ring is read once and indexed, then gaps are judged: bad bytes before a valid batch of a
 * higher number than the next expected are damage to what was acknowledged; bad bytes with
 * nothing behind them are the torn tail of a batch that nobody was told about.
 */
#include "queue/store/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compare.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/store/corrupt.h"
#include "queue/store/damage.h"
#include "queue/store/inside.h"
#include "queue/store/replay.h"

static int
index_batch(void *arg, const struct region *r, struct slice records)
{
	struct recovery *rec = arg;
	const char *base = records.p - BATCH_HEAD;
	struct record record;
	uint32_t offset;
	bool whole;

	while (records.len > 0) {
		offset = r->offset + (uint32_t)(records.p - base);
		if (record_take(&records, &record, false, &whole) == -1 || !whole)
			break;		/* the batch's checksum holds, so this was written so: nothing more to learn */
		if (index_add(&rec->index, &record, r->segment, offset) == -1)
			return -1;
	}
	return 0;
}

int
recover_scan(struct recovery *rec, struct ring *ring, struct ring_found *found, struct err *err)
{
	return scan_ring(&rec->scan, ring, found, index_batch, rec, err);
}

static void
take_over(struct store *store, struct recovery *rec)
{
	struct scan *s = &rec->scan;
	uint64_t last = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].verdict == BATCH_WHOLE && s->v[i].sequence > last)
			last = s->v[i].sequence;
	store->ring.next_batch = last + 1;
	store->ring.next_sequence = (s->top_sequence > s->dead_below ? s->top_sequence : s->dead_below) + 1;
	for (uint32_t i = 0; i < s->count; i++)
		ring_set_state(&store->ring, s->order[i], SEGMENT_SEALED);
}

static bool
has_batches(const struct scan *s, const struct segment *seg)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].segment == seg && (s->v[i].verdict == BATCH_WHOLE || s->v[i].verdict == BATCH_BAD_RECORDS))
			return true;
	return false;
}

/* What is dead, what nobody lives in any more from the oldest on, and what was torn before its
 * first batch was whole. */
static void
wipe_what_is_empty(struct store *store, struct recovery *rec)
{
	struct segment *seg;
	bool oldest = true;

	for (uint32_t i = 0; i < rec->scan.count; i++) {
		seg = rec->scan.order[i];
		/* The hunt may still ask what it knew; only what was declared dead is no longer asked. */
		if (store->evacuation.able && !store->evacuator.hunted && seg->sequence >= rec->scan.dead_below)
			return;
		oldest = oldest && TAILQ_EMPTY(&seg->live);
		if (oldest || (TAILQ_EMPTY(&seg->live) && !has_batches(&rec->scan, seg)))
			committer_wipe_now(&store->committer, seg);
	}
}

/* Could emptying segments win a whole one? And is there a place for the next DONE at all? */
static bool
rescue_helps(struct store *store)
{
	struct fill fill;

	store_fill(store, &fill);
	return fill.free < 2 && (store->ring.active == NULL || fill.dead >= fill.bytes / fill.segments);
}

/* docs/SPOOL.md, rescue: before business there must be a segment for DONE and one for the next
 * recovery. */
static int
rescue(struct store *store, struct err *err)
{
	struct segment *seg;

	if (rescue_helps(store) && store->evacuation.able && evacuator_hunt_now(&store->evacuator, err) == -1)
		return err_wrap(err, "recovery: the ring is full, and the spool cannot be tidied up");
	for (uint32_t i = 0; i < store->ring.n && rescue_helps(store); i++) {
		if ((seg = ring_oldest(&store->ring, true)) == NULL)
			break;
		log_warn("only %u journal segments are free: emptying the oldest before opening", ring_free_count(&store->ring));
		if (store->evacuation.able && evacuation_now(store, seg, err) == -1)
			log_warn("%s", err->text);
		if (ring_free_count(&store->ring) == 0 && !TAILQ_EMPTY(&seg->live))
			return err_set(err, "the ring is full: ask for more segments (ring-segments) and start again");
		if (!TAILQ_EMPTY(&seg->live) && copy_rescue(store, err) == -1)
			return err_wrap(err, "recovery");
		committer_wipe_now(&store->committer, seg);
	}
	return 0;
}

struct naming {
	struct store	*store;
	struct recovery	*rec;
};

static bool
names_a_file(void *arg, uint64_t id)
{
	struct naming *n = arg;
	struct entry *e = index_find(&n->rec->index, id);
	struct catalog_record r;
	struct err err;

	if (e != NULL && e->large && entry_is_live(n->rec, e))
		return true;
	if (n->store->evacuation.able && spool_holds(&n->store->evacuator.spool, SPOOL_LARGE, id))
		return true;		/* the hunt decides about both */
	/* In doubt it stays. */
	return n->store->evacuation.able && catalog_get(n->store->evacuator.catalog, id, &r, &err) != CATALOG_ABSENT;
}

/* docs/SPOOL.md, rebuild: whose files in the spool are leftovers, as the ring says. A catalog that was lost is made anew first:
 * what the ring says of its messages needs it. */
static int
rebuild(struct store *store, struct recovery *rec, struct err *err)
{
	struct ring_word word = { .commits = store->ring.commits };

	if (!store->evacuation.able)
		return 0;
	if ((word.ids = mem_array(rec->index.count + 1, sizeof(*word.ids))) == NULL)
		return err_memory(err, "no memory");
	for (const struct entry *e = rec->index.all; e != NULL; e = e->next)
		if (e->done || (e->segment != NULL && e->segment->sequence >= rec->scan.dead_below))
			word.ids[word.count++] = e->id;
	qsort(word.ids, word.count, sizeof(*word.ids), compare_u64);
	return evacuator_rebuild(&store->evacuator, &word, store_now(store), err);

}

static int
recover_steps(struct store *store, struct recovery *rec, struct ring_found *found, struct err *err)
{
	struct naming naming = { store, rec };

	if (recover_scan(rec, &store->ring, found, err) == -1)
		return -1;
	STEP("recovery-4");
	if (damage_judge(store, rec, err) == -1)
		return -1;
	STEP("recovery-5");
	take_over(store, rec);
	if (rebuild(store, rec, err) == -1)
		return -1;
	if (replay(store, rec, err) == -1)
		return -1;
	STEP("recovery-6");
	wipe_what_is_empty(store, rec);
	STEP("recovery-7");
	if (rescue(store, err) == -1)
		return -1;
	return large_hunt(&store->large, names_a_file, &naming, err);
}

int
recover(struct store *store, struct ring_found *found, struct err *err)
{
	struct recovery rec = { 0 };
	int rc;

	index_init(&rec.index);
	rc = recover_steps(store, &rec, found, err);
	index_fini(&rec.index);
	scan_fini(&rec.scan);
	return rc;
}
