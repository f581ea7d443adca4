/*
 * test_login — what a submission wire may claim: nothing by itself, everything for a login that lookup has told of.
 */
#include <sys/socket.h>

#include "tests/unit/queue/stage.h"
#include "wire/auth.h"

static struct stage_set s;
static struct channel *lookup;		/* the auth wire's other end */
static uint32_t known, full;

static int
on_known(void *arg, struct reader *r, int fd)
{
	struct auth_known k;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_known_get(r, &k), 0);
	known += k.ok;
	full += !k.ok;
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	channel_close(&lookup);
}

static const struct frame_handler handlers[AUTH_FRAME_COUNT] = { [AUTH_KNOWN] = { "known", on_known, false } };
static const struct channel_ops ops = { "auth", AUTH_VERSION, handlers, AUTH_FRAME_COUNT, on_end, NULL };

static void
auth_wire(void)
{
	struct err err;
	int pair[2];

	channel_close(&lookup);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(lookup = channel_open(s.loop, pair[0], &ops, NULL, &err));
	queue_wire(&s.process, &(struct control_wire){ .kind = WIRE_AUTH, .role = ROLE_LOOKUP }, pair[1]);
}

static void
login(uint64_t low)
{
	auth_granted_put(channel_begin(lookup, AUTH_LOGIN), &(struct auth_granted){ low, { 1, low }, SLICE_LIT("bob") });
	assert_int_equal(channel_end(lookup), 0);
	stage_until(&s, &known, known + 1);
}

static int
setup(void **state)
{
	static char users[] = "file:/etc/posthorn/passwd";

	(void)state;
	known = full = 0;
	stage_open(&s);
	s.conf->submission.users = users;
	stage_all(&s);
	stage_smtpd(&s, ROLE_SUBMISSION);
	auth_wire();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	s.token = (struct auth_token){ 0 };
	channel_close(&lookup);
	stage_close(&s);
	return 0;
}

/* One message with this token; exactly this verdict. */
static void
submit(struct auth_token token, const char *to, enum submit_verdict want)
{
	uint32_t before = s.verdicts[want];

	s.token = token;
	(void)stage_submit(&s, "bob@mail.test", to, 1);
	assert_int_equal(s.verdicts[want], before + 1);
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
	auth_logout_put(channel_begin(lookup, AUTH_LOGOUT), &bob);
	assert_int_equal(channel_end(lookup), 0);
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
	uint32_t before = known + full;

	auth_granted_put(channel_begin(lookup, AUTH_CLAIM), &(struct auth_granted){ low, { 1, low }, slice_str(name) });
	assert_int_equal(channel_end(lookup), 0);
	for (int i = 0; i < 1000 && known + full == before; i++)
		stage_rounds(&s, 2);
	assert_int_equal(known + full, before + 1);
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
	channel_close(&lookup);
	stage_rounds(&s, 5);
	submit(bob, "x@far.test", VERDICT_DURABLE);
	auth_wire();
	claim(8, "bob");	/* nobody gave that */
	claim(7, "eve");	/* nor that to her */
	assert_int_equal(full, 2);
	claim(7, "bob");
	assert_int_equal(full, 2);
	stage_turn(&s, LOGIN_GRACE + 1000);
	stage_status_is(&s, "logins", 1);
	submit(bob, "x@far.test", VERDICT_DURABLE);
	submit(other, "x@far.test", VERDICT_TRY_LATER);
	(void)channel_begin(lookup, AUTH_TOLD);
	assert_int_equal(channel_end(lookup), 0);
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
	auth_serial_put(channel_begin(lookup, AUTH_CANCEL), 1);	/* smtpd's word */
	assert_int_equal(channel_end(lookup), 0);
	for (int i = 0; i < 1000 && lookup != NULL; i++)
		stage_rounds(&s, 2);
	assert_null(lookup);
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
