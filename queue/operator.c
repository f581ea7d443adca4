/*
 * operator — people look into the queue and steer it: list, show, cat, count, hold, release, retry, delete, pin, unpin.
 *
 * Anybody on the machine may list, as with Postfix; to read content or change anything takes root or our own uid, which the kernel
 * tells (SO_PEERCRED). What the verbs do is in listing.c, steer.c and pinning.c.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/client.h"

#include "base/fd.h"
#include "base/mem.h"
#include "mail/address.h"

#define CLIENTS_MAX	64
#define ITEM_ARENA_MAX	(4 * 1024 * 1024)
#define ORDERS_MAX	64
#define ORDERS_RUN	4		/* at once */
#define ORDER_AGAIN	INT64_C(60000)	/* ms from the end of an order until the same is carried out again */
#define REQUEST_MAX	(OPERATOR_ARGS_MAX * (OPERATOR_ARG_MAX + 16) + 4096)

struct operators {
	struct queue		*queue;
	struct watch		 watch;
	int			 fd;
	TAILQ_HEAD(, client)	 clients;
	uint32_t		 count;
	struct arena		 item;		/* of the ITEM in the making */
	struct order		 orders[ORDERS_MAX];	/* our own of the last minute */
	uint32_t		 running;		/* of them: their clients are none that a tool could not be */
};

struct operators *
operators_new(struct queue *q, struct err *err)
{
	struct operators *o = mem_zalloc(sizeof(*o));

	if (o == NULL) {
		(void)err_set(err, "no memory for the operator's socket");
		return NULL;
	}
	o->queue = q;
	o->fd = -1;
	TAILQ_INIT(&o->clients);
	arena_init(&o->item, ITEM_ARENA_MAX);
	return o;
}

/* --- a client comes and goes ------------------------------------------------------------------- */

static void
client_free(void *arg)
{
	struct client *c = arg;

	timer_fini(&c->pause);
	idset_fini(&c->shown);
	idset_fini(&c->unsettled);
	arena_fini(&c->arena);
	mem_free(c);
}

static void
client_close(struct client *c)
{
	TAILQ_REMOVE(&c->all->clients, c, link);
	c->gone = true;
	if (c->own != NULL) {
		c->own->ended = loop_now(c->queue->loop);
		c->own->runs = false;
		c->all->running--;
	} else {
		c->all->count--;
	}
	pinning_end(c);
	channel_close(&c->channel);
	timer_stop(&c->pause);
	if (!c->busy)
		loop_discard(c->queue->loop, &c->discard, client_free, c);
}

bool
client_is_back(struct client *c)
{
	c->busy = false;
	if (!c->gone)
		return true;
	loop_discard(c->queue->loop, &c->discard, client_free, c);
	return false;
}

void
client_done(struct client *c)
{
	if (c->own != NULL && !c->gone)
		client_close(c);
}

void
operators_free(struct operators **op)
{
	struct operators *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	while (!TAILQ_EMPTY(&o->clients))
		client_close(TAILQ_FIRST(&o->clients));
	watch_stop(&o->watch);
	fd_close(&o->fd);
	arena_fini(&o->item);
	mem_free(o);
}

void __attribute__((format(printf, 3, 4)))
client_say(struct client *c, bool ok, const char *format, ...)
{
	struct buf text;
	va_list ap;

	if (c->channel == NULL && c->own == NULL)
		return;
	buf_init(&text, CONTROL_TEXT_MAX);
	va_start(ap, format);
	(void)buf_vprintf(&text, format, ap);
	va_end(ap);
	if (c->own != NULL) {
		log_info("retry %.*s: %s", SLICE_FMT(c->args[0]), buf_cstr(&text));
		buf_fini(&text);
		return;
	}
	control_text_put(channel_begin(c->channel, CONTROL_OUTCOME),
	    &(struct control_text){ .ok = ok, .text = buf_slice(&text) });
	(void)channel_end(c->channel);
	buf_fini(&text);
}

bool
client_domain(struct slice arg, struct slice *domain)
{
	*domain = slice_of("", 0);
	if (slice_eq(arg, SLICE_LIT("all")))
		return true;
	if (arg.len < 2 || arg.p[0] != '@')
		return false;
	*domain = slice_of(arg.p + 1, arg.len - 1);
	return true;
}

/* --- requests ---------------------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{ "list",    false, listing_list,  NULL,          NULL },
	{ "count",   false, listing_count, NULL,          NULL },
	{ "show",    false, listing_show,  NULL,          NULL },
	{ "cat",     true,  listing_cat,   NULL,          NULL },
	{ "pin",     true,  pinning_pin,   NULL,          NULL },
	{ "unpin",   true,  pinning_unpin, NULL,          NULL },
	{ "hold",    true,  NULL,          steer_hold,    "placed on hold" },
	{ "release", true,  NULL,          steer_release, "released from hold" },
	{ "retry",   true,  NULL,          steer_retry,   "to be tried at once" },
	{ "delete",  true,  NULL,          steer_delete,  "deleted" },
};

static const struct verb *
verb_named(struct slice name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (slice_eq(name, slice_str(verbs[i].name)))
			return &verbs[i];
	return NULL;
}

static int
on_request(void *arg, struct reader *r, int fd)
{
	struct client *c = arg;
	struct operator_request request;
	const struct verb *verb;

	(void)fd;
	if (operator_request_get(r, &request) == -1 || c->looking != LOOKING_NONE || c->verb != NULL || c->busy)
		return -1;
	verb = verb_named(request.verb);
	arena_reset(&c->arena);
	c->count = 0;
	if (verb == NULL)
		client_say(c, false, "the queue knows no such verb");
	else if (c->queue->store == NULL)
		client_say(c, false, "the queue is stopping");
	else if (verb->changes && !c->may_change)
		client_say(c, false, "only root may do that");
	else if (verb->look != NULL)
		verb->look(c, &request);
	else
		steer(c, verb, &request);
	return 0;
}

static void
client_ended(void *arg, const char *reason)
{
	(void)reason;
	client_close(arg);
}

static void
client_drained(void *arg)
{
	listing_go_on(arg);
}

static const struct frame_handler handlers[CONTROL_FRAME_COUNT] = {
	[CONTROL_OPERATOR] = { "operator", on_request, false },
};

static const struct channel_ops channel_ops = {
	.wire = "control",
	.version = CONTROL_VERSION,
	.handlers = handlers,
	.handler_count = CONTROL_FRAME_COUNT,
	.on_end = client_ended,
	.on_drained = client_drained,
};

/* In no list yet. NULL: no memory. */
static struct client *
client_new(struct operators *o)
{
	struct client *c = mem_zalloc(sizeof(*c));

	if (c == NULL || timer_init(&c->pause, o->queue->loop, steer_go_on, c) == -1) {
		mem_free(c);
		return NULL;
	}
	c->all = o;
	c->queue = o->queue;
	c->item = &o->item;
	arena_init(&c->arena, REQUEST_MAX);
	idset_init(&c->shown);
	idset_init(&c->unsettled);
	return c;
}

static void
client_connect(struct operators *o, int fd)
{
	struct client *c = o->count < CLIENTS_MAX ? client_new(o) : NULL;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (c == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1) {
		fd_close(&fd);
		if (c != NULL)
			client_free(c);
		return;
	}
	c->may_change = peer.uid == 0 || peer.uid == geteuid();
	c->channel = channel_open(o->queue->loop, fd, &channel_ops, c, NULL);
	if (c->channel == NULL) {
		client_free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&o->clients, c, link);
	o->count++;
}

static void
on_connect(void *arg, int what)
{
	struct operators *o = arg;
	int fd = accept4(o->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd != -1)
		client_connect(o, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_warn("a tool could not connect: %s", strerror(errno));
}

void
operators_listen(struct operators *o, int fd)
{
	watch_stop(&o->watch);
	fd_close(&o->fd);
	o->fd = fd;
	if (fd_nonblock(fd) == -1 || watch_start(&o->watch, o->queue->loop, fd, WATCH_READ, on_connect, o) == -1)
		log_error("no memory to listen for operators");
}

static bool
is_fresh(const struct operators *o, const struct order *order)
{
	return order->runs || (order->ended != 0 && loop_now(o->queue->loop) - order->ended < ORDER_AGAIN);
}

/* The order of that domain, or the place of one that is long over; NULL: all are fresh. */
static struct order *
order_of(struct operators *o, uint64_t hash)
{
	struct order *free_one = NULL;

	for (size_t i = 0; i < ORDERS_MAX; i++) {
		if (o->orders[i].hash == hash && is_fresh(o, &o->orders[i]))
			return &o->orders[i];
		if (!is_fresh(o, &o->orders[i]))
			free_one = &o->orders[i];
	}
	return free_one;
}

static int
give_order(struct operators *o, struct order *order, struct slice domain)
{
	char name[DOMAIN_MAX + 2];
	struct operator_request request = { .count = 1 };
	struct client *c = o->running < ORDERS_RUN ? client_new(o) : NULL;

	if (c == NULL)
		return -1;
	order->hash = hash_slice_nocase(domain);
	order->runs = true;
	c->own = order;
	TAILQ_INSERT_TAIL(&o->clients, c, link);
	o->running++;
	(void)snprintf(name, sizeof(name), "@%.*s", SLICE_FMT(domain));
	request.args[0] = slice_str(name);
	steer(c, verb_named(SLICE_LIT("retry")), &request);
	return 0;
}

int
operators_retry(struct operators *o, struct slice domain)
{
	struct order *order = order_of(o, hash_slice_nocase(domain));

	if (order == NULL)
		return -1;
	return is_fresh(o, order) ? 0 : give_order(o, order, domain);
}

void
operators_woken(struct operators *o, struct message *m)
{
	struct client *c;

	TAILQ_FOREACH(c, &o->clients, link)
		steer_woken(c, m);
}

void
operators_forget(struct operators *o, struct message *m)
{
	struct client *c;

	TAILQ_FOREACH(c, &o->clients, link)
		if (c->cursor == m)
			c->cursor = TAILQ_NEXT(m, all);
}
