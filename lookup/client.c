/*
 * client — the wire of one process that asks: what needs no worker is answered at once.
 *
 * A client that does not read its answers is not read either. Called by lookup.c.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "lookup/address/sender.h"
#include "lookup/inside.h"

#define PENDING_MAX	(1024 * 1024)	/* bytes of answers not read: then its questions wait */

static void
sent(struct client *client)
{
	if (channel_pending(client->channel) > PENDING_MAX)
		channel_pause(client->channel, true);
}

void
client_send_routes(struct client *client, struct route_answer *answer)
{
	answer->generation = client->lookup->generation;
	route_answer_put(channel_begin(client->channel, LOOKUP_ROUTES), answer);
	(void)channel_end(client->channel);
	sent(client);
}

void
client_send_mailbox(struct client *client, const struct mailbox_answer *answer)
{
	mailbox_answer_put(channel_begin(client->channel, LOOKUP_MAILBOX_OF), answer);
	(void)channel_end(client->channel);
	sent(client);
}

void
client_send_sender(struct client *client, const struct sender_answer *answer)
{
	sender_answer_put(channel_begin(client->channel, LOOKUP_SENDER_OF), answer);
	(void)channel_end(client->channel);
	sent(client);
}

void
client_try_later(struct client *client, uint16_t type, uint64_t serial, uint32_t count)
{
	static const struct route later = { .verdict = ROUTE_TRY_LATER, .status = { 4, 3, 0 } };
	struct slice words = SLICE_LIT("the lookup did not end in time");
	struct route routes[ROUTE_ADDRESSES_MAX];
	struct route_answer answer = { .serial = serial, .count = count, .routes = routes };

	client->lookup->refused++;
	if (type == LOOKUP_MAILBOX) {
		client_send_mailbox(client, &(struct mailbox_answer){ .serial = serial, .verdict = ROUTE_TRY_LATER,
		    .status = later.status, .text = words });
		return;
	}
	if (type == LOOKUP_SENDER) {
		client_send_sender(client, &(struct sender_answer){ .serial = serial, .verdict = SENDER_TRY_LATER });
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		routes[i] = later;
		routes[i].text = words;
	}
	client_send_routes(client, &answer);
}

/* One address without a worker; false when that is not possible. */
static bool
route_at_once(struct lookup *l, struct slice address, struct route *out, uint32_t *ttl)
{
	struct slice nexthop;
	int64_t left;

	if (resolve_known(&l->resolver, address, &l->scratch, out) != ROUTE_NONE)
		return true;
	nexthop = cache_get(l->cache, CACHE_ROUTE, address, loop_now(l->loop), &left);
	if (nexthop.p == NULL || (nexthop = arena_slice(&l->scratch, nexthop)).p == NULL)
		return false;
	*out = (struct route){ .verdict = ROUTE_LOCAL, .transport = TRANSPORT_LOCAL, .nexthop = nexthop };
	if (left < *ttl)
		*ttl = (uint32_t)left;
	l->cached++;
	return true;
}

static int
on_route(void *arg, struct reader *in, int fd)
{
	struct client *client = arg;
	struct lookup *l = client->lookup;
	struct route_answer answer = { .ttl_ms = lookup_ttl_ms(l) };
	struct route_question question;
	struct slice frame = in->in;

	(void)fd;
	arena_reset(&l->scratch);
	if (route_question_get(in, &l->scratch, &question) == -1)
		return -1;
	l->asked++;
	answer.serial = question.serial;
	answer.routes = arena_array(&l->scratch, question.count, sizeof(*answer.routes));
	while (answer.routes != NULL && answer.count < question.count) {
		if (!route_at_once(l, question.addresses[answer.count], &answer.routes[answer.count], &answer.ttl_ms))
			break;
		answer.count++;
	}
	if (answer.routes != NULL && answer.count == question.count)
		client_send_routes(client, &answer);
	else
		lookup_ask(client, LOOKUP_ROUTE, question.serial, question.count, frame);
	return 0;
}

static int
on_mailbox(void *arg, struct reader *in, int fd)
{
	struct client *client = arg;
	struct lookup *l = client->lookup;
	struct mailbox_question question;
	struct mailbox_answer answer;
	struct slice frame = in->in, known;
	int64_t left;

	(void)fd;
	/* Homes and uids are the mailman's business only. */
	if (client->role != ROLE_MDA || mailbox_question_get(in, &question) == -1)
		return -1;
	l->asked++;
	known = cache_get(l->cache, CACHE_MAILBOX, question.address, loop_now(l->loop), &left);
	if (known.p != NULL) {
		struct reader r = reader_of(known);

		if (mailbox_answer_get(&r, &answer) == 0) {
			l->cached++;
			answer.serial = question.serial;
			client_send_mailbox(client, &answer);
			return 0;
		}
	}
	lookup_ask(client, LOOKUP_MAILBOX, question.serial, 1, frame);
	return 0;
}

/* Most write as themselves, and that needs no worker. */
static bool
all_own(struct lookup *l, const struct sender_question *question)
{
	for (uint32_t i = 0; i < question->count; i++)
		if (!sender_is_own(&l->resolver, question->login, question->addresses[i], &l->scratch))
			return false;
	return true;
}

static int
on_sender(void *arg, struct reader *in, int fd)
{
	struct client *client = arg;
	struct lookup *l = client->lookup;
	struct sender_question question;
	struct slice frame = in->in;

	(void)fd;
	arena_reset(&l->scratch);
	/* Who may write as whom is the business of those who have logins. */
	if (client->role != ROLE_SUBMISSION || sender_question_get(in, &question) == -1)
		return -1;
	l->asked++;
	if (all_own(l, &question))
		client_send_sender(client, &(struct sender_answer){ .serial = question.serial, .verdict = SENDER_OWN });
	else
		lookup_ask(client, LOOKUP_SENDER, question.serial, question.count, frame);
	return 0;
}

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTE]   = { "ROUTE", on_route, false },
	[LOOKUP_MAILBOX] = { "MAILBOX", on_mailbox, false },
	[LOOKUP_SENDER]  = { "SENDER", on_sender, false },
};

void
client_drop(struct client *client)
{
	struct lookup *l = client->lookup;
	struct question *q, *next;

	for (q = TAILQ_FIRST(&l->lines.all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, all);
		if (q->client != client)
			continue;
		if (q->given)
			pool_forget(l->pool, q);
		question_drop(&l->lines, q);
	}
	channel_close(&client->channel);
	TAILQ_REMOVE(&l->clients, client, all);
	mem_free(client);
}

static void
on_end(void *arg, const char *why)
{
	struct client *client = arg;

	log_debug("a lookup wire ended: %s", why);
	client_drop(client);
}

static void
on_drained(void *arg)
{
	channel_pause(((struct client *)arg)->channel, false);
}

static const struct channel_ops ops = {
	.wire = "lookup", .version = LOOKUP_VERSION, .handlers = handlers, .handler_count = LOOKUP_FRAME_COUNT,
	.on_end = on_end, .on_drained = on_drained,
};

void
lookup_wire(struct lookup *l, enum wire_role role, int fd)
{
	struct client *client = mem_zalloc(sizeof(*client));
	struct err err;

	if (client == NULL) {
		fd_close(&fd);
		return;		/* whoever asks there sees the end of the wire */
	}
	client->lookup = l;
	client->role = role;
	line_init(&client->line);
	if ((client->channel = channel_open(l->loop, fd, &ops, client, &err)) == NULL) {
		log_error("%s", err.text);
		mem_free(client);
		return;
	}
	TAILQ_INSERT_TAIL(&l->clients, client, all);
}

