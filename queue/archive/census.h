#ifndef ARCHIVE_CENSUS_H
#define ARCHIVE_CENSUS_H
/*
 * census — what lies in a queue directory, recipient by recipient, without writing a byte to it.
 *
 * The ring is read as a start reads it. The catalog wants recovery, which writes; so a copy of it is opened, in a private
 * folder below TMPDIR. Files of the spool are read whole and checked.
 */
#include <stdint.h>

#include "base/err.h"
#include "queue/archive/book.h"

struct census {
	uint64_t	ring, spool;	/* messages found */
	uint64_t	damaged;	/* places of the ring that are neither whole nor a torn end */
};

/* The caller holds the queue's lock. */
int	census_take(struct census *, int queue_dir, struct book *, struct err *);

#endif
