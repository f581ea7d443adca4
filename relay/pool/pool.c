/*
 * pool — who waits for more mail to carry. A client keeps its own idle deadline; the pool hears `gone` and lets it go.
 *
 * The one that came last is taken first: at low load the others time out, and the busy ones stay warm.
 */
#include "relay/pool/pool.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"

#define POOL_MAX	500		/* idle connections in all; the one that waited longest makes room */

struct idle {
	struct hash_node	 node;
	TAILQ_ENTRY(idle)	 age;		/* oldest first */
	struct pool		*pool;
	struct client		*client;
	size_t			 key_len;
	char			 key[];
};

struct pool {
	struct loop		*loop;
	struct hash		 idle;
	TAILQ_HEAD(, idle)	 ages;
	uint32_t		 count;
};

struct pool *
pool_new(struct loop *loop, struct err *err)
{
	struct pool *pool = mem_zalloc(sizeof(*pool));

	if (pool == NULL) {
		(void)err_set(err, "no memory for the connection pool");
		return NULL;
	}
	pool->loop = loop;
	hash_init(&pool->idle);
	TAILQ_INIT(&pool->ages);
	return pool;
}

/* Gives the client; the idle record is gone afterwards. */
static struct client *
idle_remove(struct idle *idle)
{
	struct pool *pool = idle->pool;
	struct client *client = idle->client;

	hash_remove(&pool->idle, &idle->node);
	TAILQ_REMOVE(&pool->ages, idle, age);
	pool->count--;
	mem_free(idle);
	return client;
}

static void
on_gone(void *arg, const struct outcome *why)
{
	struct client *client = idle_remove(arg);

	(void)why;
	client_quit(&client);
}

static void
never(void *arg)
{
	(void)arg;			/* an idle client neither greets nor sends */
}

static const struct client_ops idle_ops = { .ready = never, .sent = never, .gone = on_gone };

static bool
protected(const struct client *client)
{
	char text[OUTCOME_TEXT_MAX];
	struct outcome why;

	return client_protects(client, &why, text);
}

struct client *
pool_take(struct pool *pool, struct slice nexthop, bool protects)
{
	struct hash_node *node;

	for (node = hash_first(&pool->idle, hash_slice_nocase(nexthop)); node != NULL; node = hash_next(node)) {
		struct idle *idle = CONTAINER_OF(node, struct idle, node);

		if (slice_caseeq(slice_of(idle->key, idle->key_len), nexthop) && (!protects || protected(idle->client)))
			return idle_remove(idle);
	}
	return NULL;
}

static void
make_room(struct pool *pool)
{
	struct client *client;

	if (pool->count < POOL_MAX)
		return;
	client = idle_remove(TAILQ_FIRST(&pool->ages));
	client_quit(&client);
}

void
pool_give(struct pool *pool, struct slice nexthop, struct client **cp, uint32_t most)
{
	struct client *client = *cp;
	struct idle *idle = NULL;

	*cp = NULL;
	if (client_usable(client) && client_is_current(client) && client_transactions(client) < most)
		idle = mem_zalloc(sizeof(*idle) + nexthop.len);
	if (idle == NULL) {
		client_quit(&client);
		return;
	}
	make_room(pool);
	idle->pool = pool;
	idle->client = client;
	idle->key_len = nexthop.len;
	memcpy(idle->key, nexthop.p, nexthop.len);
	hash_insert(&pool->idle, &idle->node, hash_slice_nocase(nexthop));
	TAILQ_INSERT_TAIL(&pool->ages, idle, age);
	pool->count++;
	client_adopt(client, &idle_ops, idle);
}

void
pool_drop_all(struct pool *pool)
{
	struct idle *idle;

	while ((idle = TAILQ_FIRST(&pool->ages)) != NULL) {
		struct client *client = idle_remove(idle);

		client_quit(&client);
	}
}

void
pool_free(struct pool **pp)
{
	struct pool *pool = *pp;

	*pp = NULL;
	if (pool == NULL)
		return;
	pool_drop_all(pool);
	hash_fini(&pool->idle);
	mem_free(pool);
}

uint32_t
pool_count(const struct pool *pool)
{
	return pool->count;
}
