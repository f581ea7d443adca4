/* idset — see idset.h. */
#include "base/idset.h"

#include "base/mem.h"

struct member {
	struct hash_node	node;
	uint64_t		id;
};

void
idset_init(struct idset *l)
{
	hash_init(&l->ids);
}

static void
free_one(struct hash_node *node, void *arg)
{
	struct idset *l = arg;

	hash_remove(&l->ids, node);
	mem_free(CONTAINER_OF(node, struct member, node));
}

void
idset_fini(struct idset *l)
{
	hash_each(&l->ids, free_one, l);
	hash_fini(&l->ids);
}

static struct hash_node *
find(const struct idset *l, uint64_t id)
{
	struct hash_node *n = hash_first(&l->ids, hash_u64(id));

	while (n != NULL && CONTAINER_OF(n, struct member, node)->id != id)
		n = hash_next(n);
	return n;
}

bool
idset_has(void *set, uint64_t id)
{
	return find(set, id) != NULL;
}

int
idset_add(struct idset *l, uint64_t id)
{
	struct member *one;

	if (find(l, id) != NULL)
		return 0;
	if ((one = mem_zalloc(sizeof(*one))) == NULL)
		return -1;
	one->id = id;
	hash_insert(&l->ids, &one->node, hash_u64(id));
	return 0;
}

struct pruning {
	struct idset	*set;
	bool		(*goes)(void *, uint64_t);
	void		*arg;
};

static void
prune_one(struct hash_node *node, void *arg)
{
	const struct pruning *p = arg;

	if (p->goes(p->arg, CONTAINER_OF(node, struct member, node)->id))
		free_one(node, p->set);
}

void
idset_prune(struct idset *l, bool (*goes)(void *arg, uint64_t id), void *arg)
{
	struct pruning p = { l, goes, arg };

	hash_each(&l->ids, prune_one, &p);
}

struct showing {
	void	(*each)(void *, uint64_t);
	void	*arg;
};

static void
show_one(struct hash_node *node, void *arg)
{
	const struct showing *s = arg;

	s->each(s->arg, CONTAINER_OF(node, struct member, node)->id);
}

void
idset_each(struct idset *l, void (*each)(void *arg, uint64_t id), void *arg)
{
	struct showing s = { each, arg };

	hash_each(&l->ids, show_one, &s);
}

void
idset_remove(struct idset *l, uint64_t id)
{
	struct hash_node *n = find(l, id);

	if (n != NULL)
		free_one(n, l);
}
