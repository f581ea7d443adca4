/* test_intake — the submit wire's leases and verdicts, and routing's memory, with the other ends played by the test. */
#include "tests/support/turns.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "queue/intake/route.h"
#include "queue/intake/submit.h"

struct world {
	struct loop		*loop;
	struct timer		 end;
	struct submits		*submits;
	struct routes		*routes;
	struct channel		*peer;		/* smtpd's or lookup's end */
	bool			 peer_ended;
	enum submit_room	 room;
	uint64_t		 next_id, first;
	uint32_t		 id_frames, large_dropped;
	struct message		*message;
	struct submit_reply	*reply;
	enum submit_verdict	 verdict;
	uint64_t		 verdict_serial;
	uint32_t		 questions, asked;
	enum route_verdict	 answers[8];
	uint32_t		 answer_count;
	uint32_t		 ttl_ms;
	bool			 silent, no_ids;
};

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void
rounds(struct world *w, int64_t ms)
{
	turns_run(w->loop, &w->end, ms);
}

/* --- queue's owner, played ---------------------------------------------------------------------- */

static void
take_message(void *arg, enum wire_role role, const struct auth_token *token, struct message *m, uint32_t crc, struct submit_reply *reply)
{
	struct world *w = arg;

	(void)crc;
	(void)token;
	assert_int_equal(role, ROLE_TRUSTED);
	message_free(&w->message);
	w->message = m;
	w->reply = reply;
}

static int
give_ids(void *arg, uint32_t count, uint64_t *first)
{
	struct world *w = arg;

	if (w->no_ids)
		return -1;
	*first = w->next_id;
	w->next_id += count;
	return 0;
}

static int
no_file(void *arg, uint64_t id)
{
	(void)arg;
	(void)id;
	return -1;
}

static void
count_drop(void *arg, uint64_t id)
{
	struct world *w = arg;

	(void)id;
	w->large_dropped++;
}

static const struct submits_ops submits_ops = {
	.message = take_message, .ids = give_ids, .large_file = no_file, .large_drop = count_drop
};

/* --- smtpd, played ------------------------------------------------------------------------------ */

static int
on_ids(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct submit_ids ids;

	(void)fd;
	assert_int_equal(submit_ids_get(r, &ids), 0);
	if (w->id_frames++ == 0)
		w->first = ids.first;
	return 0;
}

static int
on_room(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;

	(void)fd;
	return submit_room_get(r, &w->room);
}

static int
on_verdict(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct submit_verdict_of v;

	(void)fd;
	assert_int_equal(submit_verdict_get(r, &v), 0);
	w->verdict = v.verdict;
	w->verdict_serial = v.serial;
	return 0;
}

static void
peer_ended(void *arg, const char *why)
{
	struct world *w = arg;

	(void)why;
	w->peer_ended = true;
	channel_close(&w->peer);
}

static const struct frame_handler smtpd_handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_IDS] = { "ids", on_ids, false },
	[SUBMIT_ROOM] = { "room", on_room, false },
	[SUBMIT_VERDICT] = { "verdict", on_verdict, false },
};
static const struct channel_ops smtpd_ops = {
	.wire = "submit", .version = SUBMIT_VERSION, .handlers = smtpd_handlers, .handler_count = SUBMIT_FRAME_COUNT,
	.on_end = peer_ended,
};

static void
send_message(struct world *w, uint64_t serial, uint64_t id)
{
	struct recipient rcpt = { .address = SLICE_LIT("b@example.org"), .original = SLICE_LIT("") };
	struct submit_message m = { .serial = serial, .id = id, .content = SLICE_LIT("A: b\r\n\r\nhello\r\n"),
	    .envelope = { .reverse_path = SLICE_LIT("a@example.org"), .body = BODY_7BIT, .size = 15,
	    .recipients = &rcpt, .count = 1 } };

	submit_message_put(channel_begin(w->peer, SUBMIT_MESSAGE), &m);
	assert_int_equal(channel_end(w->peer), 0);
}

/* --- lookup, played ----------------------------------------------------------------------------- */

static int
on_question(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct arena arena = { .max = 65536 };
	struct route_question q;
	struct route routes[ROUTE_ADDRESSES_MAX] = { 0 };
	struct route_answer a = { .generation = 1, .ttl_ms = w->ttl_ms, .routes = routes };

	(void)fd;
	assert_int_equal(route_question_get(r, &arena, &q), 0);
	w->questions++;
	w->asked += q.count;
	a.serial = q.serial;
	a.count = q.count;
	for (uint32_t i = 0; i < q.count; i++) {
		bool local = slice_starts(q.addresses[i], SLICE_LIT("local"));

		routes[i].verdict = local ? ROUTE_LOCAL : ROUTE_UNKNOWN;
		routes[i].transport = local ? TRANSPORT_LOCAL : TRANSPORT_NONE;
		routes[i].nexthop = local ? q.addresses[i] : slice_of("", 0);
		routes[i].status = local ? (struct status){ 0 } : STATUS(5, 1, 1);
		routes[i].text = slice_of("", 0);
	}
	if (!w->silent) {
		route_answer_put(channel_begin(w->peer, LOOKUP_ROUTES), &a);
		assert_int_equal(channel_end(w->peer), 0);
	}
	arena_fini(&arena);
	return 0;
}

static const struct frame_handler lookup_handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTE] = { "route", on_question, false },
};
static const struct channel_ops lookup_ops = {
	.wire = "lookup", .version = LOOKUP_VERSION, .handlers = lookup_handlers, .handler_count = LOOKUP_FRAME_COUNT,
	.on_end = peer_ended,
};

static void
take_answer(void *arg, const struct route *route)
{
	struct world *w = arg;

	w->answers[w->answer_count++] = route->verdict;
}

/* --- the stage ---------------------------------------------------------------------------------- */

static int
setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->loop = loop_new(NULL);
	w->next_id = 7000;
	w->ttl_ms = 60000;
	assert_int_equal(timer_init(&w->end, w->loop, stop_loop, w->loop), 0);
	w->submits = submits_new(w->loop, &submits_ops, w, NULL);
	w->routes = routes_new(w->loop, NULL);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->reply != NULL)
		submit_answer(&w->reply, VERDICT_TRY_LATER, slice_of("", 0));
	message_free(&w->message);
	submits_free(&w->submits);
	routes_free(&w->routes);
	channel_close(&w->peer);
	timer_fini(&w->end);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void
join_smtpd(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->peer = channel_open(w->loop, pair[0], &smtpd_ops, w, NULL);
	assert_int_equal(submits_attach(w->submits, ROLE_TRUSTED, 0, pair[1], NULL), 0);
	rounds(w, 1);
}

static void
join_lookup(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->peer = channel_open(w->loop, pair[0], &lookup_ops, w, NULL);
	assert_int_equal(routes_attach(w->routes, pair[1], NULL), 0);
	rounds(w, 1);
}

static void
test_verdict(void **state)
{
	struct world *w = *state;

	join_smtpd(w);
	assert_int_equal(w->id_frames, 1);
	assert_int_equal(w->room, ROOM_ALL);
	send_message(w, 42, w->first + 3);
	rounds(w, 1);
	assert_non_null(w->reply);
	assert_int_equal(w->message->id, w->first + 3);
	assert_int_equal(w->message->envelope.size, 15);
	assert_int_not_equal(w->message->envelope.nonce, 0);
	assert_int_equal(w->verdict, VERDICT_NONE);	/* nothing is said before the owner answers */
	submit_answer(&w->reply, VERDICT_DURABLE, slice_of("", 0));
	rounds(w, 1);
	assert_int_equal(w->verdict, VERDICT_DURABLE);
	assert_int_equal(w->verdict_serial, 42);
	submits_room(w->submits, ROOM_NONE);
	rounds(w, 1);
	assert_int_equal(w->room, ROOM_NONE);
}

/* Ids that cannot be had are given as soon as they can: without any, smtpd has no transaction in which to ask for more. */
static void
test_ids_later(void **state)
{
	struct world *w = *state;

	w->no_ids = true;
	join_smtpd(w);
	assert_int_equal(w->id_frames, 0);
	w->no_ids = false;
	for (int i = 0; i < 400 && w->id_frames == 0; i++)
		rounds(w, 5);
	assert_int_equal(w->id_frames, 1);
}

static void
test_id_twice(void **state)
{
	struct world *w = *state;

	join_smtpd(w);
	send_message(w, 1, w->first);
	rounds(w, 1);
	submit_answer(&w->reply, VERDICT_DURABLE, slice_of("", 0));
	send_message(w, 2, w->first);
	rounds(w, 1);
	assert_true(w->peer_ended);
	assert_null(w->reply);
}

static void
test_id_not_leased(void **state)
{
	struct world *w = *state;

	join_smtpd(w);
	send_message(w, 1, w->first + 1024);
	rounds(w, 1);
	assert_true(w->peer_ended);
	assert_null(w->message);
}

static void
test_more_ids_come(void **state)
{
	struct world *w = *state;

	join_smtpd(w);
	send_message(w, 1, w->first + 600);	/* half of the block is behind it */
	rounds(w, 1);
	assert_int_equal(w->id_frames, 2);
	submit_answer(&w->reply, VERDICT_DURABLE, slice_of("", 0));
	(void)channel_begin(w->peer, SUBMIT_WANT_IDS);
	assert_int_equal(channel_end(w->peer), 0);
	rounds(w, 1);
	assert_int_equal(w->id_frames, 3);
}

/* smtpd dies between its frame and the verdict: the answer goes nowhere, and no memory is touched that is gone. */
static void
test_wire_gone(void **state)
{
	struct world *w = *state;

	join_smtpd(w);
	send_message(w, 1, w->first);
	rounds(w, 1);
	channel_close(&w->peer);
	rounds(w, 1);
	submit_answer(&w->reply, VERDICT_DURABLE, slice_of("", 0));
	rounds(w, 1);
	assert_int_equal(w->verdict, VERDICT_NONE);
}

static void
test_routes(void **state)
{
	struct world *w = *state;

	join_lookup(w);
	assert_null(routes_known(w->routes, SLICE_LIT("local@example.org")));
	assert_non_null(routes_ask(w->routes, SLICE_LIT("local@example.org"), take_answer, w));
	assert_non_null(routes_ask(w->routes, SLICE_LIT("other@example.org"), take_answer, w));
	rounds(w, 2);
	assert_int_equal(w->questions, 1);		/* both in one frame */
	assert_int_equal(w->answer_count, 2);
	assert_int_equal(w->answers[0], ROUTE_LOCAL);
	assert_int_equal(w->answers[1], ROUTE_UNKNOWN);
	assert_non_null(routes_known(w->routes, SLICE_LIT("local@example.org")));
	assert_null(routes_known(w->routes, SLICE_LIT("other@example.org")));	/* a "no" is never remembered */
	put_u64(channel_begin(w->peer, LOOKUP_GENERATION), 2);
	assert_int_equal(channel_end(w->peer), 0);
	rounds(w, 1);
	assert_null(routes_known(w->routes, SLICE_LIT("local@example.org")));
}

/* Lookup dies with our question: the next lookup gets it again. */
static void
test_asked_again(void **state)
{
	struct world *w = *state;

	w->silent = true;
	join_lookup(w);
	assert_non_null(routes_ask(w->routes, SLICE_LIT("local@example.org"), take_answer, w));
	rounds(w, 2);
	assert_int_equal(w->asked, 1);
	channel_close(&w->peer);
	w->silent = false;
	rounds(w, 1);
	join_lookup(w);
	rounds(w, 2);
	assert_int_equal(w->answer_count, 1);
	assert_int_equal(w->answers[0], ROUTE_LOCAL);
}

static void
test_no_answer(void **state)
{
	struct world *w = *state;

	w->silent = true;
	join_lookup(w);
	assert_non_null(routes_ask(w->routes, SLICE_LIT("local@example.org"), take_answer, w));
	rounds(w, 1);
	clock_turn(16000, 0);
	rounds(w, 20);
	clock_turn(-16000, 0);
	assert_int_equal(w->answer_count, 1);
	assert_int_equal(w->answers[0], ROUTE_TRY_LATER);	/* trouble is never "unknown" */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_verdict, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_not_leased, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_ids_come, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wire_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
