/*
 * test_login — what a submission wire may claim: nothing by itself, everything for a login that lookup has told of.
 */
#include "tests/unit/queue/auth_play.h"

static struct stage_set s;
static struct auth_play play;

static int
setup(void **state)
{
	(void)state;
	auth_play_open(&play, &s);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	auth_play_close(&play);
	return 0;
}

static void
submit(struct auth_token token, const char *to, enum submit_verdict want)
{
	auth_play_submit(&play, token, to, 1, want);
}

static void
login(uint64_t low)
{
	auth_play_login(&play, low, "bob");
}

static void
test_claims(void **state)
{
	const struct auth_token none = { 0 }, bob = { 1, 7 }, guess = { 1, 8 };

	(void)state;
	submit(none, "x@far.test", VERDICT_REFUSED);
	submit(none, "local@mail.test", VERDICT_DURABLE);	/* as anybody may */
	submit(bob, "x@far.test", VERDICT_TRY_LATER);		/* not told yet */
	login(7);
	submit(bob, "x@far.test", VERDICT_DURABLE);
	submit(guess, "x@far.test", VERDICT_TRY_LATER);
	submit(guess, "local@mail.test", VERDICT_TRY_LATER);
	submit(none, "x@far.test", VERDICT_REFUSED);
	auth_logout_put(channel_begin(play.lookup, AUTH_LOGOUT), &bob);
	assert_int_equal(channel_end(play.lookup), 0);
	stage_status_is(&s, "logins", 0);
	submit(bob, "x@far.test", VERDICT_TRY_LATER);
}

/* A wire for strangers has no logins, whatever it says. */
static void
test_other_wires(void **state)
{
	const struct auth_token bob = { 1, 7 };

	(void)state;
	login(7);
	stage_smtpd(&s, ROLE_MX);
	submit(bob, "x@far.test", VERDICT_REFUSED);
	stage_smtpd(&s, ROLE_TRUSTED);
	submit((struct auth_token){ 0 }, "x@far.test", VERDICT_DURABLE);
}

static void
claim(uint64_t low, const char *name)
{
	uint32_t before = play.known + play.full;

	auth_granted_put(channel_begin(play.lookup, AUTH_CLAIM), &(struct auth_granted){ low, { 1, low }, slice_str(name) });
	assert_int_equal(channel_end(play.lookup), 0);
	for (int i = 0; i < 1000 && play.known + play.full == before; i++)
		stage_rounds(&s, 2);
	assert_int_equal(play.known + play.full, before + 1);
}

/* What lookup gave is good for a while when it is gone. The next one claims what smtpd holds; what nobody claims ends. */
static void
test_lookup_anew(void **state)
{
	const struct auth_token bob = { 1, 7 }, other = { 1, 9 };

	(void)state;
	login(7);
	login(9);
	login(9);		/* told twice is told once */
	stage_status_is(&s, "logins", 2);
	channel_close(&play.lookup);
	stage_rounds(&s, 5);
	submit(bob, "x@far.test", VERDICT_DURABLE);
	auth_play_wire(&play);
	claim(8, "bob");	/* nobody gave that */
	claim(7, "eve");	/* nor that to her */
	assert_int_equal(play.full, 2);
	claim(7, "bob");
	assert_int_equal(play.full, 2);
	stage_turn(&s, LOGIN_GRACE + 1000);
	stage_status_is(&s, "logins", 1);
	submit(bob, "x@far.test", VERDICT_DURABLE);
	submit(other, "x@far.test", VERDICT_TRY_LATER);
	(void)channel_begin(play.lookup, AUTH_TOLD);
	assert_int_equal(channel_end(play.lookup), 0);
	submit(bob, "x@far.test", VERDICT_DURABLE);
}

/* Where nobody can log in the port is for trusted networks, and smtpd is believed about them. */
static void
test_without_users(void **state)
{
	static char none[] = "";

	(void)state;
	s.conf->submission.users = none;
	submit((struct auth_token){ 0 }, "x@far.test", VERDICT_DURABLE);
}

static void
test_bad_frames(void **state)
{
	(void)state;
	login(7);
	auth_serial_put(channel_begin(play.lookup, AUTH_CANCEL), 1);	/* smtpd's word */
	assert_int_equal(channel_end(play.lookup), 0);
	for (int i = 0; i < 1000 && play.lookup != NULL; i++)
		stage_rounds(&s, 2);
	assert_null(play.lookup);
}

#define STAGE(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE(test_claims), STAGE(test_other_wires), STAGE(test_lookup_anew), STAGE(test_without_users), STAGE(test_bad_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
