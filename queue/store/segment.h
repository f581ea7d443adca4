#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H
/*
 * segment — one preallocated, zero-filled, reused file of the ring: journal/NNN.seg.
 *
 * Its first block is its head: whose it is and which life it lives. Batches follow, one behind
 * the other, until the next does not fit. Overwriting allocated blocks needs no metadata, so a
 * sync waits for nobody else's.
 */
#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "queue/store/disk.h"

struct ring;
struct stored;

#define SEGMENT_HEAD	DISK_BLOCK

enum segment_use { SEGMENT_USE_NONE, SEGMENT_USE_FREE, SEGMENT_USE_MAIL };

/* The head at rest. */
struct segment_head {
	enum segment_use use;
	unsigned char	store[16];	/* identity */
	uint64_t	sequence;	/* of this life; FREE: all up to this one have left (0: says nothing) */
	uint64_t	nonce;
	uint64_t	size;		/* of the file */
	uint32_t	commits;	/* of the catalog, on which all relies that had left the ring by then (catalog.h) */
};


enum segment_head_verdict { SEGMENT_HEAD_NONE, SEGMENT_HEAD_WHOLE, SEGMENT_HEAD_BLANK, SEGMENT_HEAD_BAD, SEGMENT_HEAD_NEWER };

void		segment_head_put(unsigned char block[SEGMENT_HEAD], const struct segment_head *);
enum segment_head_verdict segment_head_get(struct slice block, struct segment_head *);

enum segment_state { SEGMENT_NONE, SEGMENT_FREE, SEGMENT_ACTIVE, SEGMENT_SEALED, SEGMENT_OUT };

TAILQ_HEAD(stored_list, stored);

struct segment {
	struct ring	*ring;
	int		 fd;
	uint32_t	 number;	/* of the file */
	uint32_t	 size;
	/* under the ring's lock */
	enum segment_state state;
	uint64_t	 sequence;
	bool		 failed;	/* a write or sync of it failed: no more of either until the next start */
	bool		 surplus;	/* the configuration does not want it: never taken again */
	/* the committer's (recovery's before there is one) */
	uint64_t	 nonce;
	uint32_t	 end;		/* where the next batch goes */
	/* the loop's */
	struct stored_list live;	/* what keeps it from being wiped: see struct stored */
	uint64_t	 live_bytes;
	int64_t		 oldest_since;	/* loop_now when it was first seen as the oldest; 0: not yet */
	bool		 wiping;	/* the committer was asked to */
	uint32_t	 marked;	/* CHANGE_MARK's answer: bytes that were durable then; 0: no mail */
};

enum segment_how { SEGMENT_LOOK, SEGMENT_KEEP, SEGMENT_MAKE };	/* LOOK: nothing is ever written to it */

/* Opens the file; MAKE: or makes it, `size` bytes, and one of another size anew unless it holds mail.
 * *head and *verdict say what is in its first block. */
int		segment_open(struct segment *, int dir, uint32_t number, uint32_t size, enum segment_how,
		    struct segment_head *head, enum segment_head_verdict *verdict, struct err *);
/* docs/SPOOL.md, wipe: makes the head say FREE; if it is the oldest, that none older is alive,
 * too. */
int		segment_wipe(struct segment *, bool oldest, struct err *);
void		segment_name(char *out, size_t size, uint32_t number);

#endif
