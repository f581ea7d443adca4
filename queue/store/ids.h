#ifndef STORE_IDS_H
#define STORE_IDS_H
/*
 * ids — queue/STORE: who this store is, and the epoch that makes every message id new.
 *
 * An id is epoch and counter. The epoch is raised durably before the first id of it is used, at
 * each start and when the counter ends, so no id is given out twice, whatever was forgotten in a
 * crash.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ids {
	int		dir;		/* queue/, borrowed */
	unsigned char	store[16];
	char		text[33];	/* the same in hex */
	uint32_t	epoch;
	uint64_t	next;		/* counter of the next id; beyond 32 bits: raise first */
};

enum ids_result { IDS_NONE, IDS_READ, IDS_ABSENT, IDS_FAILED };

enum ids_result	ids_read(struct ids *, int dir, struct err *);
void		ids_draw(struct ids *, int dir);		/* a new store: random identity, epoch 0; nothing is written */
int		ids_raise(struct ids *, struct err *);		/* the next epoch, durable; unchanged on failure */
int		ids_next(struct ids *, uint32_t count, uint64_t *first, struct err *);

#endif
