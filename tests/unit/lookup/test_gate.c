/* test_gate — attempts to log in, against a file with real workers. */
#include "tests/unit/lookup/porch.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "tests/support/tempdir.h"

static void
test_file(void **state)
{
	const struct news *n;

	(void)state;
	porch_open_file("# who\n" BOB USER);
	porch_begin(1, "PLAIN", RIGHT);
	n = porch_expect(AUTH_OK, 1, "");
	assert_string_equal(n->login, "bob");
	assert_true(token_is_set(&n->token));
	assert_string_equal(the.mechanisms, "PLAIN LOGIN");
	porch_begin(2, "PLAIN", WRONG);
	assert_string_equal(porch_expect(AUTH_FAILED, 2, "authentication failure")->login, "bob");
	porch_begin_from(3, "LOGIN", NULL, "\300\0\2\7");
	(void)porch_expect(AUTH_CHALLENGE, 3, "Username:");
	porch_say(3, SLICE_LIT("user"));
	(void)porch_expect(AUTH_CHALLENGE, 3, "Password:");
	porch_say(3, SLICE_LIT("pencil"));
	assert_string_equal(porch_expect(AUTH_OK, 3, "")->login, "user");
	porch_begin(4, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=x"));	/* not offered */
	(void)porch_expect(AUTH_FAILED, 4, "Invalid authentication mechanism");
	assert_int_equal(the.logins, 2);
	porch_cancel(3);
	porch_until(&the.logouts, 1);
	assert_true(token_eq(&the.last_logout, &the.last_login));
	channel_close(&the.door);		/* and the other login goes with its smtpd */
	porch_until(&the.logouts, 2);
}

static void
test_file_scram(void **state)
{
	char *names[] = { (char[]){ "SCRAM-SHA-256" }, (char[]){ "PLAIN" } };
	const struct news *n;

	(void)state;
	the.conf.submission.mechanisms = (struct conf_strings){ 2, names };
	porch_open_file(USER);
	porch_begin(1, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=abc"));
	n = porch_expect(AUTH_CHALLENGE, 1, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	assert_string_equal(the.mechanisms, "SCRAM-SHA-256 PLAIN");
	assert_int_equal(strncmp(n->text, "r=abc", 5), 0);
	/* Another attempt has another nonce, and a proof that fits neither is a failure. */
	porch_begin(2, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=abc"));
	assert_string_not_equal(porch_expect(AUTH_CHALLENGE, 2, ",i=4096")->text, n->text);
	porch_say(1, SLICE_LIT("c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
	(void)porch_expect(AUTH_FAILED, 1, "nonce");
	porch_cancel(2);
	porch_begin(3, "PLAIN", SLICE_LIT("\0user\0pencil"));
	(void)porch_expect(AUTH_OK, 3, "");
}

/* Trouble is never a wrong password. */
static void
test_file_trouble(void **state)
{
	char path[512];

	(void)state;
	porch_open_file(BOB);
	assert_int_equal(unlink(tempdir_join(path, the.base, "passwd")), 0);
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 1, "Connection lost to authentication server");
	tempdir_write(path, BOB);
	porch_begin(2, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_OK, 2, "");
	the.refuse = true;
	porch_begin(3, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 3, "Connection lost to authentication server: queue");
	tempdir_write(path, "bob:{PLAIN}pencil\n");	/* a line that is not accepted is nobody's */
	porch_begin(4, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_FAILED, 4, "authentication failure");
}

static void
test_nobody_can(void **state)
{
	(void)state;
	porch_open("");
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 1, "nobody can log in here");
	assert_string_equal(the.mechanisms, "");
}

static void
test_not_secure(void **state)
{
	struct auth_begin open = { .serial = 1, .mechanism = SLICE_LIT("PLAIN"), .client = SLICE_LIT("1234"), .has_response = true, .response = RIGHT };

	(void)state;
	porch_open_file(BOB);
	auth_begin_put(channel_begin(the.door, AUTH_BEGIN), &open);
	assert_int_equal(channel_end(the.door), 0);
	(void)porch_expect(AUTH_FAILED, 1, "not encrypted");
}

/* Failures are told late, later each time, and at last put off; who has been here before is not, and neither is anybody else. */
static void
test_failures(void **state)
{
	struct slice right = RIGHT;
	int64_t began;

	(void)state;
	porch_open_file(BOB USER);
	porch_begin(1, "PLAIN", SLICE_LIT("\0user\0pencil"));
	(void)porch_expect(AUTH_OK, 1, "");
	for (uint64_t i = 2; i < 7; i++) {
		began = clock_mono_ms();
		porch_begin(i, "PLAIN", WRONG);
		(void)porch_expect(AUTH_FAILED, i, "authentication failure");
		assert_true(clock_mono_ms() - began >= DELAY * (int64_t)(i - 1));
	}
	porch_begin(10, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 10, "too many failed logins");
	porch_begin(11, "PLAIN", SLICE_LIT("\0user\0pencil"));
	(void)porch_expect(AUTH_OK, 11, "");
	porch_begin_from(12, "PLAIN", &right, "\300\0\2\10");
	(void)porch_expect(AUTH_OK, 12, "");
}

/* A held failure keeps nobody waiting, and one that is given up is told to nobody. */
static void
test_holding(void **state)
{
	struct slice right = RIGHT;

	(void)state;
	the.conf.submission.failure_delay = 300;
	porch_open_file(BOB);
	for (uint64_t i = 1; i <= 4; i++)
		porch_begin(i, "PLAIN", WRONG);
	porch_rounds(100);
	porch_begin_from(9, "PLAIN", &right, "\300\0\2\10");
	(void)porch_expect(AUTH_OK, 9, "");
	assert_int_equal(the.got, 1);
	porch_cancel(1);
	porch_cancel(2);
	porch_until(&the.got, 3);
	porch_rounds(50);
	assert_int_equal(the.got, 3);
}

/* queue comes anew: it is told of all logins. While it says nothing nobody is let in. */
static void
test_queue_anew(void **state)
{
	struct auth_token token;

	(void)state;
	porch_open_file(BOB);
	porch_begin(1, "PLAIN", RIGHT);
	token = porch_expect(AUTH_OK, 1, "")->token;
	assert_int_equal(the.told, 1);
	the.silent = true;
	porch_begin(2, "PLAIN", RIGHT);
	porch_until(&the.logins, 2);
	assert_int_equal(the.got, 1);
	the.silent = false;
	porch_queue();
	(void)porch_expect(AUTH_OK, 2, "");
	porch_until(&the.told, 2);
	assert_int_equal(the.logins, 4);	/* both again */
	porch_cancel(1);
	porch_until(&the.logouts, 1);
	assert_true(token_eq(&token, &the.last_logout));
}

/* What another lookup gave: queue's word counts, and nothing of it is new to queue. */
static void
test_resume(void **state)
{
	struct auth_token token = { 5, 6 };

	(void)state;
	porch_open_file(BOB);
	porch_resume(1, token, "bob");
	assert_true(token_eq(&porch_expect(AUTH_OK, 1, "")->token, &token));
	assert_int_equal(the.claims, 1);
	the.refuse = true;
	porch_resume(2, (struct auth_token){ 5, 7 }, "bob");
	(void)porch_expect(AUTH_LATER, 2, "");
	the.refuse = false;
	porch_queue();		/* a new queue is told of it as of any other */
	porch_until(&the.told, 2);
	assert_int_equal(the.claims, 2);
	porch_cancel(1);
	porch_until(&the.logouts, 2);
	assert_true(token_eq(&the.last_logout, &token));
}

static void
test_reload(void **state)
{
	struct err err;

	(void)state;
	porch_open_file(BOB);
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_OK, 1, "");
	porch_begin_from(2, "LOGIN", NULL, "1234");
	(void)porch_expect(AUTH_CHALLENGE, 2, "Username:");
	assert_int_equal(gate_reload(the.gate, &the.conf, &err), 0);
	porch_say(2, SLICE_LIT("bob"));
	(void)porch_expect(AUTH_LATER, 2, "");
	porch_begin(3, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_OK, 3, "");
	assert_int_equal(the.logouts, 0);
}

/* What costs an smtpd its wire. */
static void
test_bad_frames(void **state)
{
	(void)state;
	porch_open_file(BOB);
	porch_say(7, SLICE_LIT("nothing began"));
	porch_until(&the.got, 1);
	assert_true(the.ended);
	porch_smtpd();
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_OK, 1, "");
	porch_begin(1, "PLAIN", RIGHT);
	porch_until(&the.got, 2);
	assert_true(the.ended);
	porch_until(&the.logouts, 1);
}

/* Many at once from one place: some are put off, all are answered, and another place is served. */
static void
test_crowd(void **state)
{
	struct slice right = RIGHT;
	unsigned ok = 0, later = 0;

	(void)state;
	porch_open_file(BOB);
	for (uint64_t i = 1; i <= 50; i++)
		porch_begin(i, "PLAIN", RIGHT);
	porch_begin_from(99, "PLAIN", &right, "\300\0\2\10");
	porch_until(&the.got, 51);
	for (unsigned i = 0; i < 51; i++) {
		ok += the.news[i].type == AUTH_OK;
		later += the.news[i].type == AUTH_LATER;
		assert_false(the.news[i].serial == 99 && the.news[i].type != AUTH_OK);
	}
	assert_int_equal(ok + later, 51);
	if (ok < 16 || later < 16)
		fail_msg("%u ok, %u later", ok, later);
}

/* No memory at any point of an attempt: it is put off, or a wire ends; and then all is as before. */
static void
test_no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	unsigned disturbed = 0;
	char plan[32];

	porch_open_file(BOB);
	for (unsigned n = 1; n <= 20; n++) {
		the.got = the.used = the.logins = 0;
		porch_begin(n, "PLAIN", RIGHT);
		(void)snprintf(plan, sizeof(plan), "alloc:%u", n % 5 + 1);
		fault_plan(plan);
		for (int i = 0; i < 200 && the.got == 0 && !the.ended && !the.queue_ended; i++)
			porch_rounds(2);
		fault_plan(NULL);
		disturbed += the.ended || the.queue_ended || (the.got > 0 && the.news[0].type != AUTH_OK);
		if (the.queue_ended)
			porch_queue();
		if (the.ended)
			porch_smtpd();
		else
			porch_until(&the.got, 1);
	}
	if (disturbed < 2)
		fail_msg("only %u attempts were disturbed", disturbed);
	the.got = the.used = the.logins = 0;
	porch_begin(100, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_OK, 100, "");
#endif
	(void)state;
}

/* SCRAM says that a proof is right before the verdict: who is refused gets no challenge, and so hears nothing. */
static void
test_no_oracle(void **state)
{
	char *names[] = { (char[]){ "SCRAM-SHA-256" }, (char[]){ "PLAIN" } };

	(void)state;
	the.conf.submission.mechanisms = (struct conf_strings){ 2, names };
	porch_open_file(BOB USER);
	porch_begin(1, "PLAIN", RIGHT);		/* so others are not refused before they say who they are */
	(void)porch_expect(AUTH_OK, 1, "");
	porch_begin(2, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=abc"));
	(void)porch_expect(AUTH_CHALLENGE, 2, "r=abc");
	for (uint64_t i = 3; i < 8; i++) {
		porch_begin(i, "PLAIN", SLICE_LIT("\0user\0bad"));
		(void)porch_expect(AUTH_FAILED, i, "");
	}
	porch_begin(8, "SCRAM-SHA-256", SLICE_LIT("n,,n=user,r=abc"));
	(void)porch_expect(AUTH_LATER, 8, "too many failed logins");
}

/* One IPv6 household has one share of the line, whatever address each of its attempts comes from. */
static void
test_crowd_of_a_household(void **state)
{
	struct slice right = RIGHT;
	char from[16] = "\x20\x01\x0d\xb8";
	unsigned put_off = 0;

	(void)state;
	porch_open_file("bob:$2b$08$abcdefghijklmnopqrstuuBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\n");
	for (uint64_t i = 1; i <= 40; i++) {
		from[15] = (char)i;
		auth_begin_put(channel_begin(the.door, AUTH_BEGIN), &(struct auth_begin){ .serial = i, .mechanism = SLICE_LIT("PLAIN"),
		    .client = slice_of(from, sizeof(from)), .secure = true, .has_response = true, .response = right });
		assert_int_equal(channel_end(the.door), 0);
	}
	porch_until(&the.got, 40);
	for (unsigned i = 0; i < the.got; i++)
		put_off += the.news[i].type == AUTH_LATER && strstr(the.news[i].text, "at once") != NULL;
	assert_in_range(put_off, 10, 24);	/* 16 wait; the workers have taken some of them */
	the.used = the.got;
}

/* A hash that somebody made useless by a letter before it locks the login: a later line does not count. */
static void
test_locked_line(void **state)
{
	(void)state;
	porch_open_file("bob:!$2b$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2\nuser\n" BOB USER);
	porch_begin(1, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_FAILED, 1, "");
	porch_begin(2, "PLAIN", SLICE_LIT("\0user\0pencil"));		/* a line without a colon is none */
	(void)porch_expect(AUTH_OK, 2, "");
}

#define GATE(fn)	cmocka_unit_test_setup_teardown(fn, porch_setup, porch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		GATE(test_no_oracle), GATE(test_crowd_of_a_household), GATE(test_locked_line), GATE(test_file), GATE(test_file_scram), GATE(test_file_trouble), GATE(test_nobody_can), GATE(test_not_secure), GATE(test_failures),
		GATE(test_holding), GATE(test_queue_anew), GATE(test_reload), GATE(test_resume), GATE(test_bad_frames), GATE(test_crowd), GATE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
