/*
 * heap — a binary heap over pointers; each node remembers its place, so removal needs no search.
 */
#include "base/heap.h"

#include "base/mem.h"

void
heap_init(struct heap *h, bool (*less)(const struct heap_node *, const struct heap_node *))
{
	*h = (struct heap){ .less = less };
}

void
heap_fini(struct heap *h)
{
	mem_free(h->v);
	heap_init(h, h->less);
}

static void
place(struct heap *h, size_t at, struct heap_node *node)
{
	h->v[at - 1] = node;
	node->place = at;
}

static void
sift_up(struct heap *h, struct heap_node *node)
{
	size_t at = node->place;

	while (at > 1 && h->less(node, h->v[at / 2 - 1])) {
		place(h, at, h->v[at / 2 - 1]);
		at /= 2;
	}
	place(h, at, node);
}

static void
sift_down(struct heap *h, struct heap_node *node)
{
	size_t at = node->place, child;

	while ((child = at * 2) <= h->n) {
		if (child < h->n && h->less(h->v[child], h->v[child - 1]))
			child++;
		if (!h->less(h->v[child - 1], node))
			break;
		place(h, at, h->v[child - 1]);
		at = child;
	}
	place(h, at, node);
}

int
heap_push(struct heap *h, struct heap_node *node)
{
	if (h->n == h->cap) {
		size_t cap = h->cap == 0 ? 64 : h->cap * 2;
		struct heap_node **v = mem_grow(h->v, cap, sizeof(*v));

		if (v == NULL)
			return -1;
		h->v = v;
		h->cap = cap;
	}
	h->n++;
	place(h, h->n, node);
	sift_up(h, node);
	return 0;
}

struct heap_node *
heap_least(const struct heap *h)
{
	return h->n == 0 ? NULL : h->v[0];
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	size_t at = node->place;
	struct heap_node *last;

	if (at == 0)
		return;
	last = h->v[h->n - 1];
	h->n--;
	node->place = 0;
	if (last == node)
		return;
	place(h, at, last);
	heap_moved(h, last);
}

void
heap_moved(struct heap *h, struct heap_node *node)
{
	sift_up(h, node);
	sift_down(h, node);
}
