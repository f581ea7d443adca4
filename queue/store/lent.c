/* lent — see lent.h. */
#include "queue/store/lent.h"

#include "base/mem.h"

struct lending {
	struct hash_node	node;
	uint64_t		id;
};

void
lent_init(struct lent *l)
{
	hash_init(&l->ids);
}

static void
free_one(struct hash_node *node, void *arg)
{
	struct lent *l = arg;

	hash_remove(&l->ids, node);
	mem_free(CONTAINER_OF(node, struct lending, node));
}

void
lent_fini(struct lent *l)
{
	hash_each(&l->ids, free_one, l);
	hash_fini(&l->ids);
}

static struct hash_node *
find(const struct lent *l, uint64_t id)
{
	struct hash_node *n = hash_first(&l->ids, hash_u64(id));

	while (n != NULL && CONTAINER_OF(n, struct lending, node)->id != id)
		n = hash_next(n);
	return n;
}

bool
lent_has(void *lent, uint64_t id)
{
	return find(lent, id) != NULL;
}

int
lent_add(struct lent *l, uint64_t id)
{
	struct lending *one;

	if (find(l, id) != NULL)
		return 0;
	if ((one = mem_zalloc(sizeof(*one))) == NULL)
		return -1;
	one->id = id;
	hash_insert(&l->ids, &one->node, hash_u64(id));
	return 0;
}

void
lent_back(struct lent *l, uint64_t id)
{
	struct hash_node *n = find(l, id);

	if (n != NULL)
		free_one(n, l);
}
