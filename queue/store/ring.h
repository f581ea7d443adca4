#ifndef STORE_RING_H
#define STORE_RING_H
/*
 * ring — the segments in their order: which is written, which are free, which leaves next.
 *
 * Segments get their sequence when they are opened and leave strictly oldest first: a younger
 * one may hold the DONE of a message in an older one, and that message would come back without
 * it.
 */
#include <pthread.h>

#include "queue/store/segment.h"
#include "queue/store/store.h"

struct ring {
	int		 dir;			/* journal/ */
	unsigned char	 store_id[16];
	struct segment	*v;
	uint32_t	 n;
	uint64_t	 secret;		/* nonces come from it */
	uint64_t	 bytes;			/* of all segments that are in service */
	uint32_t	 least;			/* size of the smallest */
	/* the committer's */
	struct segment	*active;
	uint64_t	 next_sequence;		/* of the next segment opened */
	uint64_t	 next_batch;
	bool		 declare;		/* a segment left without a wipe: a batch has to say so first */
	_Atomic uint32_t commits;		/* of the catalog; what the loop wipes relies on them */

	pthread_mutex_t	 lock;			/* states and sequences of segments; `free` */
	uint32_t	 free;
};

struct ring_found {				/* of one segment, for recovery */
	struct segment_head	  head;
	enum segment_head_verdict verdict;
};

/* Opens all segments of journal/, makes those that are missing, converts or removes empty ones
 * that the configuration does not want as they are. Gives *found: one per segment, mem_free it. */
int		ring_open(struct ring *, int queue_dir, const struct store_conf *, const unsigned char id[16], bool fresh,
		    struct ring_found **found, struct err *);
/* Opens what is there and writes nothing, now or later: for a look from outside, under the lock. */
int		ring_look(struct ring *, int queue_dir, const unsigned char id[16], struct ring_found **found, struct err *);
void		ring_close(struct ring *);

uint32_t	ring_free_count(struct ring *);
struct segment	*ring_oldest(struct ring *, bool sealed_only);	/* NULL: none */
uint64_t	ring_oldest_sequence(struct ring *);
uint64_t	ring_active_sequence(struct ring *);		/* of the active segment; none: of the next one */
/* Takes a free segment and makes it the active one, in memory; the one before is sealed. NULL:
 * none is free. */
struct segment	*ring_advance(struct ring *);
void		ring_set_state(struct ring *, struct segment *, enum segment_state);
void		ring_fail(struct ring *, struct segment *);	/* a write or sync of it failed */
bool		ring_failed(struct ring *, struct segment *);

#endif
