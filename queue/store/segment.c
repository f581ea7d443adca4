/*
 * segment — see segment.h.
 *
 * head: 0 "posthorn" (8)  8 version (4)  12 use (4)  16 store (16)  32 sequence (8)  40 nonce
 * (8)  48 size (8)  56 commits of the catalog (4)  60 crc32c of bytes 0..59 (4); the rest of the
 * block is zero.
 */
#include "queue/store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "queue/store/bytes.h"
#include "queue/store/ring.h"

#define SEGMENT_VERSION	1u

static const char magic[8] = { 'p', 'o', 's', 't', 'h', 'o', 'r', 'n' };

void
segment_name(char *out, size_t size, uint32_t number)
{
	snprintf(out, size, "%03u.seg", number);
}

void
segment_head_put(unsigned char block[SEGMENT_HEAD], const struct segment_head *h)
{
	memset(block, 0, SEGMENT_HEAD);
	memcpy(block, magic, sizeof(magic));
	bytes_put32(block + 8, SEGMENT_VERSION);
	bytes_put32(block + 12, (uint32_t)h->use);
	memcpy(block + 16, h->store, sizeof(h->store));
	bytes_put64(block + 32, h->sequence);
	bytes_put64(block + 40, h->nonce);
	bytes_put64(block + 48, h->size);
	bytes_put32(block + 56, h->commits);
	bytes_put32(block + 60, crc32c(0, block, 60));
}

enum segment_head_verdict
segment_head_get(struct slice block, struct segment_head *h)
{
	const unsigned char *p = (const unsigned char *)block.p;

	*h = (struct segment_head){ 0 };
	if (bytes_are_zero(block.p, block.len))
		return SEGMENT_HEAD_BLANK;
	if (block.len < 64 || memcmp(p, magic, sizeof(magic)) != 0 || crc32c(0, p, 60) != bytes_get32(p + 60))
		return SEGMENT_HEAD_BAD;
	if (bytes_get32(p + 8) > SEGMENT_VERSION)
		return SEGMENT_HEAD_NEWER;
	h->use = bytes_get32(p + 12) == SEGMENT_USE_FREE ? SEGMENT_USE_FREE : SEGMENT_USE_MAIL;
	memcpy(h->store, p + 16, sizeof(h->store));
	h->sequence = bytes_get64(p + 32);
	h->nonce = bytes_get64(p + 40);
	h->size = bytes_get64(p + 48);
	h->commits = bytes_get32(p + 56);
	return SEGMENT_HEAD_WHOLE;
}

/* docs/SPOOL.md, ring: 1 the zeros, 2 the file's sync; the directory's is the ring's step 3. */
static int
segment_fill(struct segment *seg, uint32_t size, struct err *err)
{
	STEP("ring-1");
	if (ftruncate(seg->fd, 0) == -1)
		return err_sys(err, "truncate");
	if (disk_zero(seg->fd, 0, size, err) == -1)
		return -1;
	STEP("ring-2");
	if (disk_sync(seg->fd, err) == -1)
		return -1;
	seg->size = size;
	return 0;
}

static int
segment_look(struct segment *seg, struct segment_head *head, enum segment_head_verdict *verdict,
    struct err *err)
{
	char block[SEGMENT_HEAD];
	struct stat st;

	if (fstat(seg->fd, &st) == -1)
		return err_sys(err, "fstat");
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)STORE_SEGMENT_SIZE_MAX)
		return err_set(err, "not a journal segment");
	seg->size = (uint32_t)st.st_size / DISK_BLOCK * DISK_BLOCK;
	*verdict = SEGMENT_HEAD_BLANK;
	*head = (struct segment_head){ 0 };
	if (seg->size < 2 * DISK_BLOCK)		/* was being made when we died: no mail was ever in it */
		return 0;
	if (disk_read(seg->fd, block, sizeof(block), 0, err) == -1)
		return -1;
	*verdict = segment_head_get(slice_of(block, sizeof(block)), head);
	return 0;
}

/* A blank head over a first batch is a lost sector, not an unused file. */
static int
first_block_is_blank(struct segment *seg, bool *blank, struct err *err)
{
	char block[DISK_BLOCK];

	*blank = true;
	if (seg->size < 2 * DISK_BLOCK)
		return 0;
	if (disk_read(seg->fd, block, sizeof(block), SEGMENT_HEAD, err) == -1)
		return -1;
	*blank = bytes_are_zero(block, sizeof(block));
	return 0;
}

int
segment_open(struct segment *seg, int dir, uint32_t number, uint32_t size, enum segment_how how,
    struct segment_head *head, enum segment_head_verdict *verdict, struct err *err)
{
	static const int flags[] = { [SEGMENT_LOOK] = O_RDONLY, [SEGMENT_KEEP] = O_RDWR, [SEGMENT_MAKE] = O_RDWR | O_CREAT };
	bool make = how == SEGMENT_MAKE, unused;
	char name[16];

	segment_name(name, sizeof(name), number);
	seg->number = number;
	seg->state = SEGMENT_NONE;
	TAILQ_INIT(&seg->live);
	if ((seg->fd = disk_open(dir, name, flags[how], err)) == -1)
		return -1;
	if (segment_look(seg, head, verdict, err) == -1)
		goto fail;
	if (*verdict == SEGMENT_HEAD_BLANK && first_block_is_blank(seg, &unused, err) == -1)
		goto fail;
	if (*verdict == SEGMENT_HEAD_BLANK && !unused)
		*verdict = SEGMENT_HEAD_BAD;
	unused = *verdict == SEGMENT_HEAD_BLANK ||
	    (*verdict == SEGMENT_HEAD_WHOLE && head->use == SEGMENT_USE_FREE);
	if (make && unused && seg->size != size && segment_fill(seg, size, err) == -1)
		goto fail;
	if (unused && seg->size == size)
		seg->state = SEGMENT_FREE;
	return 0;
fail:
	fd_close(&seg->fd);
	return err_wrap(err, "journal/%s", name);
}

/* docs/SPOOL.md, wipe: 1 before the head is written, 2 before its sync, 3 the segment is free. */
int
segment_wipe(struct segment *seg, bool oldest, struct err *err)
{
	unsigned char block[SEGMENT_HEAD];
	struct segment_head head = { .use = SEGMENT_USE_FREE, .sequence = oldest ? seg->sequence : 0,
	    .nonce = seg->nonce, .size = seg->size, .commits = seg->ring->commits };


	memcpy(head.store, seg->ring->store_id, sizeof(head.store));
	segment_head_put(block, &head);
	STEP("wipe-1");
	if (disk_write(seg->fd, block, sizeof(block), 0, err) == -1)
		return -1;
	STEP("wipe-2");
	if (disk_sync_data(seg->fd, err) == -1)
		return -1;
	STEP("wipe-3");
	return 0;
}
