/* places — see places.h. At rest: number (4, big-endian) -> rows (8) earliest (8) name. */
#include "queue/store/places.h"

#include "base/mem.h"
#include "queue/store/bytes.h"
#include "queue/store/plan.h"

#define VALUE_HEAD	16u

void
places_init(struct places *all, struct database *db)
{
	*all = (struct places){ .db = db, .next_number = 1 };
	hash_init(&all->by_name);
	buf_init(&all->scratch, VALUE_HEAD + PLAN_NAME_MAX);
}

static void
place_free(struct hash_node *node, void *arg)
{
	struct places *all = arg;

	hash_remove(&all->by_name, node);
	mem_free(CONTAINER_OF(node, struct place, by_name));
}

void
places_fini(struct places *all)
{
	hash_each(&all->by_name, place_free, all);
	hash_fini(&all->by_name);
	buf_fini(&all->scratch);
}

struct place *
places_find(struct places *all, struct slice name)
{
	struct hash_node *n;

	for (n = hash_first(&all->by_name, hash_slice(name)); n != NULL; n = hash_next(n))
		if (slice_eq(CONTAINER_OF(n, struct place, by_name)->name, name))
			return CONTAINER_OF(n, struct place, by_name);
	return NULL;
}

static struct place *
place_new(struct places *all, struct slice name, uint32_t number)
{
	struct place *p = mem_zalloc(sizeof(*p) + name.len);

	if (p == NULL)
		return NULL;
	if (name.len > 0)
		memcpy(p + 1, name.p, name.len);
	p->name = slice_of(p + 1, name.len);
	p->number = number;
	p->earliest_ms = PLAN_NEVER;
	if (number >= all->next_number)
		all->next_number = number + 1;
	hash_insert(&all->by_name, &p->by_name, hash_slice(name));
	return p;
}

struct place *
places_make(struct places *all, struct slice name)
{
	struct place *p = places_find(all, name);

	return p != NULL ? p : place_new(all, name, all->next_number);
}

void
places_change(struct places *all, struct place *p)
{
	if (p->changed)
		return;
	p->changed = true;
	p->next_changed = all->changed;
	all->changed = p;
}

static bool
read_place(void *arg, struct slice key, struct slice value)
{
	struct places *all = arg;
	struct place *p;

	if (key.len != 4 || value.len < VALUE_HEAD)
		return true;		/* no row of ours */
	p = place_new(all, slice_of(value.p + VALUE_HEAD, value.len - VALUE_HEAD), (uint32_t)bytes_get_big(key.p, 4));
	if (p == NULL) {
		all->no_memory = true;
		return false;
	}
	p->rows = bytes_get_big(value.p, 8);
	p->earliest_ms = (int64_t)(bytes_get_big(value.p + 8, 8) & INT64_MAX);
	return true;
}

int
places_load(struct places *all, struct err *err)
{
	hash_each(&all->by_name, place_free, all);
	all->changed = NULL;
	all->next_number = 1;
	all->no_memory = false;
	if (database_walk(all->db, TABLE_DESTINATIONS, slice_of("", 0), true, read_place, all, err) == -1)
		return -1;
	return all->no_memory ? err_memory(err, "no memory for the destinations") : 0;
}

static int
place_write(struct places *all, struct place *p, struct err *err)
{
	unsigned char key[4], head[VALUE_HEAD];

	bytes_put_big(key, p->number, 4);
	if (p->rows == 0)
		return database_del(all->db, TABLE_DESTINATIONS, slice_of(key, sizeof(key)), err) == -1 ? -1 : 0;
	bytes_put_big(head, p->rows, 8);
	bytes_put_big(head + 8, (uint64_t)p->earliest_ms, 8);
	buf_reset(&all->scratch);
	(void)buf_append(&all->scratch, head, sizeof(head));
	(void)buf_put_slice(&all->scratch, p->name);
	if (all->scratch.failed)
		return err_memory(err, "no memory for a destination");
	return database_put(all->db, TABLE_DESTINATIONS, slice_of(key, sizeof(key)), buf_slice(&all->scratch), err);
}

int
places_write(struct places *all, struct err *err)
{
	for (struct place *p = all->changed; p != NULL; p = p->next_changed)
		if (place_write(all, p, err) == -1)
			return -1;
	return 0;
}

void
places_written(struct places *all)
{
	struct place *p, *next;

	for (p = all->changed; p != NULL; p = next) {
		next = p->next_changed;
		p->changed = false;
		if (p->rows == 0)
			place_free(&p->by_name, all);
	}
	all->changed = NULL;
}

struct telling {
	void	(*each)(struct place *, void *);
	void	*arg;
};

static void
tell(struct hash_node *node, void *arg)
{
	const struct telling *t = arg;

	t->each(CONTAINER_OF(node, struct place, by_name), t->arg);
}

void
places_each(struct places *all, void (*each)(struct place *, void *), void *arg)
{
	struct telling t = { each, arg };

	hash_each(&all->by_name, tell, &t);
}
