#ifndef STORE_ADMISSION_H
#define STORE_ADMISSION_H
/*
 * admission — who may still write when the ring fills: pure functions of what is free and what
 * is live.
 *
 * The classes are ordered so that what frees space always finds space: each has at least one
 * segment that the weaker ones cannot take, and the last one belongs to recovery.
 */
#include "queue/store/store.h"

struct fill {
	uint32_t	segments, free;
	uint64_t	bytes;			/* of the whole ring */
	uint64_t	live;			/* of it, in newest records of live messages */
	uint64_t	dead;			/* in sealed segments, what wiping them would win */
	bool		evacuates;		/* live mail can leave for the spool */
};

/* Judged when the batch is made. */
bool	admission_allows(enum store_class, uint32_t free);
/* Judged by the loop when it is handed over; `was`: the class had room so far. */
bool	admission_live_allows(enum store_class, const struct fill *, bool was);
/* Both together, with hysteresis: `was` is the last answer. */
bool	admission_has_room(enum store_class, const struct fill *, bool was);
/* Should the oldest segment's live messages be written again, so that it can be wiped? */
bool	admission_copies(const struct fill *);
/* Should they leave for the spool? */
bool	admission_evacuates(const struct fill *);
/* While the store is pinned the ring only fills. Is there room for that to last, and has it to end? */
bool	admission_pins(const struct fill *);
bool	admission_unpins(const struct fill *);

#endif
