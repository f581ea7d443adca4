/*
 * The broker and a real worker asked who may write as whom: what comes over the wire, and who may ask.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/lookup.h"
#include "lookup/worker.h"
#include "tests/support/tempdir.h"

static struct {
	struct loop		*loop;
	struct lookup		*lookup;
	struct conf		 conf;
	struct timer		 guard;
	struct channel		*channel;
	struct sender_answer	 answer;
	bool			 answered, ended;
	char			 base[256], file[512], senders[520];
} the;

static int
on_sender_of(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)fd;
	assert_int_equal(sender_answer_get(in, &the.answer), 0);
	the.answered = true;
	loop_stop(the.loop);
	return 0;
}

static int
on_generation(void *arg, struct reader *in, int fd)
{
	uint64_t generation;

	(void)arg;
	(void)fd;
	return lookup_generation_get(in, &generation);
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	the.ended = true;
	channel_close(&the.channel);
	loop_stop(the.loop);
}

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_SENDER_OF] = { "SENDER_OF", on_sender_of, false },
	[LOOKUP_GENERATION] = { "GENERATION", on_generation, false },
};
static const struct channel_ops ops = { "lookup", LOOKUP_VERSION, handlers, LOOKUP_FRAME_COUNT, on_end, NULL, false };

static void
too_late(void *arg)
{
	(void)arg;
	fail_msg("no answer within 20 s");
}

static void
connect_as(enum wire_role role)
{
	struct err err;
	int pair[2];

	channel_close(&the.channel);
	the.ended = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_non_null(the.channel = channel_open(the.loop, pair[0], &ops, NULL, &err));
	lookup_wire(the.lookup, role, pair[1]);
}

static void
ask(const char *login, const char *first, const char *second)
{
	struct sender_question question = { 9, slice_str(login), second != NULL ? 2 : 1,
		{ slice_str(first), slice_str(second != NULL ? second : "") } };

	sender_question_put(channel_begin(the.channel, LOOKUP_SENDER), &question);
	assert_int_equal(channel_end(the.channel), 0);
	the.answered = false;
	while (!the.answered && !the.ended)
		assert_int_equal(loop_run(the.loop), 0);
}

/* Knows no such question, as a worker of another version would. */
static int
deaf(int fd, const struct conf *conf)
{
	struct chan_sync *wire = chan_sync_open(fd, WORKER_WIRE, WORKER_VERSION, NULL);
	struct reader in;
	int passed;

	(void)conf;
	return wire != NULL && chan_sync_next(wire, &in, &passed, NULL) > 0 ? 3 : 4;
}

static void
start(lookup_child_fn *child)
{
	static char hostname[] = "mx.example.org", none[] = "";
	struct err err;

	memset(&the, 0, sizeof(the));
	tempdir_make(the.base);
	tempdir_write(tempdir_join(the.file, the.base, "senders"), "info@mx.example.org ann\n");
	(void)snprintf(the.senders, sizeof(the.senders), "file:%s", the.file);
	the.conf = (struct conf){ .hostname = hostname, .postmaster = none, .subaddress_delimiter = none, .submission.senders = the.senders,
	    .lookup = { .workers = 1, .answer_timeout = 5000, .cache_ttl = 60000 } };
	assert_non_null(the.loop = loop_new(&err));
	assert_int_equal(timer_init(&the.guard, the.loop, too_late, NULL), 0);
	timer_set(&the.guard, 20000);
	assert_non_null(the.lookup = lookup_new(the.loop, &the.conf, child, &err));
	connect_as(ROLE_SUBMISSION);
}

static int
teardown(void **state)
{
	(void)state;
	channel_close(&the.channel);
	lookup_free(&the.lookup);
	timer_fini(&the.guard);
	loop_free(the.loop);
	tempdir_remove(the.base);
	return 0;
}

static void
test_answers(void **state)
{
	static const struct { const char *first, *second; enum sender_verdict verdict; uint32_t which; } rows[] = {
		{ "ann@mx.example.org", NULL, SENDER_OWN, 0 }, { "info@mx.example.org", NULL, SENDER_OWN, 0 },
		{ "info@mx.example.org", "ann@mx.example.org", SENDER_OWN, 0 }, { "bob@mx.example.org", NULL, SENDER_FOREIGN, 0 },
		{ "ann@mx.example.org", "bob@mx.example.org", SENDER_FOREIGN, 1 },
	};

	(void)state;
	start(worker_run);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].first);
		ask("ann", rows[i].first, rows[i].second);
		assert_int_equal(the.answer.serial, 9);
		assert_int_equal(the.answer.verdict, rows[i].verdict);
		assert_int_equal(the.answer.which, rows[i].which);
	}
	assert_int_equal(unlink(the.file), 0);
	ask("ann", "info@mx.example.org", NULL);
	assert_int_equal(the.answer.verdict, SENDER_TRY_LATER);
}

/* A worker that dies of the question is trouble, and one's own address needs no worker. */
static void
test_trouble(void **state)
{
	(void)state;
	start(deaf);
	ask("ann", "info@mx.example.org", NULL);
	assert_int_equal(the.answer.verdict, SENDER_TRY_LATER);
	ask("ann", "ann@mx.example.org", NULL);
	assert_int_equal(the.answer.verdict, SENDER_OWN);
}

/* Nobody else than an smtpd for users has logins to ask about. */
static void
test_who_asks(void **state)
{
	static const enum wire_role others[] = { ROLE_MX, ROLE_TRUSTED, ROLE_MDA, ROLE_QUEUE };

	(void)state;
	start(worker_run);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		connect_as(others[i]);
		ask("ann", "ann@mx.example.org", NULL);
		assert_true(the.ended && !the.answered);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_answers, teardown), cmocka_unit_test_teardown(test_trouble, teardown),
		cmocka_unit_test_teardown(test_who_asks, teardown),
	};

	return cmocka_run_group_tests_name("lookup senders", tests, NULL, NULL);
}
