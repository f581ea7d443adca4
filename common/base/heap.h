#ifndef BASE_HEAP_H
#define BASE_HEAP_H
/*
 * heap — the least of many, with nodes that live inside their objects and know their place.
 */
#include <stdbool.h>
#include <stddef.h>

struct heap_node {
	size_t	place;		/* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node	**v;
	size_t			  n, cap;
	bool			(*less)(const struct heap_node *, const struct heap_node *);
};

void			 heap_init(struct heap *, bool (*less)(const struct heap_node *, const struct heap_node *));
void			 heap_fini(struct heap *);
int			 heap_push(struct heap *, struct heap_node *);	/* -1: no memory */
struct heap_node	*heap_least(const struct heap *);		/* NULL when empty */
void			 heap_remove(struct heap *, struct heap_node *);	/* not in a heap: nothing */
void			 heap_moved(struct heap *, struct heap_node *);	/* its key changed */

static inline bool
heap_holds(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
