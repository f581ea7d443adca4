/*
 * damage — see damage.h.
 *
 * Batches are numbered without gaps. A hole before number m, when m-1 was seen, is the tail of a
 * batch that was dropped or written again elsewhere: old news. A hole in front of a batch of its
 * own segment, or a jump in the numbers, is damage.
 */
#include "queue/store/damage.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "queue/store/corrupt.h"
#include "queue/store/inside.h"

static bool
is_dead(const struct recovery *rec, const struct segment *seg)
{
	return seg->sequence < rec->scan.dead_below && seg->sequence != 0;
}

/* Records that check by themselves. The chain of heads ends at the first bad head. Returns
 * whether all were saved. */
static bool
salvage(struct store *store, struct recovery *rec, const struct region *r, bool *memory)
{
	const char *base = rec->scan.buffer + r->offset;
	struct slice in = slice_of(base + BATCH_HEAD, r->records);
	struct record record;
	bool whole, all = true;
	uint32_t offset;

	while (in.len > 0) {
		offset = r->offset + (uint32_t)(in.p - base);
		if (record_take(&in, &record, true, &whole) == -1)
			return false;
		if (!whole) {
			all = false;
			continue;
		}
		store->figures.salvaged++;
		if (index_add(&rec->index, &record, r->segment, offset) == -1)
			*memory = false;
	}
	return all;
}

static int
keep_region(struct store *store, struct recovery *rec, const struct region *r, const char *what, struct err *err)
{
	char name[96];

	snprintf(name, sizeof(name), "%s-segment-%" PRIu64 "-at-%" PRIu32, what, r->segment->sequence, r->offset);
	log_error("journal/%03u.seg: %s, %" PRIu32 " bytes at %" PRIu32 "; a copy is in corrupt/%s", r->segment->number,
	    what, r->length, r->offset, name);
	return corrupt_set_aside(store->dir, name, slice_of(rec->scan.buffer + r->offset, r->length),
	    *what == 'd' ? "damaged after it was acknowledged: batches that follow are whole" :
	    "torn: the last batch before a crash, of which nobody was told", err);
}

static int
region_damaged(struct store *store, struct recovery *rec, const struct region *r, struct err *err)
{
	bool memory = true, all = false;

	if (scan_load(&rec->scan, r->segment, err) == -1)
		return -1;
	if (r->verdict == BATCH_BAD_RECORDS)
		all = salvage(store, rec, r, &memory);
	if (!memory)
		return err_memory(err, "no memory to read the ring");
	store->figures.damaged++;
	if (all)
		log_error("journal/%03u.seg: a batch fails its checksum, all of its records hold", r->segment->number);
	return keep_region(store, rec, r, "damaged", err);
}

/* The copy is for people; a disk too full for it must not keep the mail from starting. */
static void
region_torn(struct store *store, struct recovery *rec, const struct region *r)
{
	struct err err;

	if (r->verdict == BATCH_ELSE)
		return;			/* never written, or from an earlier life */
	store->figures.torn++;
	if (scan_load(&rec->scan, r->segment, &err) == -1 || keep_region(store, rec, r, "torn", &err) == -1)
		log_warn("%s", err.text);
}

/* How many batches before v[end] are missing of which not even the head is there. */
static uint64_t
unaccounted(const struct region *v, size_t first, size_t end, uint64_t last)
{
	uint64_t missing;

	if (last == 0 || v[end].sequence <= last + 1)
		return 0;
	missing = v[end].sequence - last - 1;
	for (size_t i = first; i < end && missing > 0; i++)
		missing -= v[i].verdict == BATCH_BAD_RECORDS && v[i].sequence > last && v[i].sequence < v[end].sequence;
	return missing;
}

/* The regions from `first` up to `end` lie in front of a whole batch, the number of the whole
 * one before them is `last` (0: none). */
static int
judge_holes(struct store *store, struct recovery *rec, size_t first, size_t end, uint64_t last, struct err *err)
{
	const struct region *v = rec->scan.v;
	bool jump = last != 0 && v[end].sequence > last + 1;
	uint64_t nowhere = unaccounted(v, first, end, last);

	if (jump)
		log_error("the ring has lost batches %" PRIu64 " to %" PRIu64, last + 1, v[end].sequence - 1);
	if (jump && first == end)
		store->figures.damaged++;
	for (size_t i = first; i < end; i++) {
		/* A tail that looks unused is, unless a batch is missing that must have been
		 * somewhere. */
		bool damaged = !v[i].tail || (jump && (v[i].verdict != BATCH_ELSE || nowhere > 0));

		if (damaged && region_damaged(store, rec, &v[i], err) == -1)
			return -1;
	}
	return 0;
}

static int
judge_lost(struct store *store, struct recovery *rec, struct err *err)
{
	for (uint32_t i = 0; i < rec->scan.count; i++) {
		struct segment *seg = rec->scan.order[i];
		struct region all = { .segment = seg, .length = seg->size };

		if (seg->sequence != 0)
			continue;
		log_error("journal/%03u.seg: neither its head nor its first batch can be read", seg->number);
		if (scan_load(&rec->scan, seg, err) == -1)
			return -1;
		store->figures.damaged++;
		if (keep_region(store, rec, &all, "damaged", err) == -1)
			return -1;
	}
	return 0;
}

int
damage_judge(struct store *store, struct recovery *rec, struct err *err)
{
	const struct region *v = rec->scan.v;
	size_t holes = 0, i;
	uint64_t last = 0;

	if (rec->scan.lost > 0 && judge_lost(store, rec, err) == -1)
		return -1;
	for (i = 0; i < rec->scan.n; i++) {
		if (is_dead(rec, v[i].segment) || v[i].segment->sequence == 0)
			holes = i + 1;
		if (v[i].verdict != BATCH_WHOLE || holes == i + 1)
			continue;
		if (judge_holes(store, rec, holes, i, last, err) == -1)
			return -1;
		last = v[i].sequence > last ? v[i].sequence : last;
		holes = i + 1;
	}
	for (i = holes; i < rec->scan.n; i++)
		region_torn(store, rec, &v[i]);
	return 0;
}
