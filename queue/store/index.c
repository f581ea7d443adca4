/*
 * index — see index.h.
 */
#include "queue/store/index.h"

#include "base/mem.h"

void
index_init(struct index *x)
{
	*x = (struct index){ 0 };
	hash_init(&x->hash);
	arena_init(&x->arena, SIZE_MAX);
}

void
index_fini(struct index *x)
{
	hash_fini(&x->hash);
	arena_fini(&x->arena);
}

struct entry *
index_find(struct index *x, uint64_t id)
{
	struct hash_node *n = hash_first(&x->hash, hash_u64(id));

	while (n != NULL && CONTAINER_OF(n, struct entry, node)->id != id)
		n = hash_next(n);
	return n == NULL ? NULL : CONTAINER_OF(n, struct entry, node);
}

static struct entry *
entry_of(struct index *x, uint64_t id)
{
	struct entry *e = index_find(x, id);

	if (e != NULL || (e = arena_alloc(&x->arena, sizeof(*e))) == NULL)
		return e;
	e->id = id;
	e->next = x->all;
	x->all = e;
	x->count++;
	hash_insert(&x->hash, &e->node, hash_u64(id));
	return e;
}

static bool
is_newer(const struct entry *e, uint32_t version, const struct segment *seg, uint32_t offset)
{
	if (e->segment == NULL || version != e->version)
		return e->segment == NULL || version > e->version;
	return seg->sequence != e->segment->sequence ? seg->sequence > e->segment->sequence : offset > e->offset;
}

static void
add_put(struct entry *e, const struct record *r, struct segment *seg, uint32_t offset)
{
	if (!is_newer(e, r->version, seg, offset))
		return;
	e->segment = seg;
	e->offset = offset;
	e->length = (uint32_t)record_size(r);
	e->version = r->version;
	e->large = r->large;
}

/* Into its place by version; one that is there already (a batch written twice) is enough. */
static int
add_delta(struct index *x, struct entry *e, const struct record *r, struct segment *seg, uint32_t offset)
{
	struct delta **at = &e->deltas, *d;

	while (*at != NULL && (*at)->version < r->version)
		at = &(*at)->next;
	if (*at != NULL && (*at)->version == r->version)
		return 0;
	if ((d = arena_alloc(&x->arena, sizeof(*d))) == NULL)
		return -1;
	*d = (struct delta){ .next = *at, .segment = seg, .offset = offset + RECORD_HEAD,
	    .length = (uint32_t)r->envelope.len, .version = r->version };
	*at = d;
	return 0;
}

static void
add_done(struct entry *e, struct segment *seg)
{
	e->done = true;
	if (e->done_in == NULL || seg->sequence > e->done_in->sequence)
		e->done_in = seg;
}

int
index_add(struct index *x, const struct record *r, struct segment *seg, uint32_t offset)
{
	struct entry *e = entry_of(x, r->id);

	if (e == NULL)
		return -1;
	if (r->type == RECORD_PUT)
		add_put(e, r, seg, offset);
	else if (r->type == RECORD_DONE)
		add_done(e, seg);
	else if (r->type == RECORD_STATE)
		return add_delta(x, e, r, seg, offset);
	return 0;
}
