#ifndef BASE_IDSET_H
#define BASE_IDSET_H
/* idset — a set of 64-bit ids. */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct idset {
	struct hash	ids;
};

void	idset_init(struct idset *);
void	idset_fini(struct idset *);
int	idset_add(struct idset *, uint64_t id);	/* twice is fine. -1: no memory */
void	idset_remove(struct idset *, uint64_t id);
void	idset_prune(struct idset *, bool (*goes)(void *arg, uint64_t id), void *arg);	/* without those that `goes` names */
void	idset_each(struct idset *, void (*each)(void *arg, uint64_t id), void *arg);
bool	idset_has(void *set, uint64_t id);	/* takes a struct idset: fits where a callback is asked for */

#endif
