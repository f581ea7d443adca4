#ifndef STORE_LENT_H
#define STORE_LENT_H
/* lent — ids of the catalog that somebody has in memory: no question brings them up again. */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct lent {
	struct hash	ids;
};

void	lent_init(struct lent *);
void	lent_fini(struct lent *);
int	lent_add(struct lent *, uint64_t id);	/* twice is fine. -1: no memory */
void	lent_back(struct lent *, uint64_t id);
bool	lent_has(void *lent, uint64_t id);	/* as catalog.h wants it */

#endif
