#ifndef BASE_HASH_H
#define BASE_HASH_H
/*
 * hash — a table of nodes that live inside their objects, and the keyed hash it is filled by.
 *
 * SipHash-1-3 with a key drawn once per process: names that strangers choose cannot be made to
 * collide. The table neither owns nor frees; it grows by itself and, if memory for that is
 * short, merely becomes slower, so inserting cannot fail.
 */
#include <stdint.h>

#include "base/slice.h"

#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct hash_node {
	struct hash_node	*next;
	uint64_t		 hash;
};

struct hash {
	struct hash_node	**slots;
	size_t			  nslots;	/* a power of two; 0 before the first insert */
	size_t			  count;
	struct hash_node	 *one;		/* the only slot while memory for more is short */
};

uint64_t	 hash_slice(struct slice);
uint64_t	 hash_slice_nocase(struct slice);	/* ASCII case folded; at most 1,024 bytes count */
uint64_t	 hash_u64(uint64_t);

void		 hash_init(struct hash *);
void		 hash_fini(struct hash *);		/* the table, not the nodes */
void		 hash_insert(struct hash *, struct hash_node *, uint64_t hash);
void		 hash_remove(struct hash *, struct hash_node *);
/* All nodes of one hash value: first, then next; the caller compares the keys. */
struct hash_node *hash_first(const struct hash *, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *);
/* Walks the whole table; `each` may remove the node that it is given, and no other. */
void		 hash_each(struct hash *, void (*each)(struct hash_node *, void *), void *arg);

#endif
