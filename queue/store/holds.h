#ifndef STORE_HOLDS_H
#define STORE_HOLDS_H
/*
 * holds — which messages of the spool an operator keeps, in a file of its own: holds/list.
 *
 * A hold is a state like any other: the ring has it, then the catalog. But who makes a lost catalog
 * anew finds in the spool what a message was when it left the ring, and would send what somebody has
 * held since. This list is never behind the catalog; it may be ahead of it, or name what is gone.
 *
 * Used by one thread, the one that writes the catalog.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/idset.h"

struct holds {
	int		dir;		/* holds/ */
	int		fd;		/* the list; -1: the next sync makes it anew */
	struct idset	ids;
	uint64_t	count;		/* of them */
	uint64_t	lines;		/* in the file */
	uint64_t	bad;		/* lines of it that cannot be read: each may have been a hold */
	struct buf	news;		/* lines that it does not have yet */
};

/* A file that cannot be read whole is an error; lines that are damaged are counted and left out. */
int	holds_open(struct holds *, int queue_dir, struct err *);
void	holds_close(struct holds *);
bool	holds_has(struct holds *, uint64_t id);
/* What is so now is written by the next sync. -1: no memory. */
int	holds_note(struct holds *, uint64_t id, bool held);
/* All that was noted is on the disk. -1: it may not be, and is tried again by the next one. */
int	holds_sync(struct holds *, struct err *);

#endif
