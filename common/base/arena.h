#ifndef BASE_ARENA_H
#define BASE_ARENA_H
/*
 * arena — memory that dies together: a transaction, a parsed file, a DNS answer.
 *
 * Nothing in it is freed alone. A zeroed struct arena with `max` set is a valid empty one.
 */
#include "base/slice.h"

struct arena_block;
struct arena {
	struct arena_block	*blocks;
	size_t			 used, max;	/* bytes given out; the most that may be */
};

void		 arena_init(struct arena *, size_t max);
void		*arena_alloc(struct arena *, size_t);		/* zeroed, aligned; NULL: limit or memory */
void		*arena_array(struct arena *, size_t n, size_t size);
/* A copy that lives as long as the arena, with a NUL behind it; p is NULL on failure. */
struct slice	 arena_slice(struct arena *, struct slice);
char		*arena_str(struct arena *, const char *);
void		 arena_reset(struct arena *);			/* empty; keeps one block */
void		 arena_fini(struct arena *);

#endif
