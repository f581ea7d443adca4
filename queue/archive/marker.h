#ifndef ARCHIVE_MARKER_H
#define ARCHIVE_MARKER_H
/*
 * marker — the file BACKUP: written last, so a backup that has one is whole. What it counts is compared
 * before anything is restored.
 */
#include <stdint.h>

#include "base/err.h"

struct marker {
	char		store[33];	/* identity, as in STORE */
	uint32_t	epoch;		/* likewise: no id in the backup is of a later one */
	uint64_t	time;		/* seconds since 1970 when the store stood still */
	uint64_t	messages;	/* in the queue then */
	uint64_t	files, bytes;	/* of all but BACKUP itself and STORE; bytes without spool/large, where a client may
					 * still have been at work: records tell the sizes of what counts there */
};

/* Durable when it returns. */
int	marker_write(int dir, const struct marker *, struct err *);
/* -1: there is none, or it is not whole; err says what that means. */
int	marker_read(int dir, struct marker *, struct err *);

#endif
