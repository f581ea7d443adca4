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

	for (uint32_t i = 0; i < store->ring.n && rescue_helps(store); i++) {
		if ((seg = ring_oldest(&store->ring, true)) == NULL)
			break;
		if (ring_free_count(&store->ring) == 0 && !TAILQ_EMPTY(&seg->live))
			return err_set(err, "the ring is full: ask for more segments (ring-segments) and start again");
		log_warn("only %u journal segments are free: emptying the oldest before opening", ring_free_count(&store->ring));
		if (!TAILQ_EMPTY(&seg->live) && copy_rescue(store, err) == -1)
			return err_wrap(err, "recovery");
		committer_wipe_now(&store->committer, seg);
	}
	return 0;
}

static bool
names_a_file(void *arg, uint64_t id)
{
	struct recovery *rec = arg;
	struct entry *e = index_find(&rec->index, id);

	return e != NULL && e->large && entry_is_live(rec, e);
}

static int
recover_steps(struct store *store, struct recovery *rec, struct ring_found *found, struct err *err)
{
	if (scan_ring(&rec->scan, &store->ring, found, index_batch, rec, err) == -1)
		return -1;
	STEP("recovery-4");
	if (damage_judge(store, rec, err) == -1)
		return -1;
	STEP("recovery-5");
	take_over(store, rec);
	if (replay(store, rec, err) == -1)
		return -1;
	STEP("recovery-6");
	wipe_what_is_empty(store, rec);
	STEP("recovery-7");
	if (rescue(store, err) == -1)
		return -1;
	return large_hunt(&store->large, names_a_file, rec, err);
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
