#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H
/* replay — the live messages of the index, shown to the owner: each with its newest PUT and the
 * states that came after. */
#include "queue/store/index.h"
#include "queue/store/scan.h"

struct store;

struct recovery {
	struct scan	scan;
	struct index	index;
};

/* Has a PUT in a segment that has not left, and no DONE. */
bool	entry_is_live(const struct recovery *, const struct entry *);
int	replay(struct store *, struct recovery *, struct err *);

#endif
