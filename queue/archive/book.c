/*
 * book — see book.h.
 */
#include "queue/archive/book.h"

void
book_init(struct book *b)
{
	*b = (struct book){ 0 };
	arena_init(&b->arena, SIZE_MAX);
	hash_init(&b->hash);
	b->last = &b->first;
}

void
book_fini(struct book *b)
{
	hash_fini(&b->hash);
	arena_fini(&b->arena);
}

struct leaf *
book_find(const struct book *b, queue_id id)
{
	struct hash_node *n = hash_first(&b->hash, hash_u64(id));

	while (n != NULL && CONTAINER_OF(n, struct leaf, node)->id != id)
		n = hash_next(n);
	return n == NULL ? NULL : CONTAINER_OF(n, struct leaf, node);
}

struct leaf *
book_leaf(struct book *b, queue_id id)
{
	struct leaf *l = book_find(b, id);

	if (l != NULL || (l = arena_alloc(&b->arena, sizeof(*l))) == NULL)
		return l;
	l->id = id;
	l->came_ms = -1;
	*b->last = l;
	b->last = &l->next;
	hash_insert(&b->hash, &l->node, hash_u64(id));
	return l;
}

struct holder *
book_holder(struct book *b, struct leaf *l, struct slice address, struct slice original)
{
	uint64_t name = hash_slice(address) * 31 + hash_slice(original);
	struct holder **at = &l->holders;

	while (*at != NULL && (*at)->name != name)
		at = &(*at)->next;
	if (*at == NULL && (*at = arena_alloc(&b->arena, sizeof(**at))) != NULL)
		(*at)->name = name;
	return *at;
}

int
book_bounced(struct book *b, struct holder *h, struct slice address)
{
	if (h->address.p == NULL)
		h->address = arena_slice(&b->arena, address);
	return h->address.p == NULL ? -1 : 0;
}

/* The notification is a message like any other: what becomes of it stands on its own page. */
static bool
is_known(const struct book *b, queue_id notice)
{
	const struct leaf *l = book_find(b, notice);

	return l != NULL && (l->accepted || l->on_disk || l->ended);
}

/* One that is queued again lives on, and may yet be delivered. */
enum telling
book_telling(const struct book *b, const struct leaf *l, const struct holder *h)
{
	if (h->notice != 0 && is_known(b, h->notice))
		return TELLING_DONE;
	if (h->owed || h->disk == SHARE_QUEUED)
		return TELLING_OWED;
	if (h->notice != 0)
		return TELLING_LOST;
	if (h->unwanted)
		return TELLING_UNWANTED;
	return l->deleted && !l->on_disk ? TELLING_DELETED : TELLING_NONE;
}

enum share
holder_share(const struct holder *h)
{
	return h->log != SHARE_NONE ? h->log : h->disk;
}

/* Those whom nobody has named are missing, unless an operator has deleted the message. */
void
book_sum(const struct book *b, const struct leaf *l, struct sums *out)
{
	uint64_t named = 0;

	*out = (struct sums){ 0 };
	for (const struct holder *h = l->holders; h != NULL; h = h->next) {
		enum share where = holder_share(h);

		/* Not yet final in the log, and no longer on the disk. */
		if (where == SHARE_NONE)
			continue;
		named++;
		if (h->disk == SHARE_QUEUED && where != SHARE_QUEUED)
			out->again++;
		out->share[where]++;
		if (where == SHARE_BOUNCED)
			out->telling[book_telling(b, l, h)]++;
	}
	if (l->recipients > named)
		out->share[l->deleted && !l->on_disk ? SHARE_DELETED : SHARE_NONE] += l->recipients - named;
}
