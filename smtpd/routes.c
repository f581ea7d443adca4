/*
 * routes — see routes.h.
 */
#include "smtpd/routes.h"

#include <bsd/sys/queue.h>

#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"

struct entry {
	struct hash_node	 node;
	TAILQ_ENTRY(entry)	 age;
	int64_t			 until;
	enum route_verdict	 verdict;
	size_t			 len;
	char			 address[];
};

struct routes {
	struct loop		*loop;
	struct channel		*channel;
	struct timer		 patience;
	struct timer		 gap;		/* set: the wire has ended a moment ago, and questions wait for the next */
	struct buf		 question;	/* a frame in the making */
	struct hash		 asks;		/* by serial */
	struct routes_ask	*oldest, *newest;
	uint64_t		 serial;
	struct hash		 cache;		/* by address */
	TAILQ_HEAD(, entry)	 ages;		/* oldest first */
	uint64_t		 generation;
	struct arena		 arena;		/* of the answer in hand */
};

static int	on_routes(void *, struct reader *, int);
static int	on_sender_of(void *, struct reader *, int);
static int	on_generation(void *, struct reader *, int);
static void	on_end(void *, const char *);
static void	too_late(void *);
static void	fail_all(void *);

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTES]		= { "routes",		on_routes,	false },
	[LOOKUP_SENDER_OF]	= { "sender of",	on_sender_of,	false },
	[LOOKUP_GENERATION]	= { "generation",	on_generation,	false },
};

static const struct channel_ops ops = {
	.wire = "lookup",
	.version = LOOKUP_VERSION,
	.handlers = handlers,
	.handler_count = LOOKUP_FRAME_COUNT,
	.on_end = on_end,
};

struct routes *
routes_new(struct loop *loop, struct err *err)
{
	struct routes *r = mem_zalloc(sizeof(*r));

	if (r == NULL || timer_init(&r->patience, loop, too_late, r) == -1 || timer_init(&r->gap, loop, fail_all, r) == -1) {
		(void)err_set(err, "no memory for the lookup wire");
		if (r != NULL)
			timer_fini(&r->patience);
		mem_free(r);
		return NULL;
	}
	buf_init(&r->question, FRAME_MAX);
	r->loop = loop;
	hash_init(&r->asks);
	hash_init(&r->cache);
	TAILQ_INIT(&r->ages);
	arena_init(&r->arena, FRAME_MAX);
	return r;
}

static void
forget(struct routes *r, struct entry *e)
{
	hash_remove(&r->cache, &e->node);
	TAILQ_REMOVE(&r->ages, e, age);
	mem_free(e);
}

static void
forget_all(struct routes *r)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&r->ages)) != NULL)
		forget(r, e);
}

void
routes_free(struct routes **rp)
{
	struct routes *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	channel_close(&r->channel);
	timer_fini(&r->patience);
	timer_fini(&r->gap);
	buf_fini(&r->question);
	forget_all(r);
	hash_fini(&r->asks);
	hash_fini(&r->cache);
	arena_fini(&r->arena);
	mem_free(r);
}

/* Takes a question out of flight. */
static void
unhook(struct routes *r, struct routes_ask *ask)
{
	hash_remove(&r->asks, &ask->node);
	*(ask->older != NULL ? &ask->older->newer : &r->oldest) = ask->newer;
	*(ask->newer != NULL ? &ask->newer->older : &r->newest) = ask->older;
	ask->older = ask->newer = NULL;
	ask->serial = 0;
	mem_free(ask->frame);
	ask->frame = NULL;
}

static void
answer(struct routes *r, struct routes_ask *ask, const struct route_answer *a)
{
	unhook(r, ask);
	ask->fn(ask->arg, a);
}

static void
answer_sender(struct routes *r, struct routes_ask *ask, const struct sender_answer *a)
{
	unhook(r, ask);
	ask->sender(ask->arg, a);
}

/* Trouble. */
static void
fail(struct routes *r, struct routes_ask *ask)
{
	if (ask->sender != NULL)
		answer_sender(r, ask, NULL);
	else
		answer(r, ask, NULL);
}

static void
fail_all(void *arg)
{
	struct routes *r = arg;

	while (r->oldest != NULL)
		fail(r, r->oldest);
}

static void
on_end(void *arg, const char *why)
{
	struct routes *r = arg;

	log_warn("lookup wire: %s", why);
	channel_close(&r->channel);
	timer_set(&r->gap, ROUTES_GAP);
}

/* A wire that does not take it ends soon, and the question is asked again on the next. */
static void
send_question(struct routes *r, const struct routes_ask *ask)
{
	if (r->channel == NULL)
		return;
	(void)buf_append(channel_begin(r->channel, ask->type), ask->frame, ask->len);
	(void)channel_end(r->channel);
}

void
routes_wire(struct routes *r, int fd)
{
	struct err err;

	channel_close(&r->channel);
	timer_stop(&r->gap);
	forget_all(r);			/* a new lookup process counts its generations anew */
	r->generation = 0;
	r->channel = channel_open(r->loop, fd, &ops, r, &err);
	if (r->channel == NULL)
		log_error("lookup wire: %s", err.text);
	for (const struct routes_ask *ask = r->oldest; ask != NULL; ask = ask->newer)
		send_question(r, ask);
}

bool
routes_wired(const struct routes *r)
{
	return r->channel != NULL;
}

/* Questions are in order of age and all have the same patience: one timer, for the oldest. */
static void
too_late(void *arg)
{
	struct routes *r = arg;

	while (r->oldest != NULL && r->oldest->due <= loop_now(r->loop)) {
		log_warn("lookup gave no answer within %d s", ROUTES_PATIENCE / 1000);
		fail(r, r->oldest);
	}
	if (r->oldest != NULL)
		timer_set(&r->patience, r->oldest->due - loop_now(r->loop));
}

/* Puts the question in flight whose frame is in r->question. -1: nobody would answer it, or no memory. */
static int
hook(struct routes *r, struct routes_ask *ask, const struct routes_ask *about)
{
	struct slice frame = buf_slice(&r->question);
	char *kept = r->question.failed || (r->channel == NULL && !timer_is_set(&r->gap)) ? NULL : mem_dup(frame.p, frame.len);

	if (kept == NULL)
		return -1;
	*ask = *about;
	ask->frame = kept;
	ask->len = frame.len;
	ask->older = r->newest;
	ask->due = loop_now(r->loop) + ROUTES_PATIENCE;
	*(r->newest != NULL ? &r->newest->newer : &r->oldest) = ask;
	r->newest = ask;
	hash_insert(&r->asks, &ask->node, hash_u64(ask->serial));
	if (!timer_is_set(&r->patience))
		timer_set(&r->patience, ROUTES_PATIENCE);
	send_question(r, ask);
	return 0;
}

int
routes_ask(struct routes *r, struct routes_ask *ask, struct slice *addresses, uint32_t count, routes_fn *fn, void *arg)
{
	struct route_question question = { .serial = ++r->serial, .count = count, .addresses = addresses };

	buf_reset(&r->question);
	route_question_put(&r->question, &question);
	return hook(r, ask, &(struct routes_ask){ .serial = question.serial, .type = LOOKUP_ROUTE, .count = count, .fn = fn, .arg = arg });
}

int
routes_ask_sender(struct routes *r, struct routes_ask *ask, struct sender_question *question, sender_fn *fn, void *arg)
{
	question->serial = ++r->serial;
	buf_reset(&r->question);
	sender_question_put(&r->question, question);
	return hook(r, ask, &(struct routes_ask){ .serial = question->serial, .type = LOOKUP_SENDER, .count = question->count, .sender = fn,
	    .arg = arg });
}

void
routes_cancel(struct routes *r, struct routes_ask *ask)
{
	if (ask->serial != 0)
		unhook(r, ask);
}

static struct routes_ask *
find_ask(struct routes *r, uint64_t serial)
{
	for (struct hash_node *n = hash_first(&r->asks, hash_u64(serial)); n != NULL; n = hash_next(n)) {
		struct routes_ask *ask = CONTAINER_OF(n, struct routes_ask, node);

		if (ask->serial == serial)
			return ask;
	}
	return NULL;
}

static void
see_generation(struct routes *r, uint64_t generation)
{
	if (generation <= r->generation)
		return;
	r->generation = generation;
	forget_all(r);
}

static int
on_routes(void *arg, struct reader *in, int fd)
{
	struct routes *r = arg;
	struct route_answer a;
	struct routes_ask *ask;

	(void)fd;
	arena_reset(&r->arena);
	if (route_answer_get(in, &r->arena, &a) == -1)
		return -1;
	see_generation(r, a.generation);
	ask = find_ask(r, a.serial);
	if (ask == NULL)
		return 0;	/* the client went away, or our patience did */
	if (ask->fn == NULL || ask->count != a.count)
		return -1;
	answer(r, ask, &a);
	return 0;
}

static int
on_sender_of(void *arg, struct reader *in, int fd)
{
	struct routes *r = arg;
	struct sender_answer a;
	struct routes_ask *ask;

	(void)fd;
	if (sender_answer_get(in, &a) == -1)
		return -1;
	ask = find_ask(r, a.serial);
	if (ask == NULL)
		return 0;	/* as above */
	if (ask->sender == NULL || a.which >= ask->count)
		return -1;
	answer_sender(r, ask, &a);
	return 0;
}

static int
on_generation(void *arg, struct reader *in, int fd)
{
	struct routes *r = arg;
	uint64_t generation;

	(void)fd;
	if (lookup_generation_get(in, &generation) == -1)
		return -1;
	see_generation(r, generation);
	return 0;
}

static struct entry *
find_entry(struct routes *r, struct slice address, uint64_t hash)
{
	for (struct hash_node *n = hash_first(&r->cache, hash); n != NULL; n = hash_next(n)) {
		struct entry *e = CONTAINER_OF(n, struct entry, node);

		if (slice_eq(slice_of(e->address, e->len), address))
			return e;
	}
	return NULL;
}

enum route_verdict
routes_known(struct routes *r, struct slice address)
{
	struct entry *e = find_entry(r, address, hash_slice(address));

	if (e == NULL)
		return ROUTE_NONE;
	if (e->until <= loop_now(r->loop)) {
		forget(r, e);
		return ROUTE_NONE;
	}
	return e->verdict;
}

void
routes_learn(struct routes *r, const struct route_answer *a, uint32_t index, struct slice address)
{
	enum route_verdict verdict = a->routes[index].verdict;
	uint64_t hash = hash_slice(address);
	struct entry *e;

	/* An answer from before a change of tables may arrive behind the news of the change. */
	if (a->ttl_ms == 0 || a->generation < r->generation || (verdict != ROUTE_LOCAL && verdict != ROUTE_REMOTE))
		return;
	e = find_entry(r, address, hash);
	if (e != NULL)
		forget(r, e);
	if (r->cache.count >= ROUTES_CACHED)
		forget(r, TAILQ_FIRST(&r->ages));
	e = mem_alloc(sizeof(*e) + address.len);
	if (e == NULL)
		return;		/* a cache may forget */
	memset(e, 0, sizeof(*e));
	e->verdict = verdict;
	e->until = loop_now(r->loop) + a->ttl_ms;
	e->len = address.len;
	memcpy(e->address, address.p, address.len);
	hash_insert(&r->cache, &e->node, hash);
	TAILQ_INSERT_TAIL(&r->ages, e, age);
}

size_t
routes_count(const struct routes *r)
{
	return r->cache.count;
}
