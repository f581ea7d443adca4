/*
 * route — the lookup wire from queue's side, and a bounded memory of positive answers.
 */
#include "queue/intake/route.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"

#define KNOWN_MAX	20000		/* remembered answers; the oldest goes */
#define ANSWER_WITHIN	INT64_C(15000)	/* ms; lookup promises 5 s, so this is a lookup in trouble */
#define ARENA_MAX	(1024 * 1024)
#define FRAMES_MAX	8		/* questions under way: lookup refuses a flood */

struct ask {
	TAILQ_ENTRY(ask)	 link;
	uint64_t		 serial;	/* of the frame; 0: not sent yet */
	uint32_t		 nth;		/* within it */
	int64_t			 deadline;
	route_cb		*answer;
	void			*who;		/* NULL: nobody wants to hear any more */
	struct slice		 address;	/* behind the struct */
};
TAILQ_HEAD(asks, ask);

struct known {
	TAILQ_ENTRY(known)	 age;
	struct hash_node	 by_address;
	int64_t			 until;
	struct slice		 address;	/* this and the next hop lie behind the struct */
	struct route		 route;
};

struct routes {
	struct loop		*loop;
	struct channel		*channel;
	struct asks		 waiting, sent;
	struct hash		 known;
	TAILQ_HEAD(, known)	 ages;
	uint64_t		 generation, serial;
	uint32_t		 frames;	/* questions under way */
	struct timer		 timer;
	struct hook		 hook;
	struct arena		 arena;
};

static const struct route trouble = {
	.verdict = ROUTE_TRY_LATER, .status = { 4, 3, 0 }, .text = { "address lookup is not available", 31 }
};

static void send_waiting(void *);
static void check_deadlines(void *);

struct routes *
routes_new(struct loop *loop, struct err *err)
{
	struct routes *rs = mem_zalloc(sizeof(*rs));

	if (rs == NULL || timer_init(&rs->timer, loop, check_deadlines, rs) == -1) {
		(void)err_set(err, "no memory for routing");
		mem_free(rs);
		return NULL;
	}
	rs->loop = loop;
	TAILQ_INIT(&rs->waiting);
	TAILQ_INIT(&rs->sent);
	TAILQ_INIT(&rs->ages);
	hash_init(&rs->known);
	arena_init(&rs->arena, ARENA_MAX);
	return rs;
}

static void
forget_known(struct routes *rs, struct known *k)
{
	hash_remove(&rs->known, &k->by_address);
	TAILQ_REMOVE(&rs->ages, k, age);
	mem_free(k);
}

static void
forget_all(struct routes *rs)
{
	struct known *k;

	while ((k = TAILQ_FIRST(&rs->ages)) != NULL)
		forget_known(rs, k);
}

static void
finish(struct asks *from, struct ask *ask, const struct route *route)
{
	TAILQ_REMOVE(from, ask, link);
	if (ask->who != NULL)
		ask->answer(ask->who, route);
	mem_free(ask);
}

static void
finish_all(struct asks *asks)
{
	while (!TAILQ_EMPTY(asks))
		finish(asks, TAILQ_FIRST(asks), &trouble);
}

void
routes_free(struct routes **rsp)
{
	struct routes *rs = *rsp;

	*rsp = NULL;
	if (rs == NULL)
		return;
	channel_close(&rs->channel);
	finish_all(&rs->sent);
	finish_all(&rs->waiting);
	forget_all(rs);
	hash_fini(&rs->known);
	timer_fini(&rs->timer);
	loop_hook_cancel(rs->loop, &rs->hook);
	arena_fini(&rs->arena);
	mem_free(rs);
}

/* --- remembered answers ------------------------------------------------------------------------ */

static struct known *
find_known(const struct routes *rs, struct slice address)
{
	struct hash_node *n;

	for (n = hash_first(&rs->known, hash_slice(address)); n != NULL; n = hash_next(n))
		if (slice_eq(CONTAINER_OF(n, struct known, by_address)->address, address))
			return CONTAINER_OF(n, struct known, by_address);
	return NULL;
}

const struct route *
routes_known(struct routes *rs, struct slice address)
{
	struct known *k = find_known(rs, address);

	if (k != NULL && k->until < loop_now(rs->loop)) {
		forget_known(rs, k);
		k = NULL;
	}
	return k == NULL ? NULL : &k->route;
}

static void
remember(struct routes *rs, struct slice address, const struct route *route, uint32_t ttl_ms)
{
	struct known *k = find_known(rs, address);

	if (ttl_ms == 0 || (route->verdict != ROUTE_LOCAL && route->verdict != ROUTE_REMOTE))
		return;
	if (k != NULL)
		forget_known(rs, k);
	if (rs->known.count >= KNOWN_MAX)
		forget_known(rs, TAILQ_FIRST(&rs->ages));
	k = mem_zalloc(sizeof(*k) + address.len + route->nexthop.len);
	if (k == NULL)
		return;
	memcpy(k + 1, address.p, address.len);
	if (route->nexthop.len > 0)
		memcpy((char *)(k + 1) + address.len, route->nexthop.p, route->nexthop.len);
	k->address = slice_of(k + 1, address.len);
	k->route = *route;
	k->route.nexthop = slice_of((char *)(k + 1) + address.len, route->nexthop.len);
	k->route.text = slice_of("", 0);
	k->until = loop_now(rs->loop) + ttl_ms;
	hash_insert(&rs->known, &k->by_address, hash_slice(address));
	TAILQ_INSERT_TAIL(&rs->ages, k, age);
}

/* --- asking ------------------------------------------------------------------------------------ */

struct ask *
routes_ask(struct routes *rs, struct slice address, route_cb *answer, void *who)
{
	struct ask *ask = mem_zalloc(sizeof(*ask) + address.len);

	if (ask == NULL)
		return NULL;
	memcpy(ask + 1, address.p, address.len);
	ask->address = slice_of(ask + 1, address.len);
	ask->answer = answer;
	ask->who = who;
	ask->deadline = loop_now(rs->loop) + ANSWER_WITHIN;
	TAILQ_INSERT_TAIL(&rs->waiting, ask, link);
	loop_at_end(rs->loop, &rs->hook, send_waiting, rs);
	return ask;
}

/* One that was sent keeps its place until the answer comes. */
void
routes_forget(struct routes *rs, struct ask **askp)
{
	struct ask *ask = *askp;

	*askp = NULL;
	if (ask == NULL)
		return;
	ask->who = NULL;
	if (ask->serial == 0)
		finish(&rs->waiting, ask, &trouble);
}

/* The last one of its frame: another frame may be sent instead. */
static void
finish_sent(struct routes *rs, struct ask *ask, const struct route *route)
{
	const struct ask *before = TAILQ_PREV(ask, asks, link), *after = TAILQ_NEXT(ask, link);
	bool last = (before == NULL || before->serial != ask->serial) && (after == NULL || after->serial != ask->serial);

	rs->frames -= last && rs->frames > 0 ? 1 : 0;
	finish(&rs->sent, ask, route);
}

static void
set_timer(struct routes *rs)
{
	struct ask *ask = TAILQ_FIRST(&rs->sent);

	if (ask == NULL || (TAILQ_FIRST(&rs->waiting) != NULL && TAILQ_FIRST(&rs->waiting)->deadline < ask->deadline))
		ask = TAILQ_FIRST(&rs->waiting);
	if (ask == NULL)
		timer_stop(&rs->timer);
	else if (!timer_is_set(&rs->timer))
		timer_set(&rs->timer, ask->deadline - loop_now(rs->loop));
}

static void
check_deadlines(void *arg)
{
	struct routes *rs = arg;
	int64_t now = loop_now(rs->loop);
	struct ask *ask;

	while ((ask = TAILQ_FIRST(&rs->sent)) != NULL && ask->deadline <= now)
		finish_sent(rs, ask, &trouble);
	while ((ask = TAILQ_FIRST(&rs->waiting)) != NULL && ask->deadline <= now)
		finish(&rs->waiting, ask, &trouble);
	loop_at_end(rs->loop, &rs->hook, send_waiting, rs);
	set_timer(rs);
}

static void
send_waiting(void *arg)
{
	struct routes *rs = arg;
	struct slice addresses[ROUTE_ADDRESSES_MAX];
	struct route_question question = { .addresses = addresses };
	struct ask *ask;

	while (rs->channel != NULL && rs->frames < FRAMES_MAX && !TAILQ_EMPTY(&rs->waiting)) {
		rs->frames++;
		question.serial = ++rs->serial;
		question.count = 0;
		while ((ask = TAILQ_FIRST(&rs->waiting)) != NULL && question.count < ROUTE_ADDRESSES_MAX) {
			ask->serial = question.serial;
			ask->nth = question.count;
			addresses[question.count++] = ask->address;
			TAILQ_REMOVE(&rs->waiting, ask, link);
			TAILQ_INSERT_TAIL(&rs->sent, ask, link);
		}
		route_question_put(channel_begin(rs->channel, LOOKUP_ROUTE), &question);
		if (channel_end(rs->channel) == -1)
			break;
	}
	set_timer(rs);
}

static void
new_generation(struct routes *rs, uint64_t generation)
{
	if (generation > rs->generation)
		forget_all(rs);
	if (generation > rs->generation)
		rs->generation = generation;
}

static int
on_routes(void *arg, struct reader *r, int fd)
{
	struct routes *rs = arg;
	struct route_answer answer;
	struct ask *ask, *next;
	uint32_t left;

	(void)fd;
	arena_reset(&rs->arena);
	if (route_answer_get(r, &rs->arena, &answer) == -1)
		return -1;
	left = answer.count;
	new_generation(rs, answer.generation);
	for (ask = TAILQ_FIRST(&rs->sent); ask != NULL && left > 0; ask = next) {
		next = TAILQ_NEXT(ask, link);
		if (ask->serial != answer.serial || ask->nth >= answer.count)
			continue;
		left--;
		remember(rs, ask->address, &answer.routes[ask->nth], answer.ttl_ms);
		finish_sent(rs, ask, &answer.routes[ask->nth]);
	}
	send_waiting(rs);
	return 0;
}

static int
on_generation(void *arg, struct reader *r, int fd)
{
	struct routes *rs = arg;
	uint64_t generation = get_u64(r);

	(void)fd;
	if (reader_end(r) == -1)
		return -1;
	new_generation(rs, generation);
	return 0;
}

/* Every question that was under way is asked again when the wire comes back. */
static void
wire_ended(void *arg, const char *why)
{
	struct routes *rs = arg;

	log_warn("the lookup wire is gone: %s; its questions wait", why);
	channel_close(&rs->channel);
	rs->frames = 0;
	for (struct ask *ask = TAILQ_FIRST(&rs->sent); ask != NULL; ask = TAILQ_NEXT(ask, link))
		ask->serial = 0;
	TAILQ_CONCAT(&rs->sent, &rs->waiting, link);
	TAILQ_CONCAT(&rs->waiting, &rs->sent, link);
}

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTES]     = { "routes", on_routes, false },
	[LOOKUP_GENERATION] = { "generation", on_generation, false },
};

static const struct channel_ops channel_ops = {
	.wire = "lookup",
	.version = LOOKUP_VERSION,
	.handlers = handlers,
	.handler_count = LOOKUP_FRAME_COUNT,
	.on_end = wire_ended,
};

int
routes_attach(struct routes *rs, int fd, struct err *err)
{
	if (rs->channel != NULL)
		wire_ended(rs, "it was replaced");
	forget_all(rs);		/* another lookup, other tables */
	rs->generation = 0;
	rs->channel = channel_open(rs->loop, fd, &channel_ops, rs, err);
	if (rs->channel == NULL)
		return -1;
	loop_at_end(rs->loop, &rs->hook, send_waiting, rs);
	return 0;
}
