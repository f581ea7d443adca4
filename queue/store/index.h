#ifndef STORE_INDEX_H
#define STORE_INDEX_H
/*
 * index — during recovery: for each id, where its newest PUT and its later states lie, and
 * whether it is done.
 *
 * The order in which records are shown to it does not matter: the highest version's PUT wins, at
 * the same version the later one; DONE is for ever.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "queue/store/record.h"
#include "queue/store/segment.h"

struct delta {				/* where a state lies */
	struct delta	*next;		/* ascending versions */
	struct segment	*segment;
	uint32_t	 offset, length;	/* of the delta itself */
	uint32_t	 version;
};

struct entry {
	struct hash_node node;
	struct entry	*next;		/* of all */
	uint64_t	 id;
	struct segment	*segment;	/* of the PUT; NULL: none seen */
	uint32_t	 offset, length;	/* of the PUT's record */
	uint32_t	 version;
	bool		 done, large;
	bool		 catalogued;		/* the catalog has it: what the ring's PUT says is old news */
	struct segment	*done_in;		/* where a DONE of it lies */
	struct delta	*deltas;
};

struct index {
	struct hash	 hash;
	struct arena	 arena;
	struct entry	*all;
	size_t		 count;
};

void		index_init(struct index *);
void		index_fini(struct index *);
/* The record whose bytes begin at `offset` of the segment. -1: no memory. */
int		index_add(struct index *, const struct record *, struct segment *, uint32_t offset);
struct entry	*index_find(struct index *, uint64_t id);

#endif
