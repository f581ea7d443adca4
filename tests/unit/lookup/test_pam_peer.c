/* test_pam_peer — attempts to log in, against a process pam that the test plays. */
#include "tests/unit/lookup/porch.h"

#include <stdio.h>
#include <sys/socket.h>

#include "lookup/pam/wire.h"

static struct channel *pam;
static bool pam_ended;
static unsigned asked;
static struct { uint32_t id; enum sasl_mechanism mechanism; uint32_t count; char client[20], last[100]; } questions[100];

static int
on_step(void *arg, struct reader *in, int fd)
{
	struct pam_question q;
	struct slice last;

	(void)arg;
	(void)fd;
	assert_int_equal(pam_question_get(in, &q), 0);
	assert_true(asked < 100);
	last = q.said.count == 0 ? SLICE_LIT("") : q.said.responses[q.said.count - 1];
	questions[asked].id = q.id;
	questions[asked].mechanism = q.said.mechanism;
	questions[asked].count = q.said.count;
	(void)snprintf(questions[asked].client, sizeof(questions[0].client), "%.*s", SLICE_FMT(q.said.client));
	memcpy(questions[asked].last, last.p, last.len < 100 ? last.len : 100);
	asked++;
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	pam_ended = true;
	channel_close(&pam);
}

static const struct frame_handler handlers[PAM_WIRE_FRAME_COUNT] = { [PAM_WIRE_STEP] = { "STEP", on_step, false } };
static const struct channel_ops ops = { PAM_WIRE, PAM_WIRE_VERSION, handlers, PAM_WIRE_FRAME_COUNT, on_end, NULL, false };

static void
pam_wire(void)
{
	struct err err;
	int pair[2];

	channel_close(&pam);
	pam_ended = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(pam = channel_open(the.loop, pair[0], &ops, NULL, &err));
	gate_wire(the.gate, ROLE_PAM, pair[1]);
}

static void
say(uint32_t id, enum sasl_result result, const char *challenge, const char *login, const char *why)
{
	const struct pam_verdict verdict = { id, { result, slice_str(challenge), slice_str(login), slice_str(why) } };

	pam_verdict_put(channel_begin(pam, PAM_WIRE_STEPPED), &verdict);
	assert_int_equal(channel_end(pam), 0);
}

static void
test_dialogues(void **state)
{
	(void)state;
	porch_open("pam:smtp");
	porch_until(&the.offers, 1);
	assert_string_equal(the.mechanisms, "PLAIN LOGIN");	/* also while it is away: who is told of no AUTH does not try later */
	pam_wire();
	porch_begin(1, "PLAIN", RIGHT);
	porch_until(&asked, 1);
	assert_int_equal(questions[0].mechanism, SASL_PLAIN);
	assert_string_equal(questions[0].client, "\300");
	assert_memory_equal(questions[0].last, "\0bob\0pencil", 11);
	say(questions[0].id, SASL_OK, "", "robert", "");
	assert_string_equal(porch_expect(AUTH_OK, 1, "")->login, "robert");
	porch_begin(2, "PLAIN", WRONG);
	porch_until(&asked, 2);
	say(questions[1].id, SASL_FAILED, "", "bob", "the account has expired");
	assert_string_equal(porch_expect(AUTH_FAILED, 2, "the account has expired")->login, "bob");
	porch_begin_from(3, "LOGIN", NULL, "\300\0\2\7");
	porch_until(&asked, 3);
	say(questions[2].id, SASL_CHALLENGE, "Username:", "", "");
	(void)porch_expect(AUTH_CHALLENGE, 3, "Username:");
	porch_say(3, SLICE_LIT("bob"));
	porch_until(&asked, 4);
	assert_int_equal(questions[3].count, 1);
	say(questions[3].id, SASL_TROUBLE, "", "", "PAM cannot tell now");
	(void)porch_expect(AUTH_LATER, 3, "Connection lost to authentication server");
	porch_begin(4, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=x"));
	(void)porch_expect(AUTH_FAILED, 4, "Invalid authentication mechanism");
	assert_int_equal(asked, 4);
	assert_int_equal(the.logins, 1);
}

static void
test_away(void **state)
{
	(void)state;
	porch_open("pam:smtp");
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 1, "Connection lost to authentication server");
	pam_wire();
	porch_begin(2, "PLAIN", RIGHT);
	porch_until(&asked, 1);
	channel_close(&pam);			/* with a question: it dies */
	(void)porch_expect(AUTH_LATER, 2, "Connection lost to authentication server");
	porch_begin(3, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 3, "nobody can check it now");
	pam_wire();
	porch_begin(4, "PLAIN", RIGHT);
	porch_until(&asked, 2);
	pam_wire();				/* its successor comes before its end is seen */
	(void)porch_expect(AUTH_LATER, 4, "Connection lost to authentication server");
	porch_begin(5, "PLAIN", RIGHT);
	porch_until(&asked, 3);
	say(questions[2].id, SASL_OK, "", "bob", "");
	(void)porch_expect(AUTH_OK, 5, "");
}

/* A dialogue goes on with the next one: each step is a whole question. */
static void
test_dialogue_outlives_it(void **state)
{
	(void)state;
	porch_open("pam:smtp");
	pam_wire();
	porch_begin_from(1, "LOGIN", NULL, "\300\0\2\7");
	porch_until(&asked, 1);
	say(questions[0].id, SASL_CHALLENGE, "Username:", "", "");
	(void)porch_expect(AUTH_CHALLENGE, 1, "Username:");
	channel_close(&pam);
	porch_rounds(10);
	pam_wire();
	porch_say(1, SLICE_LIT("bob"));
	porch_until(&asked, 2);
	say(questions[1].id, SASL_CHALLENGE, "Password:", "bob", "");
	(void)porch_expect(AUTH_CHALLENGE, 1, "Password:");
}

/* It says nothing: the attempt ends by the gate's own clock, and what it says then is nobody's. */
static void
test_silent(void **state)
{
	(void)state;
	the.conf.lookup.answer_timeout = 100;
	porch_open("pam:smtp");
	pam_wire();
	porch_begin(1, "PLAIN", RIGHT);
	porch_until(&asked, 1);
	(void)porch_expect(AUTH_LATER, 1, "did not end in time");
	say(questions[0].id, SASL_OK, "", "bob", "");
	porch_begin(2, "PLAIN", RIGHT);
	porch_until(&asked, 2);
	porch_cancel(2);
	porch_rounds(10);
	say(questions[1].id, SASL_OK, "", "bob", "");
	porch_rounds(20);
	assert_false(pam_ended);
	assert_int_equal(the.got, the.used);
	assert_int_equal(the.logins, 0);
}

/* No more at once than it has checkers; who waits is served as answers come, and his address has no more than its share. */
static void
test_crowd(void **state)
{
	unsigned served = 0;

	(void)state;
	porch_open("pam:smtp");
	pam_wire();
	for (uint64_t i = 1; i <= 30; i++)
		porch_begin(i, "PLAIN", RIGHT);
	porch_until(&the.got, 12);		/* 2 are asked about, 16 wait */
	porch_rounds(20);
	assert_int_equal(the.got, 12);
	assert_int_equal(asked, 2);
	while (served < 18) {
		porch_until(&asked, served + 1);
		assert_true(asked <= served + 2);
		say(questions[served++].id, SASL_OK, "", "bob", "");
		porch_rounds(2);
	}
	porch_until(&the.got, 30);
	assert_int_equal(the.logins, 18);
}

/* What it was not asked it does not answer, and an answer is in form: else it is as if it had died. */
static void
test_lies(void **state)
{
	static const struct { const char *name; bool known; enum sasl_result result; const char *login; } rows[] = {
		{ "an id that was not asked", false, SASL_OK, "bob" }, { "no result", true, SASL_RESULT_NONE, "" },
		{ "nobody", true, SASL_OK, "" },
	};

	(void)state;
	porch_open("pam:smtp");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		pam_wire();
		porch_begin(i + 1, "PLAIN", RIGHT);
		porch_until(&asked, i + 1);
		say(rows[i].known ? questions[i].id : questions[i].id + 100, rows[i].result, "", rows[i].login, "");
		(void)porch_expect(AUTH_LATER, i + 1, "Connection lost to authentication server");
		assert_true(pam_ended);
	}
	assert_int_equal(the.logins, 0);
}

/* Failures count as everywhere; trouble does not. */
static void
test_failures(void **state)
{
	(void)state;
	the.conf.submission.failures = 2;
	porch_open("pam:smtp");
	pam_wire();
	for (unsigned i = 0; i < 4; i++) {
		porch_begin(i + 1, "PLAIN", WRONG);
		porch_until(&asked, i + 1);
		say(questions[i].id, i < 2 ? SASL_TROUBLE : SASL_FAILED, "", "bob", "no");
		(void)porch_expect(i < 2 ? AUTH_LATER : AUTH_FAILED, i + 1, "");
	}
	porch_begin(5, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 5, "too many failed logins");
	assert_int_equal(asked, 4);
}

static void
test_reload(void **state)
{
	struct err err;

	(void)state;
	porch_open("pam:smtp");
	pam_wire();
	porch_begin(1, "PLAIN", RIGHT);
	porch_until(&asked, 1);
	assert_int_equal(gate_reload(the.gate, &the.conf, &err), 0);
	(void)porch_expect(AUTH_LATER, 1, "Connection lost to authentication server");
	porch_begin(2, "PLAIN", RIGHT);
	porch_until(&asked, 2);
	say(questions[1].id, SASL_OK, "", "bob", "");
	(void)porch_expect(AUTH_OK, 2, "");
	(void)snprintf(the.users, sizeof(the.users), "%s", "");
	assert_int_equal(gate_reload(the.gate, &the.conf, &err), 0);
	porch_begin(3, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 3, "nobody can log in here");
}

static int
setup(void **state)
{
	asked = 0;
	memset(questions, 0, sizeof(questions));
	return porch_setup(state);
}

static int
teardown(void **state)
{
	channel_close(&pam);
	return porch_teardown(state);
}

#define PAM(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PAM(test_dialogues), PAM(test_away), PAM(test_dialogue_outlives_it), PAM(test_silent), PAM(test_crowd), PAM(test_lies),
		PAM(test_failures), PAM(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
