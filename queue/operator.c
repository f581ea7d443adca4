/*
 * operator — people look into the queue and steer it: list, show, cat, count, hold, release, retry, delete, pin, unpin.
 *
 * Anybody on the machine may list, as with Postfix; to read content or change anything takes root or our own uid, which the kernel
 * tells (SO_PEERCRED). What the verbs do is in listing.c, steer.c and pinning.c.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/client.h"

#include "base/fd.h"
#include "base/mem.h"

#define CLIENTS_MAX	64
#define ITEM_ARENA_MAX	(4 * 1024 * 1024)
#define REQUEST_MAX	(OPERATOR_ARGS_MAX * (OPERATOR_ARG_MAX + 16) + 4096)

struct operators {
	struct queue		*queue;
	struct watch		 watch;
	int			 fd;
	TAILQ_HEAD(, client)	 clients;
	uint32_t		 count;
	struct arena		 item;		/* of the ITEM in the making */
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
	c->all->count--;
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
	if (c->channel != NULL)
		return true;
	loop_discard(c->queue->loop, &c->discard, client_free, c);
	return false;
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

	if (c->channel == NULL)
		return;
	buf_init(&text, CONTROL_TEXT_MAX);
	va_start(ap, format);
	(void)buf_vprintf(&text, format, ap);
	va_end(ap);
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

static int
on_request(void *arg, struct reader *r, int fd)
{
	struct client *c = arg;
	struct operator_request request;

	(void)fd;
	if (operator_request_get(r, &request) == -1 || c->looking != LOOKING_NONE || c->verb != NULL || c->busy)
		return -1;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *verb = &verbs[i];

		if (!slice_eq(request.verb, slice_str(verb->name)))
			continue;
		arena_reset(&c->arena);
		c->count = 0;
		if (c->queue->store == NULL)
			client_say(c, false, "the queue is stopping");
		else if (verb->changes && !c->may_change)
			client_say(c, false, "only root may do that");
		else if (verb->look != NULL)
			verb->look(c, &request);
		else
			steer(c, verb, &request);
		return 0;
	}
	client_say(c, false, "the queue knows no such verb");
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

static void
client_new(struct operators *o, int fd)
{
	struct client *c = o->count < CLIENTS_MAX ? mem_zalloc(sizeof(*c)) : NULL;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (c == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 ||
	    timer_init(&c->pause, o->queue->loop, steer_go_on, c) == -1) {
		mem_free(c);
		fd_close(&fd);
		return;
	}
	c->all = o;
	c->queue = o->queue;
	c->item = &o->item;
	c->may_change = peer.uid == 0 || peer.uid == geteuid();
	arena_init(&c->arena, REQUEST_MAX);
	idset_init(&c->shown);
	idset_init(&c->unsettled);
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
		client_new(o, fd);
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
