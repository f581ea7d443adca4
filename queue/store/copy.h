#ifndef STORE_COPY_H
#define STORE_COPY_H
/*
 * copy — copy-forward: what still lives in the oldest segment is written again at the head of
 * the ring, and the segment is wiped.
 *
 * It runs on the loop, one chunk at a time, riding with everybody's batches. It works off what
 * the owner earned: bytes written and bytes freed; so a ring in which nothing happens is never
 * copied round and round.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct store;
struct change;

struct copier {
	bool		busy;		/* a chunk is on its way */
	int64_t		credit;		/* bytes that may still be copied */
	uint64_t	copied;		/* messages */
	uint64_t	complained;	/* sequence of the segment that could not be copied */
	struct buf	envelope;
};

void	copy_init(struct store *);
void	copy_fini(struct store *);
void	copy_earn(struct store *, uint64_t bytes);
/* Wipes the oldest segment when nothing keeps it; else, with `copies`, copies what still lives there. */
void	copy_pump(struct store *, bool copies);
void	copy_finish(struct store *, struct change *);
/* In recovery, when only the reserve is free: the whole oldest segment in one batch, then its
 * wipe. 0: done, -1: err. */
int	copy_rescue(struct store *, struct err *);

#endif
