/*
 * client_limit — a table of clients, forgotten when they have neither sessions nor a running minute.
 */
#include "smtpd/client_limit.h"

#include "base/mem.h"

#define MINUTE	60000
#define SWEEP	1000

struct client {
	struct hash_node	node;
	uint8_t			key[8];		/* IPv4 behind four zeros, or the /64 */
	int			family;
	uint32_t		sessions;
	uint32_t		begun;		/* in this minute */
	int64_t			minute;		/* when it began */
};

void
client_limit_init(struct client_limit *limit, struct loop *loop)
{
	limit->loop = loop;
	limit->swept = loop_now(loop) - SWEEP;
	hash_init(&limit->clients);
}

static void
forget(struct hash_node *node, void *arg)
{
	struct client_limit *limit = arg;

	hash_remove(&limit->clients, node);
	mem_free(CONTAINER_OF(node, struct client, node));
}

void
client_limit_fini(struct client_limit *limit)
{
	hash_each(&limit->clients, forget, limit);
	hash_fini(&limit->clients);
}

static void
forget_idle(struct hash_node *node, void *arg)
{
	struct client_limit *limit = arg;
	struct client *c = CONTAINER_OF(node, struct client, node);

	if (c->sessions == 0 && loop_now(limit->loop) - c->minute >= MINUTE)
		forget(node, limit);
}

/* Room in a full table, at most once a second: under a flood from everywhere nobody in it is idle, and looking costs time. */
static bool
make_room(struct client_limit *limit)
{
	int64_t now = loop_now(limit->loop);

	if (limit->clients.count >= CLIENTS_MAX && now - limit->swept >= SWEEP) {
		limit->swept = now;
		hash_each(&limit->clients, forget_idle, limit);
	}
	return limit->clients.count < CLIENTS_MAX;
}

static void
key_of(const struct sockaddress *peer, uint8_t key[8], int *family)
{
	struct sockaddress plain = *peer;

	sockaddress_unmap(&plain);
	memset(key, 0, 8);
	*family = plain.any.sa_family;
	if (*family == AF_INET)
		memcpy(key + 4, &plain.v4.sin_addr, 4);
	else
		memcpy(key, &plain.v6.sin6_addr, 8);
}

static struct client *
find(struct client_limit *limit, const uint8_t key[8], int family, uint64_t hash)
{
	for (struct hash_node *n = hash_first(&limit->clients, hash); n != NULL; n = hash_next(n)) {
		struct client *c = CONTAINER_OF(n, struct client, node);

		if (c->family == family && memcmp(c->key, key, sizeof(c->key)) == 0)
			return c;
	}
	return NULL;
}

static struct client *
find_or_add(struct client_limit *limit, const struct sockaddress *peer)
{
	uint8_t key[8];
	uint64_t hash;
	struct client *c;
	int family;

	key_of(peer, key, &family);
	hash = hash_slice(slice_of(key, sizeof(key)));
	c = find(limit, key, family, hash);
	if (c != NULL)
		return c;
	if (!make_room(limit) || (c = mem_zalloc(sizeof(*c))) == NULL)
		return NULL;
	memcpy(c->key, key, sizeof(key));
	c->family = family;
	c->minute = loop_now(limit->loop);
	hash_insert(&limit->clients, &c->node, hash);
	return c;
}

enum client_verdict
client_enter(struct client_limit *limit, const struct sockaddress *peer, uint32_t most, uint32_t rate,
    struct client **out, uint32_t *count)
{
	struct client *c;

	*out = NULL;
	*count = 0;
	if (most == 0 && rate == 0)
		return CLIENT_OK;
	c = find_or_add(limit, peer);
	if (c == NULL)
		return CLIENT_OK;
	if (loop_now(limit->loop) - c->minute >= MINUTE) {
		c->minute = loop_now(limit->loop);
		c->begun = 0;
	}
	if (c->begun < UINT32_MAX)
		c->begun++;
	*count = c->begun;
	if (rate > 0 && c->begun > rate)
		return CLIENT_TOO_OFTEN;
	*count = c->sessions + 1;
	if (most > 0 && c->sessions >= most)
		return CLIENT_TOO_MANY;
	c->sessions++;
	*out = c;
	return CLIENT_OK;
}

void
client_leave(struct client_limit *limit, struct client **cp)
{
	struct client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	c->sessions--;
	forget_idle(&c->node, limit);
}
