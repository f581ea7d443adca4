/*
 * world_lookup — the lookup of a world: whose an address is goes by its first letters, see world.h.
 */
#include "tests/unit/smtpd/world.h"

#include <stdio.h>
#include <sys/socket.h>

#include "tests/support/testing.h"

static void
judge(struct slice address, struct route *out)
{
	const char *at = memrchr(address.p, '@', address.len);		/* a quoted local-part may hold others */
	struct slice local = slice_of(address.p, (size_t)(at - address.p)), domain = slice_of(at + 1, address.len - local.len - 1);

	*out = (struct route){ .verdict = ROUTE_UNKNOWN, .status = STATUS(5, 1, 1), .text = SLICE_LIT(""), .nexthop = SLICE_LIT("") };
	if (!slice_eq(domain, SLICE_LIT("example.net")) && !slice_eq(domain, SLICE_LIT("mx.example.net"))) {
		*out = (struct route){ .verdict = ROUTE_REMOTE, .transport = TRANSPORT_RELAY, .nexthop = domain, .text = SLICE_LIT("") };
	} else if (slice_starts(local, SLICE_LIT("user")) || slice_caseeq(local, SLICE_LIT("postmaster"))) {
		*out = (struct route){ .verdict = ROUTE_LOCAL, .transport = TRANSPORT_LOCAL, .nexthop = address, .text = SLICE_LIT("") };
	} else if (slice_starts(local, SLICE_LIT("later"))) {
		out->verdict = ROUTE_TRY_LATER;
		out->status = STATUS(4, 3, 0);
	} else if (slice_starts(local, SLICE_LIT("odd"))) {
		out->verdict = ROUTE_INVALID;
		out->status = STATUS(5, 1, 2);
		out->text = SLICE_LIT("odd\r\nnews");
	}
}

void
world_answer(struct world *w)
{
	struct route_answer answer = { .serial = w->held_serial, .generation = w->generation, .ttl_ms = w->ttl_ms,
	    .count = w->held_count, .routes = w->held_routes };

	route_answer_put(channel_begin(w->lookup, LOOKUP_ROUTES), &answer);
	assert_int_equal(channel_end(w->lookup), 0);
}

static int
lookup_route(void *arg, struct reader *r, int fd)
{
	static char domains[ROUTE_ADDRESSES_MAX][400];
	struct world *w = arg;
	struct arena arena = { .max = 1 << 20 };
	struct route_question question;

	(void)fd;
	assert_int_equal(route_question_get(r, &arena, &question), 0);
	w->questions++;
	w->asked += question.count;
	w->held_serial = question.serial;
	w->held_count = question.count;
	for (uint32_t i = 0; i < question.count; i++) {
		judge(question.addresses[i], &w->held_routes[i]);
		/* the frame goes, a held answer stays */
		snprintf(domains[i], sizeof(domains[i]), "%.*s", SLICE_FMT(w->held_routes[i].nexthop));
		w->held_routes[i].nexthop = slice_str(domains[i]);
	}
	arena_fini(&arena);
	if (!w->hold_answers)
		world_answer(w);
	return 0;
}

/* Everybody is who his login says; later* is trouble. */
static int
lookup_sender(void *arg, struct reader *r, int fd)
{
	struct sender_answer answer = { .verdict = SENDER_OWN };
	struct world *w = arg;
	struct sender_question question;

	(void)fd;
	assert_int_equal(sender_question_get(r, &question), 0);
	w->senders_asked += question.count;
	if (w->hold_answers)
		return 0;
	answer.serial = question.serial;
	for (uint32_t i = 0; i < question.count && answer.verdict == SENDER_OWN; i++) {
		struct slice domain, local = slice_split(question.addresses[i], '@', &domain);

		if (slice_starts(local, SLICE_LIT("later")))
			answer.verdict = SENDER_TRY_LATER;
		else if (!slice_eq(local, question.login))
			answer = (struct sender_answer){ question.serial, SENDER_FOREIGN, i };
	}
	sender_answer_put(channel_begin(w->lookup, LOOKUP_SENDER_OF), &answer);
	assert_int_equal(channel_end(w->lookup), 0);
	return 0;
}

static void
lookup_end(void *arg, const char *why)
{
	struct world *w = arg;

	(void)why;
	channel_close(&w->lookup);
}

static const struct frame_handler lookup_handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTE] = { "route", lookup_route, false }, [LOOKUP_SENDER] = { "sender", lookup_sender, false },
};
static const struct channel_ops lookup_ops = {
	.wire = "lookup", .version = LOOKUP_VERSION, .handlers = lookup_handlers, .handler_count = LOOKUP_FRAME_COUNT,
	.on_end = lookup_end,
};

int
world_lookup_end(struct world *w)
{
	int fds[2];

	channel_close(&w->lookup);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	w->lookup = channel_open(w->loop, fds[0], &lookup_ops, w, NULL);
	assert_non_null(w->lookup);
	return fds[1];
}

void
world_lookup(struct world *w)
{
	struct control_wire wire = { .kind = WIRE_LOOKUP, .role = ROLE_LOOKUP };

	smtpd_wire(w->smtpd, &wire, world_lookup_end(w));
	world_run_round(w);
}
