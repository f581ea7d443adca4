#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H
/* recover — what start-up finds in the ring: live messages to the owner, damage to corrupt/,
 * free segments to the committer. */
#include "queue/store/ring.h"

struct recovery;
struct store;

/* Only reads the ring and indexes it; the caller has initialised the index. */
int	recover_scan(struct recovery *, struct ring *, struct ring_found *, struct err *);
/* Between the opening of the ring and the start of the threads. Takes nothing; found is
 * borrowed. Idempotent: a crash in it changes nothing for the next one. */
int	recover(struct store *, struct ring_found *found, struct err *);

#endif
