/*
 * client_limit — a table of clients, forgotten when they have neither sessions nor a running minute.
 */
#include "smtpd/client_limit.h"

#include <string.h>

#include "base/mem.h"

#define MINUTE	60000
#define SWEEP	1000

struct client_key {
	uint8_t	address[16];	/* its prefix, zeros behind */
	uint8_t	family;
};

struct client {
	struct hash_node	node;
	struct client_key	key;
	uint32_t		sessions;
	uint32_t		done[CHARGE_COUNT];	/* in this minute */
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
mask(uint8_t *address, size_t bits, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			address[i] &= (uint8_t)(0xff00 >> kept);
	}
}

static struct client_key
key_of(const struct sockaddress *peer, const struct client_rules *rules)
{
	struct sockaddress plain = *peer;
	struct client_key key = { .address = { 0 } };

	sockaddress_unmap(&plain);
	key.family = (uint8_t)plain.any.sa_family;
	if (plain.any.sa_family == AF_INET) {
		memcpy(key.address, &plain.v4.sin_addr, 4);
		mask(key.address, rules->bits_ipv4, 4);
	} else {
		memcpy(key.address, &plain.v6.sin6_addr, 16);
		mask(key.address, rules->bits_ipv6, 16);
	}
	return key;
}

static struct client *
find_or_add(struct client_limit *limit, const struct client_key *key)
{
	uint64_t hash = hash_slice(slice_of((const char *)key, sizeof(*key)));
	struct client *c;

	for (struct hash_node *n = hash_first(&limit->clients, hash); n != NULL; n = hash_next(n)) {
		c = CONTAINER_OF(n, struct client, node);
		if (memcmp(&c->key, key, sizeof(*key)) == 0)
			return c;
	}
	if (!make_room(limit) || (c = mem_zalloc(sizeof(*c))) == NULL)
		return NULL;
	c->key = *key;
	c->minute = loop_now(limit->loop);
	hash_insert(&limit->clients, &c->node, hash);
	return c;
}

/* A minute that is over counts no more. */
static void
turn_minute(const struct client_limit *limit, struct client *c)
{
	if (loop_now(limit->loop) - c->minute < MINUTE)
		return;
	c->minute = loop_now(limit->loop);
	memset(c->done, 0, sizeof(c->done));
}

static bool
limits_nothing(const struct client_rules *rules)
{
	uint32_t any = rules->sessions;

	for (size_t i = 0; i < CHARGE_COUNT; i++)
		any |= rules->minute[i];
	return any == 0;
}

bool
client_charge(struct client_limit *limit, struct client *c, enum client_charge what, uint32_t n, const struct client_rules *rules,
    uint32_t *count)
{
	*count = 0;
	if (c == NULL)
		return true;
	turn_minute(limit, c);
	c->done[what] = n > UINT32_MAX - c->done[what] ? UINT32_MAX : c->done[what] + n;
	*count = c->done[what];
	return rules->minute[what] == 0 || c->done[what] <= rules->minute[what];
}

enum client_verdict
client_enter(struct client_limit *limit, const struct sockaddress *peer, const struct client_rules *rules, struct client **out,
    uint32_t *count)
{
	struct client_key key = key_of(peer, rules);
	struct client *c;

	*out = NULL;
	*count = 0;
	if (limits_nothing(rules) || (c = find_or_add(limit, &key)) == NULL)
		return CLIENT_OK;
	if (!client_charge(limit, c, CHARGE_SESSION, 1, rules, count))
		return CLIENT_TOO_OFTEN;
	if (!client_charge(limit, c, CHARGE_ERROR, 0, rules, count))
		return CLIENT_TOO_WRONG;
	*count = c->sessions + 1;
	if (rules->sessions > 0 && c->sessions >= rules->sessions)
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
