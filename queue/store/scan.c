/*
 * scan — see scan.h.
 */
#include "queue/store/scan.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

int
scan_load(struct scan *s, struct segment *seg, struct err *err)
{
	char *grown;

	if (seg->size > s->buffer_size) {
		if ((grown = mem_grow(s->buffer, seg->size, 1)) == NULL)
			return err_memory(err, "no memory for a segment of %u bytes", seg->size);
		s->buffer = grown;
		s->buffer_size = seg->size;
	}
	if (disk_read(seg->fd, s->buffer, seg->size, 0, err) == 0)
		return 0;
	log_error("journal/%03u.seg: %s; reading it block by block", seg->number, err->text);
	for (uint32_t at = 0; at < seg->size; at += DISK_BLOCK)
		if (disk_read(seg->fd, s->buffer + at, DISK_BLOCK, at, err) == -1)
			memset(s->buffer + at, 0, DISK_BLOCK);
	return 0;
}

static struct region *
region_add(struct scan *s, struct segment *seg, uint32_t offset, uint32_t length, enum batch_verdict verdict)
{
	struct region *grown;

	if (s->n == s->cap) {
		if ((grown = mem_grow(s->v, s->cap == 0 ? 256 : s->cap * 2, sizeof(*grown))) == NULL)
			return NULL;
		s->v = grown;
		s->cap = s->cap == 0 ? 256 : s->cap * 2;
	}
	s->v[s->n] = (struct region){ .segment = seg, .offset = offset, .length = length, .verdict = verdict };
	return &s->v[s->n++];
}

static enum batch_verdict
look_at(struct scan *s, struct segment *seg, uint32_t offset, struct batch_head *head)
{
	struct batch_head want = { .segment = seg->sequence, .nonce = seg->nonce, .offset = offset };

	return batch_look(slice_of(s->buffer + offset, seg->size - offset), &want, head);
}

/* The next place with a good head, or the segment's end. */
static uint32_t
next_head(struct scan *s, struct segment *seg, uint32_t offset)
{
	struct batch_head head;
	enum batch_verdict v;

	for (; offset < seg->size; offset += DISK_BLOCK) {
		v = look_at(s, seg, offset, &head);
		if (v == BATCH_WHOLE || v == BATCH_BAD_RECORDS)
			break;
	}
	return offset;
}

/* One region from here on; returns its end, 0 without memory. */
static uint32_t
scan_step(struct scan *s, struct segment *seg, uint32_t offset, scan_whole *whole, void *arg)
{
	struct batch_head head;
	enum batch_verdict v = look_at(s, seg, offset, &head);
	bool good = v == BATCH_WHOLE || v == BATCH_BAD_RECORDS;
	uint32_t end = good ? offset + (uint32_t)disk_round(BATCH_HEAD + head.length) : next_head(s, seg, offset + DISK_BLOCK);
	struct region *r = region_add(s, seg, offset, end - offset, v);

	if (r == NULL)
		return 0;
	if (good) {
		r->sequence = head.sequence;
		r->records = head.length;
	}
	if (v != BATCH_WHOLE)
		return end;
	if (head.oldest > s->dead_below)
		s->dead_below = head.oldest;
	return whole(arg, r, slice_of(s->buffer + offset + BATCH_HEAD, head.length)) == -1 ? 0 : end;
}

static int
scan_segment(struct scan *s, struct segment *seg, scan_whole *whole, void *arg, struct err *err)
{
	size_t first = s->n;
	uint32_t offset = SEGMENT_HEAD;

	if (scan_load(s, seg, err) == -1)
		return -1;
	while (offset < seg->size)
		if ((offset = scan_step(s, seg, offset, whole, arg)) == 0)
			return err_memory(err, "no memory to read the ring");
	for (size_t i = s->n; i > first && s->v[i - 1].verdict != BATCH_WHOLE; i--)
		s->v[i - 1].tail = true;
	return 0;
}

/* A lost head: the first batch knows the sequence and nonce, too. */
static bool
adopt(struct segment *seg)
{
	char block[DISK_BLOCK];
	struct batch_head head;
	struct err err;

	if (seg->size < 2 * DISK_BLOCK || disk_read(seg->fd, block, sizeof(block), SEGMENT_HEAD, &err) == -1 ||
	    batch_head_get(slice_of(block, sizeof(block)), &head) != BATCH_WHOLE || head.offset != SEGMENT_HEAD)
		return false;
	seg->sequence = head.segment;
	seg->nonce = head.nonce;
	log_error("journal/%03u.seg: its head is damaged; its first batch says what it is", seg->number);
	return true;
}

static void
classify(struct scan *s, struct segment *seg, const struct ring_found *f)
{
	if (f->verdict == SEGMENT_HEAD_WHOLE && f->head.sequence > s->top_sequence)
		s->top_sequence = f->head.sequence;
	if (f->verdict == SEGMENT_HEAD_WHOLE && f->head.use == SEGMENT_USE_FREE && f->head.sequence >= s->dead_below)
		s->dead_below = f->head.sequence + 1;	/* it was the oldest when it left */
	if (f->verdict == SEGMENT_HEAD_WHOLE && f->head.use == SEGMENT_USE_MAIL) {
		seg->sequence = f->head.sequence;
		seg->nonce = f->head.nonce;
		s->order[s->count++] = seg;
	} else if (f->verdict == SEGMENT_HEAD_BAD) {
		if (!adopt(seg))
			s->lost++;
		s->order[s->count++] = seg;
		if (seg->sequence > s->top_sequence)
			s->top_sequence = seg->sequence;
	}
}

static int
by_sequence(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

int
scan_ring(struct scan *s, struct ring *ring, struct ring_found *found, scan_whole *whole, void *arg, struct err *err)
{
	*s = (struct scan){ .order = mem_array(ring->n, sizeof(*s->order)) };
	if (s->order == NULL)
		return err_memory(err, "no memory");
	for (uint32_t i = 0; i < ring->n; i++)
		classify(s, &ring->v[i], &found[i]);
	qsort(s->order, s->count, sizeof(*s->order), by_sequence);
	for (uint32_t i = 0; i < s->count; i++)
		if (scan_segment(s, s->order[i], whole, arg, err) == -1)
			return -1;
	return 0;
}

void
scan_fini(struct scan *s)
{
	mem_free(s->order);
	mem_free(s->v);
	mem_free(s->buffer);
	*s = (struct scan){ 0 };
}
