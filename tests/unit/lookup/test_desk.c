/* test_desk — the desk of the process pam with real checkers, real libpam and a moody module; the test plays lookup. */
#include "lookup/pam/desk.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "ipc/frame.h"
#include "lookup/pam/wire.h"
#include "tests/support/tempdir.h"
#include "tests/support/turns.h"
#include "tests/unit/lookup/moody.h"

#define RIGHT	SLICE_LIT("\0bob\0pencil")
#define WRONG	SLICE_LIT("\0bob\0pen")

static struct {
	struct loop	*loop;
	struct desk	*desk;
	struct stack	 stack;
	struct conf	 conf;
	struct timer	 tick;
	struct channel	*lookup;
	char		 base[256];
	unsigned	 got;
	bool		 ended;
	int		 wire_fd;	/* of desk_apart; chan_sync's */
	struct { uint32_t id; enum sasl_result result; char text[200]; } verdicts[100];
} the;

static int
on_stepped(void *arg, struct reader *in, int fd)
{
	struct pam_verdict v;

	(void)arg;
	(void)fd;
	assert_int_equal(pam_verdict_get(in, &v), 0);
	assert_true(the.got < 100);
	the.verdicts[the.got].id = v.id;
	the.verdicts[the.got].result = v.answer.result;
	(void)snprintf(the.verdicts[the.got].text, sizeof(the.verdicts[0].text), "%.*s%.*s%.*s", SLICE_FMT(v.answer.challenge),
	    SLICE_FMT(v.answer.login), SLICE_FMT(v.answer.why));
	the.got++;
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	the.ended = true;
	channel_close(&the.lookup);
}

static const struct frame_handler handlers[PAM_WIRE_FRAME_COUNT] = { [PAM_WIRE_STEPPED] = { "STEPPED", on_stepped, false } };
static const struct channel_ops ops = { PAM_WIRE, PAM_WIRE_VERSION, handlers, PAM_WIRE_FRAME_COUNT, on_end, NULL, false };

static void
on_tick(void *arg)
{
	(void)arg;
	loop_stop(the.loop);
}

static void
rounds(int64_t ms)
{
	turns_run(the.loop, &the.tick, ms);
}

static void
until(unsigned least)
{
	int64_t end = clock_mono_ms() + 20000;

	while (the.got < least && !the.ended) {
		if (clock_mono_ms() > end)
			fail_msg("%u of %u after 20 s", the.got, least);
		rounds(2);
	}
}

static void
wire(void)
{
	struct err err;
	int pair[2];

	channel_close(&the.lookup);
	the.ended = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(the.lookup = channel_open(the.loop, pair[0], &ops, NULL, &err));
	desk_wire(the.desk, pair[1]);
}

static void
moody(const char *arguments)
{
	char path[512];

	(void)moody_service(the.base, arguments, path);
}

static void
open_desk(const char *arguments, int64_t workers, int64_t timeout)
{
	char path[512];
	struct err err;

	the.conf.submission.workers = workers;
	the.conf.lookup.answer_timeout = timeout;
	assert_int_equal(stack_init(&the.stack, moody_service(the.base, arguments, path), &err), 0);
	the.desk = desk_new(the.loop, &the.conf, &the.stack, &err);
	if (the.desk == NULL)
		fail_msg("%s", err.text);
	wire();
}

static void
ask(uint32_t id, enum sasl_mechanism mechanism, uint32_t count, struct slice first, struct slice second)
{
	const struct pam_question question = { id, { .mechanism = mechanism, .client = SLICE_LIT("\300\0\2\7"), .nonce = SLICE_LIT("abc"),
	    .count = count, .responses = { first, second } } };

	pam_question_put(channel_begin(the.lookup, PAM_WIRE_STEP), &question);
	assert_int_equal(channel_end(the.lookup), 0);
}

static void
ask_plain(uint32_t id, struct slice response)
{
	ask(id, SASL_PLAIN, 1, response, SLICE_LIT(""));
}

/* The next verdict, whichever it is of. */
static void
expect(uint32_t id, enum sasl_result result, const char *text)
{
	static unsigned used;

	if (the.got == 0)
		used = 0;
	until(used + 1);
	assert_false(the.ended);
	if (the.verdicts[used].id != id || the.verdicts[used].result != result || strstr(the.verdicts[used].text, text) == NULL)
		fail_msg("%u: result %d: %s", (unsigned)the.verdicts[used].id, (int)the.verdicts[used].result, the.verdicts[used].text);
	used++;
}

static void
test_dialogues(void **state)
{
	(void)state;
	open_desk("ask=1 seen", 2, 10000);
	ask_plain(1, RIGHT);
	expect(1, SASL_OK, "bob");
	ask_plain(2, WRONG);
	expect(2, SASL_FAILED, "authentication failure");
	ask(3, SASL_LOGIN, 0, SLICE_LIT(""), SLICE_LIT(""));
	expect(3, SASL_CHALLENGE, "Username:");
	ask(3, SASL_LOGIN, 1, SLICE_LIT("bob"), SLICE_LIT(""));
	expect(3, SASL_CHALLENGE, "Password:");
	ask(3, SASL_LOGIN, 2, SLICE_LIT("bob"), SLICE_LIT("pencil"));
	expect(3, SASL_OK, "bob");
	ask(4, SASL_SCRAM, 1, SLICE_LIT("n,,n=bob,r=abc"), SLICE_LIT(""));
	expect(4, SASL_FAILED, "no such mechanism");
}

/* The module leaves a mark in its process, and refuses where it finds one: nobody comes into a process where another has been. */
static void
test_each_alone(void **state)
{
	(void)state;
	open_desk("ask=1 once", 1, 10000);
	for (uint32_t i = 1; i <= 10; i++)
		ask_plain(i, i % 2 == 0 ? RIGHT : WRONG);
	for (uint32_t i = 1; i <= 10; i++)
		expect(i, i % 2 == 0 ? SASL_OK : SASL_FAILED, i % 2 == 0 ? "bob" : "authentication failure");
}

static void
test_hangs(void **state)
{
	(void)state;
	open_desk("hang", 1, 300);
	ask_plain(1, RIGHT);
	rounds(100);			/* it has read the service by now, or will not answer in time either */
	ask_plain(2, RIGHT);
	expect(1, SASL_TROUBLE, "in time");
	expect(2, SASL_TROUBLE, "in time");
	moody("ask=1");
	ask_plain(3, RIGHT);
	expect(3, SASL_OK, "bob");
}

/* A module that ends its process: trouble, then a rest, in which nobody is kept waiting, then it goes on. */
static void
test_dies(void **state)
{
	int64_t end = clock_mono_ms() + 20000;
	uint32_t id = 1;

	(void)state;
	open_desk("die", 1, 10000);
	ask_plain(id, RIGHT);
	expect(id, SASL_TROUBLE, "in time");
	moody("ask=1");
	for (;;) {
		unsigned before = the.got;

		ask_plain(++id, RIGHT);
		until(before + 1);
		if (the.verdicts[before].result == SASL_OK)
			break;
		assert_int_equal(the.verdicts[before].result, SASL_TROUBLE);
		assert_true(clock_mono_ms() < end && the.got < 90);
		rounds(50);
	}
}

/* lookup comes anew: what the last one asked is nobody's. */
static void
test_lookup_anew(void **state)
{
	(void)state;
	open_desk("hang", 2, 10000);
	ask_plain(1, RIGHT);
	ask_plain(2, RIGHT);
	ask_plain(3, RIGHT);
	rounds(100);
	assert_int_equal(the.got, 0);
	desk_free(&the.desk);		/* with checkers that hang: they are killed */
	the.ended = false;
	open_desk("ask=1", 2, 10000);
	ask_plain(1, RIGHT);
	wire();
	ask_plain(1, RIGHT);		/* the number is free again */
	expect(1, SASL_OK, "bob");
	rounds(50);
	assert_int_equal(the.got, 1);
}

/* The process pam, alone: what the test knows it does not. */
static _Noreturn void
run_desk(int fd)
{
	struct err err;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || (the.desk = desk_new(the.loop, &the.conf, &the.stack, &err)) == NULL)
		_exit(1);
	desk_wire(the.desk, fd);
	(void)loop_run(the.loop);
	_exit(0);
}

static enum sasl_result
ask_sync(struct chan_sync *wire_to, uint32_t id, struct slice response)
{
	const struct pam_question question = { id, { .mechanism = SASL_PLAIN, .client = SLICE_LIT("\300\0\2\7"), .nonce = SLICE_LIT("abc"),
	    .count = 1, .responses = { response } } };
	struct pam_verdict verdict;
	struct reader in;
	int fd;

	pam_question_put(chan_sync_begin(wire_to, PAM_WIRE_STEP), &question);
	assert_int_equal(chan_sync_send(wire_to, -1, NULL), 0);
	assert_int_equal(chan_sync_next(wire_to, &in, &fd, NULL), PAM_WIRE_STEPPED);
	assert_int_equal(pam_verdict_get(&in, &verdict), 0);
	return verdict.answer.result;
}

/* "\0bob\0SECRET", the secret made of chance, and what a module searches for it by. */
static void
draw_secret(char response[5 + 17], char arguments[64])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[8];

	random_bytes(bytes, sizeof(bytes));
	memcpy(response, "\0bob", 5);
	(void)strlcpy(arguments, "search=", 64);
	for (size_t i = 0; i < 16; i++) {
		response[5 + i] = digits[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
		(void)snprintf(arguments + 7 + 2 * i, 64 - 7 - 2 * i, "%02x", (unsigned)(response[5 + i] ^ MOODY_MASK));
	}
}

/* A desk in a process of its own, whose module is asked with "ask=1" until moody says otherwise. */
static struct chan_sync *
desk_apart(pid_t *pid)
{
	struct chan_sync *wire_to;
	char path[512];
	struct err err;
	int pair[2];

	the.conf.submission.workers = 1;
	the.conf.lookup.answer_timeout = 20000;
	assert_int_equal(stack_init(&the.stack, moody_service(the.base, "ask=1", path), &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*pid = fork();
	if (*pid == 0)
		run_desk(pair[1]);
	(void)close(pair[1]);
	assert_non_null(wire_to = chan_sync_open(pair[0], PAM_WIRE, PAM_WIRE_VERSION, &err));
	the.wire_fd = pair[0];
	return wire_to;
}

static void
desk_apart_end(struct chan_sync **wire_to, pid_t pid)
{
	chan_sync_close(wire_to);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A module that searches all of its process finds its own user's password, and not that of the one before. */
static void
test_leaves_nothing(void **state)
{
	char response[5 + 17], arguments[64];
	struct chan_sync *wire_to;
	pid_t pid;

	(void)state;
#ifdef POSTHORN_SANITIZERS
	skip();			/* its shadow of the memory has no end */
#endif
	wire_to = desk_apart(&pid);
	draw_secret(response, arguments);
	assert_int_equal(ask_sync(wire_to, 1, slice_of(response, 5 + 16)), SASL_FAILED);
	moody(arguments);
	assert_int_equal(ask_sync(wire_to, 2, slice_of(response, 5 + 16)), SASL_FAILED);	/* it does find */
	assert_int_equal(ask_sync(wire_to, 3, RIGHT), SASL_OK);
	assert_int_equal(ask_sync(wire_to, 4, RIGHT), SASL_OK);
	desk_apart_end(&wire_to, pid);
}

/* Two questions, of which the second comes in two reads: its beginning is moved to the front of the wire's buffer before the rest is read. */
static void
write_in_two(struct slice first, struct slice second)
{
	const struct slice said[] = { first, second };
	struct buf out;

	buf_init(&out, 100000);
	for (uint32_t i = 0; i < 2; i++) {
		const struct pam_question question = { 10 + i, { .mechanism = SASL_PLAIN, .client = SLICE_LIT("\300\0\2\7"),
		    .nonce = SLICE_LIT("abc"), .count = 1, .responses = { said[i] } } };
		size_t at = buf_len(&out);

		frame_open(&out, PAM_WIRE_STEP);
		pam_question_put(&out, &question);
		assert_int_equal(frame_close(&out, at, false), 0);
	}
	assert_int_equal(write(the.wire_fd, out.mem, buf_len(&out) - 1), (ssize_t)buf_len(&out) - 1);
	(void)usleep(200000);
	assert_int_equal(write(the.wire_fd, out.mem + buf_len(&out) - 1, 1), 1);
	buf_wipe(&out);
}

static void
test_leaves_nothing_behind_a_move(void **state)
{
	char response[5 + 17], arguments[64], big[400];
	struct chan_sync *wire_to;
	struct reader in;
	pid_t pid;
	int fd;

	(void)state;
#ifdef POSTHORN_SANITIZERS
	skip();
#endif
	wire_to = desk_apart(&pid);
	draw_secret(response, arguments);
	arguments[7 + 24] = '\0';		/* the first twelve bytes of it are enough */
	memset(big, 'a', sizeof(big));
	write_in_two(slice_of(big, sizeof(big)), slice_of(response, 5 + 16));
	for (int i = 0; i < 2; i++)
		assert_int_equal(chan_sync_next(wire_to, &in, &fd, NULL), PAM_WIRE_STEPPED);
	moody(arguments);
	assert_int_equal(ask_sync(wire_to, 3, RIGHT), SASL_OK);
	assert_int_equal(ask_sync(wire_to, 4, RIGHT), SASL_OK);
	desk_apart_end(&wire_to, pid);
}

static void
test_bad_questions(void **state)
{
	(void)state;
	open_desk("hang", 1, 10000);
	ask_plain(1, RIGHT);
	ask_plain(1, RIGHT);
	until(1);
	assert_true(the.ended);
	wire();
	ask_plain(0, RIGHT);
	until(1);
	assert_true(the.ended);
	wire();
	for (uint32_t i = 1; i <= PAM_QUESTIONS_MAX + 1; i++)
		ask_plain(i, RIGHT);
	until(1);
	assert_true(the.ended);
	assert_int_equal(the.got, 0);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&the, 0, sizeof(the));
	tempdir_make(the.base);
	assert_non_null(the.loop = loop_new(NULL));
	return timer_init(&the.tick, the.loop, on_tick, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	channel_close(&the.lookup);
	desk_free(&the.desk);
	timer_fini(&the.tick);
	loop_free(the.loop);
	tempdir_remove(the.base);
	return 0;
}

#define DESK(fn)	cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DESK(test_dialogues), DESK(test_each_alone), DESK(test_hangs), DESK(test_dies), DESK(test_lookup_anew), DESK(test_leaves_nothing), DESK(test_leaves_nothing_behind_a_move),
		DESK(test_bad_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
