/*
 * batch — see batch.h.
 *
 *  0 magic (4)  4 version (2)  6 flags (2)  8 segment sequence (8)  16 segment nonce (8)  24 batch sequence (8)
 * 32 oldest live segment sequence (8)  40 own offset (4)  44 length of records (4)  48 records (4)  52 crc32c of records (4)
 * 56 zero (4)  60 crc32c of bytes 0..59 (4)
 */
#include "queue/store/batch.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/store/bytes.h"
#include "queue/store/disk.h"

#define MAGIC		0x31426850u		/* "PhB1" */
#define FIRST_PIECE	2u			/* behind the two heads */

static const unsigned char padding[DISK_BLOCK];

void
batch_head_put(unsigned char *p, const struct batch_head *h)
{
	memset(p, 0, BATCH_HEAD);
	bytes_put32(p, MAGIC);
	bytes_put16(p + 4, BATCH_VERSION);
	bytes_put16(p + 6, h->flags);
	bytes_put64(p + 8, h->segment);
	bytes_put64(p + 16, h->nonce);
	bytes_put64(p + 24, h->sequence);
	bytes_put64(p + 32, h->oldest);
	bytes_put32(p + 40, h->offset);
	bytes_put32(p + 44, h->length);
	bytes_put32(p + 48, h->records);
	bytes_put32(p + 52, h->crc);
	bytes_put32(p + 60, crc32c(0, p, 60));
}

static void
head_read(const unsigned char *p, struct batch_head *h)
{
	h->flags = bytes_get16(p + 6);
	h->segment = bytes_get64(p + 8);
	h->nonce = bytes_get64(p + 16);
	h->sequence = bytes_get64(p + 24);
	h->oldest = bytes_get64(p + 32);
	h->offset = bytes_get32(p + 40);
	h->length = bytes_get32(p + 44);
	h->records = bytes_get32(p + 48);
	h->crc = bytes_get32(p + 52);
}

static bool
head_is_whole(const unsigned char *p)
{
	return bytes_get32(p) == MAGIC && bytes_get16(p + 4) == BATCH_VERSION &&
	    crc32c(0, p, 60) == bytes_get32(p + 60);
}

enum batch_verdict
batch_head_get(struct slice bytes, struct batch_head *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	if (bytes.len < BATCH_HEAD || !head_is_whole(p))
		return BATCH_ELSE;
	head_read(p, out);
	return BATCH_WHOLE;
}

/* One flipped bit or one lost sector must not turn an acknowledged batch into "nothing was
 * here". */
static bool
head_resembles(const unsigned char *p, const struct batch_head *want)
{
	struct batch_head h;

	head_read(p, &h);
	return (bytes_get32(p) == MAGIC) + (h.segment == want->segment && h.segment != 0) +
	    (h.nonce == want->nonce) + (h.offset == want->offset) >= 2;
}

enum batch_verdict
batch_look(struct slice bytes, const struct batch_head *want, struct batch_head *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	struct batch_head h;

	if (bytes.len < BATCH_HEAD)
		return BATCH_ELSE;
	if (!head_is_whole(p))
		return head_resembles(p, want) ? BATCH_RESEMBLES : BATCH_ELSE;
	head_read(p, &h);
	if (h.segment != want->segment || h.nonce != want->nonce || h.offset != want->offset ||
	    h.length > bytes.len - BATCH_HEAD)
		return BATCH_ELSE;
	*out = h;
	return crc32c(0, p + BATCH_HEAD, h.length) == h.crc ? BATCH_WHOLE : BATCH_BAD_RECORDS;
}

void
batch_init(struct batch *b)
{
	*b = (struct batch){ 0 };
	batch_reset(b);
}

void
batch_fini(struct batch *b)
{
	mem_free(b->iov);
	*b = (struct batch){ 0 };
}

void
batch_reset(struct batch *b)
{
	b->n = FIRST_PIECE;
	b->length = b->records = b->crc = 0;
}

int
batch_room(struct batch *b, size_t pieces)
{
	size_t need = b->n + pieces + 1, cap = b->cap == 0 ? 1024 : b->cap * 2;	/* 1: the padding */
	struct iovec *grown;

	if (need <= b->cap)
		return 0;
	if (cap < need)
		cap = need;
	if ((grown = mem_grow(b->iov, cap, sizeof(*grown))) == NULL)
		return -1;
	b->iov = grown;
	b->cap = cap;
	return 0;
}

void
batch_piece(struct batch *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	b->iov[b->n++] = (struct iovec){ (void *)(uintptr_t)p, len };
	b->crc = crc32c(b->crc, p, len);
	b->length += (uint32_t)len;
}

size_t
batch_padded(const struct batch *b)
{
	return disk_round(BATCH_HEAD + b->length);
}

void
batch_seal(struct batch *b, struct batch_head *h)
{
	size_t over = batch_padded(b) - BATCH_HEAD - b->length;

	h->length = b->length;
	h->records = b->records;
	h->crc = b->crc;
	batch_head_put(b->head, h);
	b->iov[1] = (struct iovec){ b->head, BATCH_HEAD };
	/* A second seal, for another segment after a failed sync, finds the padding in place. */
	if (over > 0 && b->iov[b->n - 1].iov_base != (void *)(uintptr_t)padding)
		b->iov[b->n++] = (struct iovec){ (void *)(uintptr_t)padding, over };
}
