#ifndef STORE_DAMAGE_H
#define STORE_DAMAGE_H
/* damage — what the gaps between the ring's batches mean, and what can still be saved from them. */
#include "queue/store/replay.h"

/* Salvages into the index what checks, sets the rest aside in corrupt/. -1: it could not be
 * kept, so nothing may go on. */
int	damage_judge(struct store *, struct recovery *, struct err *);

#endif
