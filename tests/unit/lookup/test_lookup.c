/*
 * test_lookup — the broker with real forked workers: honest ones on a passwd-file, and moody ones that hang and die on
 * demand.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/lookup.h"
#include "lookup/worker.h"
#include "tests/support/tempdir.h"

#define ANSWERS_MAX	1024

struct client {
	struct channel		*channel;
	unsigned		 answers;
	uint64_t		 generation, generations;
	struct {
		uint64_t		serial;
		uint32_t		count, ttl_ms;
		enum route_verdict	verdict;	/* of the first */
		char			nexthop[64];
		int64_t			at;
	} routes[ANSWERS_MAX];
	enum route_verdict	 mailbox;
	uint32_t		 uid;
	char			 maildir[256];
	bool			 ended;
};

static struct {
	struct loop	*loop;
	struct lookup	*lookup;
	struct conf	 conf;
	struct conf_domain domain;
	struct arena	 arena;
	struct timer	 tick;
	struct client	 clients[2];
	unsigned	 wanted;	/* answers of clients[0] */
	char		 base[256], users[512];
	int64_t		 begun;
} the;

/* --- clients ------------------------------------------------------------------------------------------------ */

static int
on_routes(void *arg, struct reader *in, int fd)
{
	struct client *c = arg;
	struct route_answer answer;
	unsigned i = c->answers++ % ANSWERS_MAX;

	(void)fd;
	arena_reset(&the.arena);
	assert_int_equal(route_answer_get(in, &the.arena, &answer), 0);
	c->routes[i].serial = answer.serial;
	c->routes[i].count = answer.count;
	c->routes[i].ttl_ms = answer.ttl_ms;
	c->routes[i].verdict = answer.routes[0].verdict;
	c->routes[i].at = loop_now(the.loop);
	(void)snprintf(c->routes[i].nexthop, sizeof(c->routes[i].nexthop), "%.*s", SLICE_FMT(answer.routes[0].nexthop));
	c->generation = answer.generation;
	return 0;
}

static int
on_mailbox_of(void *arg, struct reader *in, int fd)
{
	struct client *c = arg;
	struct mailbox_answer answer;

	(void)fd;
	assert_int_equal(mailbox_answer_get(in, &answer), 0);
	c->answers++;
	c->mailbox = answer.verdict;
	c->uid = answer.uid;
	(void)snprintf(c->maildir, sizeof(c->maildir), "%.*s", SLICE_FMT(answer.maildir));
	return 0;
}

static int
on_generation(void *arg, struct reader *in, int fd)
{
	struct client *c = arg;

	(void)fd;
	c->generations++;
	return lookup_generation_get(in, &c->generation);
}

static void
on_end(void *arg, const char *why)
{
	struct client *c = arg;

	(void)why;
	c->ended = true;
	channel_close(&c->channel);
}

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTES] = { "ROUTES", on_routes, false },
	[LOOKUP_MAILBOX_OF] = { "MAILBOX_OF", on_mailbox_of, false },
	[LOOKUP_GENERATION] = { "GENERATION", on_generation, false },
};
static const struct channel_ops ops = { "lookup", LOOKUP_VERSION, handlers, LOOKUP_FRAME_COUNT, on_end, NULL, false };

static void
connect_client(struct client *c, enum wire_role role)
{
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_non_null(c->channel = channel_open(the.loop, pair[0], &ops, c, &err));
	lookup_wire(the.lookup, role, pair[1]);
}

static void
ask(struct client *c, uint64_t serial, const char *address)
{
	struct slice slice = slice_str(address);
	struct route_question question = { serial, 1, &slice };

	route_question_put(channel_begin(c->channel, LOOKUP_ROUTE), &question);
	assert_int_equal(channel_end(c->channel), 0);
}

static void
ask_mailbox(struct client *c, const char *address)
{
	struct mailbox_question question = { 1, slice_str(address) };

	mailbox_question_put(channel_begin(c->channel, LOOKUP_MAILBOX), &question);
	assert_int_equal(channel_end(c->channel), 0);
}

/* --- moody workers ------------------------------------------------------------------------------------------ */

/* The local part says what becomes of the worker. */
static int
moody(int fd, const struct conf *conf)
{
	static struct arena arena;
	struct route routes[ROUTE_ADDRESSES_MAX];
	struct route_question q;
	struct chan_sync *wire;
	struct reader in;
	int passed;

	(void)conf;
	arena_init(&arena, 1 << 20);
	if ((wire = chan_sync_open(fd, WORKER_WIRE, WORKER_VERSION, NULL)) == NULL)
		return 1;
	while (chan_sync_next(wire, &in, &passed, NULL) == LOOKUP_ROUTE && route_question_get(&in, &arena, &q) == 0) {
		struct route_answer answer = { .serial = q.serial, .count = q.count, .routes = routes };

		if (slice_casestarts(q.addresses[0], SLICE_LIT("hang")))
			for (;;)
				(void)pause();
		if (slice_casestarts(q.addresses[0], SLICE_LIT("die")))
			_exit(3);
		if (slice_casestarts(q.addresses[0], SLICE_LIT("lie")))
			answer.serial++;
		for (uint32_t i = 0; i < q.count; i++)
			routes[i] = (struct route){ .verdict = ROUTE_LOCAL, .transport = TRANSPORT_LOCAL, .nexthop = q.addresses[i] };
		route_answer_put(chan_sync_begin(wire, LOOKUP_ROUTES), &answer);
		if (chan_sync_send(wire, -1, NULL) == -1)
			break;
		arena_reset(&arena);
	}
	return 0;
}

/* Dies as soon as it is born. */
static int
stillborn(int fd, const struct conf *conf)
{
	(void)fd;
	(void)conf;
	return 7;
}

/* --- the fixture -------------------------------------------------------------------------------------------- */

static void
on_tick(void *arg)
{
	(void)arg;
	if (loop_now(the.loop) - the.begun > 20000)
		fail_msg("%u of %u answers after 20 s", the.clients[0].answers, the.wanted);
	if (the.clients[0].answers >= the.wanted || the.clients[0].ended)
		loop_stop(the.loop);
	timer_set(&the.tick, 2);
}

static void
run_until(unsigned answers)
{
	the.wanted = answers;
	while (the.clients[0].answers < answers && !the.clients[0].ended)
		assert_int_equal(loop_run(the.loop), 0);
}

static void
run_a_while(int64_t ms)
{
	int64_t end = loop_now(the.loop) + ms;

	the.wanted = 0;
	while (loop_now(the.loop) < end)
		assert_int_equal(loop_run(the.loop), 0);
}

static void
start(lookup_child_fn *child)
{
	static char hostname[] = "mx.example.org", name[] = "example.org", maildir[] = "Maildir", none[] = "";
	struct err err;

	memset(&the, 0, sizeof(the));
	tempdir_make(the.base);
	(void)tempdir_join(the.users, the.base, "users");
	tempdir_write(the.users, "ann:x:1000:1000::/home/ann:\n");
	arena_init(&the.arena, 1 << 20);
	the.domain = (struct conf_domain){ name, USERS_FILE, the.users, maildir };
	the.conf.hostname = hostname;
	the.conf.postmaster = none;
	the.conf.subaddress_delimiter = none;
	the.conf.domain_count = 1;
	the.conf.domains = &the.domain;
	the.conf.mda.first_uid = 1000;
	the.conf.lookup = (struct conf_lookup){ .workers = 2, .answer_timeout = 300, .cache_ttl = 60000 };
	assert_non_null(the.loop = loop_new(&err));
	the.begun = loop_now(the.loop);
	assert_int_equal(timer_init(&the.tick, the.loop, on_tick, NULL), 0);
	timer_set(&the.tick, 2);
	the.lookup = lookup_new(the.loop, &the.conf, child, &err);
	assert_non_null(the.lookup);
	connect_client(&the.clients[0], ROLE_MX);
	connect_client(&the.clients[1], ROLE_MDA);
}

static int
honest_setup(void **state)
{
	(void)state;
	start(worker_run);
	return 0;
}

static int
moody_setup(void **state)
{
	(void)state;
	start(moody);
	return 0;
}

static int
stillborn_setup(void **state)
{
	(void)state;
	start(stillborn);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	channel_close(&the.clients[0].channel);
	channel_close(&the.clients[1].channel);
	lookup_free(&the.lookup);
	timer_fini(&the.tick);
	loop_free(the.loop);
	arena_fini(&the.arena);
	tempdir_remove(the.base);
	return 0;
}

static long
status_of(const char *name)
{
	struct buf buf;
	const char *at;
	long value;

	buf_init(&buf, 4096);
	lookup_status(the.lookup, &buf);
	at = strstr(buf_cstr(&buf), name);
	assert_non_null(at);
	value = strtol(at + strlen(name), NULL, 10);
	buf_fini(&buf);
	return value;
}

/* --- tests -------------------------------------------------------------------------------------------------- */

static void
test_answers(void **state)
{
	struct client *c = &the.clients[0];

	(void)state;
	ask(c, 1, "ann@example.org");
	run_until(1);
	ask(c, 2, "bob@example.org");
	ask(c, 3, "x@elsewhere.example");	/* at once: no worker is asked */
	ask(c, 4, "ann@example.org");		/* at once: it is remembered */
	run_until(4);
	assert_int_equal(c->routes[0].verdict, ROUTE_LOCAL);
	assert_string_equal(c->routes[0].nexthop, "ann@example.org");
	assert_true(c->routes[0].ttl_ms > 0 && c->routes[0].ttl_ms <= 60000);
	assert_int_equal(c->routes[1].serial, 3);
	assert_int_equal(c->routes[1].verdict, ROUTE_REMOTE);
	assert_int_equal(c->routes[2].serial, 4);
	assert_int_equal(c->routes[2].verdict, ROUTE_LOCAL);
	assert_int_equal(c->routes[3].serial, 2);
	assert_int_equal(c->routes[3].verdict, ROUTE_UNKNOWN);
	assert_int_equal(status_of("cached "), 1);
}

static void
test_many_addresses_in_one_frame(void **state)
{
	struct slice addresses[ROUTE_ADDRESSES_MAX];
	struct route_question question = { 9, ROUTE_ADDRESSES_MAX, addresses };
	struct client *c = &the.clients[0];

	(void)state;
	for (uint32_t i = 0; i < ROUTE_ADDRESSES_MAX; i++)
		addresses[i] = i % 3 == 0 ? SLICE_LIT("ann@example.org") : i % 3 == 1 ? SLICE_LIT("no@example.org") :
		    SLICE_LIT("x@elsewhere.example");
	route_question_put(channel_begin(c->channel, LOOKUP_ROUTE), &question);
	assert_int_equal(channel_end(c->channel), 0);
	run_until(1);
	assert_int_equal(c->routes[0].count, ROUTE_ADDRESSES_MAX);
	assert_int_equal(c->routes[0].verdict, ROUTE_LOCAL);
}

static void
test_mailbox_is_for_mda_only(void **state)
{
	struct client *mda = &the.clients[1];

	(void)state;
	ask_mailbox(mda, "ann@example.org");
	while (mda->answers == 0)
		run_a_while(2);
	assert_int_equal(mda->mailbox, ROUTE_LOCAL);
	assert_int_equal(mda->uid, 1000);
	assert_string_equal(mda->maildir, "/home/ann/Maildir");
	ask_mailbox(&the.clients[0], "ann@example.org");
	the.wanted = 1;
	run_until(1);
	assert_true(the.clients[0].ended);
	assert_false(mda->ended);
}

static void
test_changed_file_is_a_new_generation(void **state)
{
	struct client *c = &the.clients[0];
	uint64_t before;

	(void)state;
	ask(c, 1, "ann@example.org");
	run_until(1);
	before = c->generation;
	tempdir_write(the.users, "bob:x:1001:1001::/home/bob:\n");
	ask(c, 2, "bob@example.org");		/* makes a worker read it anew */
	run_until(2);
	assert_int_equal(c->routes[1].verdict, ROUTE_LOCAL);
	run_a_while(20);
	assert_true(c->generation > before);
	assert_true(c->generations >= 1);
	assert_true(the.clients[1].generations >= 1);
	ask(c, 3, "ann@example.org");
	run_until(3);
	assert_int_equal(c->routes[2].verdict, ROUTE_UNKNOWN);
}

static void
test_file_trouble_is_try_later(void **state)
{
	struct client *c = &the.clients[0];

	(void)state;
	assert_int_equal(unlink(the.users), 0);
	ask(c, 1, "ann@example.org");
	ask(c, 2, "nobody@example.org");
	run_until(2);
	assert_int_equal(c->routes[0].verdict, ROUTE_TRY_LATER);
	assert_int_equal(c->routes[1].verdict, ROUTE_TRY_LATER);
	tempdir_write(the.users, "ann:x:1000:1000::/home/ann:\n");
	ask(c, 3, "ann@example.org");
	run_until(3);
	assert_int_equal(c->routes[2].verdict, ROUTE_LOCAL);
}

static void
test_reload(void **state)
{
	struct client *c = &the.clients[0];
	struct conf_domain other = the.domain;
	struct conf next = the.conf;
	static char name[] = "example.net";
	uint64_t before;
	struct err err;

	(void)state;
	ask(c, 1, "ann@example.org");
	run_until(1);
	before = c->generation;
	other.name = name;
	next.domains = &other;
	assert_int_equal(lookup_reload(the.lookup, &next, &err), 0);
	ask(c, 2, "ann@example.org");
	ask(c, 3, "ann@example.net");
	run_until(3);
	assert_int_equal(c->routes[1].verdict, ROUTE_REMOTE);
	assert_int_equal(c->routes[2].verdict, ROUTE_LOCAL);
	assert_true(c->generation > before);
	lookup_free(&the.lookup);	/* before `next` goes */
}

/* A worker that hangs costs its own question the answer time, and nobody else anything. */
static void
test_worker_that_hangs(void **state)
{
	struct client *c = &the.clients[0];
	int64_t begun = loop_now(the.loop);

	(void)state;
	ask(c, 1, "hang@example.org");
	ask(c, 2, "fine@example.org");
	run_until(1);
	assert_int_equal(c->routes[0].serial, 2);
	assert_int_equal(c->routes[0].verdict, ROUTE_LOCAL);
	run_until(2);
	assert_int_equal(c->routes[1].serial, 1);
	assert_int_equal(c->routes[1].verdict, ROUTE_TRY_LATER);
	assert_true(c->routes[1].at - begun >= 290 && c->routes[1].at - begun < 2000);
	ask(c, 3, "fine2@example.org");
	run_until(3);
	assert_int_equal(c->routes[2].verdict, ROUTE_LOCAL);
}

/* With all workers hanging, what waits behind them is answered in the same time. */
static void
test_all_workers_hang(void **state)
{
	struct client *c = &the.clients[0];
	int64_t begun = loop_now(the.loop);

	(void)state;
	ask(c, 1, "hang@example.org");
	ask(c, 2, "hang@example.org");
	for (uint64_t i = 3; i <= 10; i++)
		ask(c, i, "fine@example.org");
	run_until(10);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(c->routes[i].at - begun < 2000);
		if (c->routes[i].serial <= 2)
			assert_int_equal(c->routes[i].verdict, ROUTE_TRY_LATER);
	}
}

static void
test_worker_that_dies(void **state)
{
	struct client *c = &the.clients[0];

	(void)state;
	run_a_while(1100);	/* old enough to be replaced at once */
	ask(c, 1, "die@example.org");
	run_until(1);
	assert_int_equal(c->routes[0].verdict, ROUTE_TRY_LATER);
	ask(c, 2, "fine@example.org");
	ask(c, 3, "fine@example.org");
	run_until(3);
	assert_int_equal(c->routes[1].verdict, ROUTE_LOCAL);
	assert_int_equal(c->routes[2].verdict, ROUTE_LOCAL);
	assert_int_equal(status_of("worker_deaths "), 1);
}

static void
test_worker_that_lies(void **state)
{
	struct client *c = &the.clients[0];

	(void)state;
	ask(c, 1, "lie@example.org");
	run_until(1);
	assert_int_equal(c->routes[0].verdict, ROUTE_TRY_LATER);
}

/* Nobody can work: the answer is quick, and nothing spins. */
static void
test_workers_that_never_live(void **state)
{
	struct client *c = &the.clients[0];
	int64_t begun;

	(void)state;
	run_a_while(100);
	begun = loop_now(the.loop);
	ask(c, 1, "ann@example.org");
	ask(c, 2, "x@elsewhere.example");
	run_until(2);
	assert_true(loop_now(the.loop) - begun < 250);
	assert_int_equal(c->routes[0].verdict, ROUTE_TRY_LATER);
	assert_int_equal(c->routes[1].verdict, ROUTE_REMOTE);	/* known without them */
	run_a_while(500);
	assert_true(status_of("worker_deaths ") <= 4);
}

static void
test_too_many_questions(void **state)
{
	struct client *c = &the.clients[0];
	unsigned later = 0;

	(void)state;
	ask(c, 1, "hang@example.org");
	ask(c, 2, "hang@example.org");
	for (uint64_t i = 3; i <= 302; i++)
		ask(c, i, "fine@example.org");
	run_until(302 - 2 - 256);	/* what does not fit in the line is answered at once */
	for (unsigned i = 0; i < c->answers; i++)
		later += c->routes[i].verdict == ROUTE_TRY_LATER;
	assert_int_equal(later, c->answers);
	assert_true(loop_now(the.loop) - the.begun < 290);
	run_until(302);
}

static void
test_client_goes_away(void **state)
{
	(void)state;
	ask(&the.clients[0], 1, "hang@example.org");
	ask(&the.clients[0], 2, "hang@example.org");
	ask(&the.clients[0], 3, "fine@example.org");
	run_a_while(20);
	channel_close(&the.clients[0].channel);
	run_a_while(500);
	connect_client(&the.clients[0], ROLE_QUEUE);
	ask(&the.clients[0], 4, "fine@example.org");
	run_until(1);
	assert_int_equal(the.clients[0].routes[0].verdict, ROUTE_LOCAL);
}

#define T(name, kind) cmocka_unit_test_setup_teardown(name, kind##_setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_answers, honest), T(test_many_addresses_in_one_frame, honest), T(test_mailbox_is_for_mda_only, honest),
		T(test_changed_file_is_a_new_generation, honest), T(test_file_trouble_is_try_later, honest), T(test_reload, honest),
		T(test_worker_that_hangs, moody), T(test_all_workers_hang, moody), T(test_worker_that_dies, moody),
		T(test_worker_that_lies, moody), T(test_workers_that_never_live, stillborn), T(test_too_many_questions, moody),
		T(test_client_goes_away, moody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
