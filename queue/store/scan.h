#ifndef STORE_SCAN_H
#define STORE_SCAN_H
/*
 * scan — reads the ring as it lies on disk: which batches are whole, what lies between and
 * behind them.
 *
 * It judges nothing but bytes; what a gap means is recover.c's.
 */
#include "queue/store/batch.h"
#include "queue/store/ring.h"

struct region {				/* a batch, or bytes that are none */
	struct segment		*segment;
	uint32_t		 offset, length;	/* padding included */
	enum batch_verdict	 verdict;
	uint64_t		 sequence;		/* of the batch, if its head is good */
	uint32_t		 records;		/* bytes of records, likewise */
	bool			 tail;			/* nothing whole follows in this segment */
};

typedef int scan_whole(void *arg, const struct region *, struct slice records);	/* -1: no memory, the scan ends */

struct scan {
	struct segment	**order;	/* the segments that hold mail, oldest first */
	uint32_t	 count;
	struct region	*v;		/* in the order of `order`, ascending offsets */
	size_t		 n, cap;
	uint64_t	 dead_below;	/* sequence: younger batches say that older segments have left */
	uint64_t	 top_sequence;	/* highest segment sequence seen anywhere */
	char		*buffer;	/* one segment */
	size_t		 buffer_size;
	uint32_t	 lost;		/* segments of which neither head nor first batch can be read */
};

int	scan_ring(struct scan *, struct ring *, struct ring_found *, scan_whole *, void *arg, struct err *);
/* Reads a segment into the buffer; blocks that the disk does not give back are zeros, and
 * logged. */
int	scan_load(struct scan *, struct segment *, struct err *);
void	scan_fini(struct scan *);

#endif
