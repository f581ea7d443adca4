/*
 * operator — people look into the queue and steer it: list, show, cat, hold, release, retry, delete.
 *
 * Anybody on the machine may list, as with Postfix; to read content or change anything takes root or our own uid, which the kernel
 * tells (SO_PEERCRED). A listing streams: it stops while the tool does not read, and steps over messages that end meanwhile.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/queue.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/channel.h"

#define CLIENTS_MAX	64
#define PENDING_MAX	(256 * 1024)	/* bytes queued to a tool before a listing rests */
#define ITEM_ARENA_MAX	(4 * 1024 * 1024)
#define CAT_PIECE	(64 * 1024)

struct request;
struct verb;

struct client {			/* a tool's connection */
	TAILQ_ENTRY(client)	 link;
	struct operators	*all;
	struct channel		*channel;
	bool			 may_change;
	bool			 listing;
	struct message		*cursor;	/* the next one to show */
	struct slice		 domain;	/* of a listing by @domain; in the arena */
	uint32_t		 shown;
	struct arena		 arena;
	struct discard		 discard;
};

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

static void
client_free(void *arg)
{
	struct client *c = arg;

	arena_fini(&c->arena);
	mem_free(c);
}

static void
client_close(struct client *c)
{
	TAILQ_REMOVE(&c->all->clients, c, link);
	c->all->count--;
	channel_close(&c->channel);
	loop_discard(c->all->queue->loop, &c->discard, client_free, c);
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

/* --- answers ----------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
say_outcome(struct client *c, bool ok, const char *format, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, CONTROL_TEXT_MAX);
	va_start(ap, format);
	(void)buf_vprintf(&text, format, ap);
	va_end(ap);
	control_text_put(channel_begin(c->channel, CONTROL_OUTCOME),
	    &(struct control_text){ .ok = ok, .text = buf_slice(&text) });
	(void)channel_end(c->channel);
	buf_fini(&text);
}

static const char *
why(const struct queue *q, const struct message *m, uint32_t i)
{
	const struct place *place = &m->places[i];

	if (m->envelope.recipients[i].fate.flags & FATE_HELD)
		return "held by an operator";
	switch (place->stage) {
	case STAGE_JOB:
		return place->job == NULL ? "being scheduled" : schedule_why(q->schedule, place->job);
	case STAGE_FINAL:
		return "done";
	case STAGE_STUCK:
		return "postmaster has no mailbox";
	default:
		return place->routing != NULL ? "asking where it goes" : "address lookup is not available";
	}
}

static bool
is_active(const struct place *place)
{
	return place->stage == STAGE_JOB && place->job != NULL &&
	    (place->job->state == JOB_ACTIVE || place->job->state == JOB_READY);
}

static void
fill_recipient(const struct queue *q, const struct message *m, uint32_t i, struct queue_item_recipient *out)
{
	const struct recipient *rcpt = &m->envelope.recipients[i];

	*out = (struct queue_item_recipient){ .address = rcpt->address, .original = rcpt->original, .fate = rcpt->fate,
	    .active = is_active(&m->places[i]), .nexthop = m->places[i].nexthop, .why = slice_str(why(q, m, i)) };
	if (out->nexthop.p == NULL)
		out->nexthop = slice_of("", 0);
}

/* One ITEM with the recipients from *at on that are to be shown; *at moves behind the last of them. */
static void
send_part(struct client *c, const struct message *m, bool everything, uint32_t *at)
{
	const struct queue *q = c->all->queue;
	struct queue_item item = { .id = m->id, .size = m->envelope.size, .arrival_ms = m->envelope.arrival_ms,
	    .expiry_ms = queue_expiry_ms(q, m), .sender = m->envelope.reverse_path, .held = message_held(m) };
	uint32_t left = m->envelope.count - *at;

	arena_reset(&c->all->item);
	item.recipients = arena_array(&c->all->item, left < ITEM_RECIPIENTS_MAX ? left : ITEM_RECIPIENTS_MAX,
	    sizeof(*item.recipients));
	for (; item.recipients != NULL && *at < m->envelope.count && item.count < ITEM_RECIPIENTS_MAX; (*at)++) {
		if (!everything && m->places[*at].stage == STAGE_FINAL)
			continue;
		fill_recipient(q, m, *at, &item.recipients[item.count]);
		item.active = item.active || item.recipients[item.count].active;
		item.count++;
	}
	queue_item_put(channel_begin(c->channel, CONTROL_ITEM), &item);
	(void)channel_end(c->channel);
}

static void
send_item(struct client *c, const struct message *m, bool everything)
{
	uint32_t at = 0, before;

	do {
		before = at;
		send_part(c, m, everything, &at);
	} while (at < m->envelope.count && at > before);
}

/* --- which messages ---------------------------------------------------------------------------- */

static bool
ends_with_domain(struct slice address, struct slice domain)
{
	return address.len > domain.len && address.p[address.len - domain.len - 1] == '@' &&
	    slice_caseeq(slice_of(address.p + address.len - domain.len, domain.len), domain);
}

static bool
goes_to_domain(const struct message *m, struct slice domain)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].stage != STAGE_FINAL &&
		    ends_with_domain(m->envelope.recipients[i].address, domain))
			return true;
	return false;
}

static bool
matches(const struct message *m, struct slice arg)
{
	if (slice_eq(arg, SLICE_LIT("all")))
		return true;
	return arg.len > 1 && arg.p[0] == '@' && goes_to_domain(m, slice_of(arg.p + 1, arg.len - 1));
}

/* Calls `each` for every message that the arguments name. -1: an argument names none, and the client was told. */
static int
each_named(struct client *c, const struct operator_request *request, void (*each)(struct queue *, struct message *),
    uint32_t *count)
{
	struct queue *q = c->all->queue;
	struct message *m, *next;

	for (uint32_t i = 0; i < request->count; i++) {
		struct slice arg = request->args[i];
		queue_id id;

		if (slice_eq(arg, SLICE_LIT("all")) || (arg.len > 1 && arg.p[0] == '@')) {
			TAILQ_FOREACH_SAFE(m, &q->all, all, next)
				if (!m->deleted && matches(m, arg)) {
					each(q, m);
					(*count)++;
				}
			continue;
		}
		m = queue_id_parse(arg, &id) == 0 ? queue_find(q, id) : NULL;
		if (m == NULL || m->deleted) {
			say_outcome(c, false, "%.*s: no such message; ids look like 0000000H00042, or use @domain or all",
			    arg.len < 40 ? (int)arg.len : 40, arg.p);
			return -1;
		}
		each(q, m);
		(*count)++;
	}
	return 0;
}

/* --- verbs that change ------------------------------------------------------------------------- */

static void
log_operator(const struct message *m, const char *words)
{
	log_event(EVENT_OPERATOR, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_STR(KEY_TEXT, words));
}

static void
set_held(struct queue *q, struct message *m, bool held)
{
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		struct fate *fate = &m->envelope.recipients[i].fate;

		if (m->places[i].stage == STAGE_FINAL)
			continue;
		fate->flags = held ? fate->flags | FATE_HELD : fate->flags & ~(uint32_t)FATE_HELD;
		if (!held && m->places[i].stage == STAGE_STUCK)
			m->places[i].stage = STAGE_NONE;
		m->places[i].dirty = true;
	}
	schedule_review(q->schedule, m);
	queue_route(q, m);
	queue_settle(q, m);
}

static void
hold(struct queue *q, struct message *m)
{
	log_operator(m, "placed on hold");
	set_held(q, m, true);
}

static void
release(struct queue *q, struct message *m)
{
	log_operator(m, "released from hold");
	set_held(q, m, false);
}

static void
retry(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].stage != STAGE_FINAL) {
			m->envelope.recipients[i].fate.next_ms = 0;
			if (m->places[i].nexthop.len > 0)
				schedule_resume(q->schedule, m->places[i].nexthop);
		}
	log_operator(m, "requeued");
	schedule_review(q->schedule, m);
	queue_route(q, m);
}

static void
cancel_job(struct job *job, void *arg)
{
	struct queue *q = arg;

	if (job->state == JOB_ACTIVE)
		agents_cancel(q->agents, job);
	else if (job->state != JOB_SETTLING)
		queue_drop_job(q, job);
}

static void
delete(struct queue *q, struct message *m)
{
	log_operator(m, "removed by an operator");
	m->deleted = true;
	queue_unroute(q, m);
	schedule_each_job(m, cancel_job, q);
	queue_settle(q, m);
}

/* --- verbs that look --------------------------------------------------------------------------- */

static void
send_more(struct client *c)
{
	while (c->listing && c->cursor != NULL && channel_pending(c->channel) < PENDING_MAX) {
		struct message *m = c->cursor;

		c->cursor = TAILQ_NEXT(m, all);
		if (m->deleted || (c->domain.len > 0 && !goes_to_domain(m, c->domain)))
			continue;
		send_item(c, m, false);
		c->shown++;
	}
	if (c->listing && c->cursor == NULL) {
		c->listing = false;
		say_outcome(c, true, "%u messages", c->shown);
	}
}

static void
list(struct client *c, const struct operator_request *request)
{
	struct slice domain = slice_of("", 0);

	if (request->count > 0 && request->args[0].len > 1 && request->args[0].p[0] == '@')
		domain = slice_of(request->args[0].p + 1, request->args[0].len - 1);
	arena_reset(&c->arena);
	c->domain = arena_slice(&c->arena, domain);
	if (c->domain.p == NULL) {
		say_outcome(c, false, "no memory");
		return;
	}
	c->cursor = TAILQ_FIRST(&c->all->queue->all);
	c->listing = true;
	c->shown = 0;
	send_more(c);
}

static struct message *
named(struct client *c, const struct operator_request *request)
{
	struct message *m = NULL;
	queue_id id;

	if (request->count == 1 && queue_id_parse(request->args[0], &id) == 0)
		m = queue_find(c->all->queue, id);
	if (m == NULL)
		say_outcome(c, false, "no such message: say the id that mailq shows");
	return m;
}

static void
show(struct client *c, const struct operator_request *request)
{
	struct message *m = named(c, request);

	if (m == NULL)
		return;
	send_item(c, m, true);
	say_outcome(c, true, "1 message");
}

static void
send_bytes(struct client *c, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < CONTROL_TEXT_MAX ? bytes.len : CONTROL_TEXT_MAX;

		control_text_put(channel_begin(c->channel, CONTROL_BYTES),
		    &(struct control_text){ .ok = true, .text = slice_of(bytes.p, n) });
		if (channel_end(c->channel) == -1)
			return;
		slice_drop(&bytes, n);
	}
}

static void
cat(struct client *c, const struct operator_request *request)
{
	struct message *m = named(c, request);
	char *piece = m == NULL ? NULL : mem_alloc(CAT_PIECE);
	uint32_t size = m == NULL ? 0 : m->envelope.size;
	struct err err = { 0 };

	if (m != NULL && c->all->queue->store == NULL)
		size = 0;		/* stopped: the disk is closed */
	for (uint32_t at = 0; piece != NULL && at < size; at += CAT_PIECE) {
		size_t n = size - at < CAT_PIECE ? size - at : CAT_PIECE;

		if (stored_read(m->stored, at, piece, n, &err) == -1) {
			say_outcome(c, false, "its content cannot be read: %s", err.text);
			mem_free(piece);
			return;
		}
		send_bytes(c, slice_of(piece, n));
	}
	if (piece != NULL)
		say_outcome(c, true, "%u bytes", size);
	else if (m != NULL)
		say_outcome(c, false, "no memory");
	mem_free(piece);
}

/* --- requests ---------------------------------------------------------------------------------- */

static const struct verb {
	const char	*name;
	bool		 changes;	/* for root and ourselves only */
	void		(*look)(struct client *, const struct operator_request *);
	void		(*each)(struct queue *, struct message *);
	const char	*done;
} verbs[] = {
	{ "list",    false, list, NULL,    NULL },
	{ "show",    false, show, NULL,    NULL },
	{ "cat",     true,  cat,  NULL,    NULL },
	{ "hold",    true,  NULL, hold,    "placed on hold" },
	{ "release", true,  NULL, release, "released from hold" },
	{ "retry",   true,  NULL, retry,   "to be tried at once" },
	{ "delete",  true,  NULL, delete,  "deleted" },
};

static void
change(struct client *c, const struct verb *verb, const struct operator_request *request)
{
	uint32_t count = 0;

	if (request->count == 0)
		say_outcome(c, false, "%s what? Say ids, @domain or all", verb->name);
	else if (each_named(c, request, verb->each, &count) == 0)
		say_outcome(c, true, "%u message%s %s", count, count == 1 ? "" : "s", verb->done);
}

static int
on_request(void *arg, struct reader *r, int fd)
{
	struct client *c = arg;
	struct operator_request request;

	(void)fd;
	if (operator_request_get(r, &request) == -1 || c->listing)
		return -1;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *verb = &verbs[i];

		if (!slice_eq(request.verb, slice_str(verb->name)))
			continue;
		if (verb->changes && !c->may_change)
			say_outcome(c, false, "only root may do that");
		else if (verb->look != NULL)
			verb->look(c, &request);
		else
			change(c, verb, &request);
		return 0;
	}
	say_outcome(c, false, "the queue knows no such verb");
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
	send_more(arg);
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

	if (c == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1) {
		mem_free(c);
		fd_close(&fd);
		return;
	}
	c->all = o;
	c->may_change = peer.uid == 0 || peer.uid == geteuid();
	arena_init(&c->arena, 4096);
	c->channel = channel_open(o->queue->loop, fd, &channel_ops, c, NULL);
	if (c->channel == NULL) {
		mem_free(c);
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
operators_forget(struct operators *o, struct message *m)
{
	struct client *c;

	TAILQ_FOREACH(c, &o->clients, link)
		if (c->cursor == m)
			c->cursor = TAILQ_NEXT(m, all);
}
