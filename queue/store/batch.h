#ifndef STORE_BATCH_H
#define STORE_BATCH_H
/*
 * batch — what counts whole or not at all: a head, records, padding to the next block.
 *
 * A batch belongs to one life of one segment: the segment's sequence and random nonce are in its
 * head, so neither a stale batch of an earlier life nor a stranger's content that looks like one
 * can join the chain.
 */
#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"

#define BATCH_HEAD	64u
#define BATCH_VERSION	1u
enum { BATCH_END = 1 };			/* flag: an orderly stop; nothing follows in this life of `queue` */

struct batch_head {
	uint16_t	flags;
	uint64_t	segment;	/* sequence of the segment */
	uint64_t	nonce;		/* of this life of the segment */
	uint64_t	sequence;	/* of the batch: without gaps over all segments */
	uint64_t	oldest;		/* segments of a lower sequence are dead, whatever their heads say */
	uint32_t	offset;		/* its own */
	uint32_t	length;		/* bytes of records, without head and padding */
	uint32_t	records;
	uint32_t	crc;		/* of the records */
};

enum batch_verdict {
	BATCH_NONE,
	BATCH_WHOLE,
	BATCH_BAD_RECORDS,	/* the head is good, what follows is not */
	BATCH_RESEMBLES,	/* a damaged head of this segment and place */
	BATCH_ELSE		/* zeros, stale bytes, anything */
};

void			batch_head_put(unsigned char *, const struct batch_head *);
/* What lies at the start of `bytes` (up to the end of the segment)? `want` says segment, nonce,
 * sequence (0: any) and offset that a batch here must have; *out is set for BATCH_WHOLE and
 * BATCH_BAD_RECORDS. */
enum batch_verdict	batch_look(struct slice bytes, const struct batch_head *want, struct batch_head *out);
/* The head alone, when a segment's own head is lost. */
enum batch_verdict	batch_head_get(struct slice bytes, struct batch_head *out);

/* A batch on its way out: pieces borrowed from the changes. */
struct batch {
	struct iovec	*iov;		/* [0] segment head, [1] batch head, then the records */
	size_t		 n, cap;
	uint32_t	 length, records, crc;
	unsigned char	 head[BATCH_HEAD];
};

void	batch_init(struct batch *);
void	batch_fini(struct batch *);
void	batch_reset(struct batch *);
int	batch_room(struct batch *, size_t pieces);	/* -1: no memory for so many more */
void	batch_piece(struct batch *, const void *, size_t);	/* within the room */
/* Fills head and padding; the pieces to write are iov + 1 .. n, or iov + 0 when a segment's head
 * goes in front. */
void	batch_seal(struct batch *, struct batch_head *);
size_t	batch_padded(const struct batch *);		/* bytes on disk */

#endif
