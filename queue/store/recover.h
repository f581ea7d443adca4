#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H
/* recover — what start-up finds in the ring: live messages to the owner, damage to corrupt/,
 * free segments to the committer. */
#include "queue/store/ring.h"

struct store;

/* Between the opening of the ring and the start of the threads. Takes nothing; found is
 * borrowed. Idempotent: a crash in it changes nothing for the next one. */
int	recover(struct store *, struct ring_found *found, struct err *);

#endif
