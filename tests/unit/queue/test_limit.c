/* test_limit — what a login may send in an hour: who is counted, who is told what, and what outlives queue. */
#include "tests/unit/queue/auth_play.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "tests/support/tempdir.h"

#define MINUTES(n)	(INT64_C(60000) * (n))
#define LAG		INT64_C(2100)		/* ms, after which the file is written */
#define FAR		"x@far.test"

static struct stage_set s;
static struct auth_play play;
static char said[4096];				/* the log, at levels up to warning */

static void
keep(enum log_level level, struct slice text, void *arg)
{
	size_t used = strlen(said);

	(void)level;
	(void)arg;
	(void)snprintf(said + used, sizeof(said) - used, "%.*s\n", SLICE_FMT(text));
}

static int
setup(void **state)
{
	(void)state;
	auth_play_open(&play, &s);
	said[0] = '\0';
	log_sink_set(keep, NULL);
	log_level_set(LOG_LEVEL_WARN);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fault_plan(NULL);
	log_sink_set(NULL, NULL);
	auth_play_close(&play);
	return 0;
}

static void
limit(int64_t messages, int64_t recipients)
{
	s.conf->submission.login_messages = messages;
	s.conf->submission.login_recipients = recipients;
	queue_reloaded(&s.process, s.conf);
}

static void
submit(uint64_t low, uint32_t count, enum submit_verdict want)
{
	auth_play_submit(&play, auth_play_token(low), count == 1 ? FAR : "x#@far.test", count, want);
}

static void
submit_as_nobody(enum wire_role role)
{
	stage_smtpd(&s, role);
	auth_play_submit(&play, (struct auth_token){ 0 }, role == ROLE_TRUSTED ? FAR : "local@mail.test", 1, VERDICT_DURABLE);
}

static void
log_has(const char *words)
{
	if (strstr(said, words) == NULL)
		fail_msg("not in the log: %s\n%s", words, said);
}

/* The owner and all others anew, bob and eve logged in. */
static void
start_again(void)
{
	stage_start(&s);
	auth_play_all(&play);
	auth_play_login(&play, 7, "bob");
	auth_play_login(&play, 8, "eve");
}

static void
test_messages(void **state)
{
	(void)state;
	limit(3, 0);
	auth_play_login(&play, 7, "bob");
	auth_play_login(&play, 8, "eve");
	auth_play_login(&play, 9, "bob");
	for (uint64_t i = 0; i < 3; i++)
		submit(i == 1 ? 9 : 7, 1, VERDICT_DURABLE);	/* it is the login that counts, not the session */
	stage_status_is(&s, "logins-limited", 1);
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	assert_in_range(s.wait_s, 1190, 1200);
	submit(9, 1, VERDICT_TOO_MUCH_MAIL);
	log_has(": login bob: login-messages is 3 an hour; a message to 1 fits in 1");
	submit(8, 1, VERDICT_DURABLE);
	stage_turn(&s, MINUTES(20));
	stage_status_is(&s, "logins-limited", 0);
	submit(9, 1, VERDICT_DURABLE);
	assert_int_equal(s.wait_s, 0);
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
}

static void
test_recipients(void **state)
{
	(void)state;
	limit(0, 10);
	auth_play_login(&play, 7, "bob\n");
	submit(7, 11, VERDICT_NEVER);
	assert_int_equal(s.wait_s, 0);
	log_has(": login bob\\x0a: 11 recipients are more than an hour has: login-recipients is 10");
	submit(7, 10, VERDICT_DURABLE);
	submit(7, 1, VERDICT_TOO_MANY_NAMES);
	assert_in_range(s.wait_s, 350, 360);
	submit(7, 11, VERDICT_NEVER);
	stage_turn(&s, MINUTES(60));
	submit(7, 10, VERDICT_DURABLE);
}

/* Whoever has not logged in is as free as before. */
static void
test_nobody(void **state)
{
	(void)state;
	limit(1, 1);
	for (int i = 0; i < 3; i++) {
		submit_as_nobody(ROLE_TRUSTED);
		submit_as_nobody(ROLE_MX);
		submit_as_nobody(ROLE_SUBMISSION);
	}
	stage_turn(&s, LAG);
	assert_int_equal(stage_status(&s, "logins-limited"), 0);
	assert_null(strstr(said, "login"));
}

static void
test_reload(void **state)
{
	(void)state;
	auth_play_login(&play, 7, "bob");
	for (int i = 0; i < 5; i++)
		submit(7, 1, VERDICT_DURABLE);		/* without a limit */
	limit(1, 0);
	submit(7, 1, VERDICT_DURABLE);			/* what was not counted is not counted now */
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	limit(2, 0);
	submit(7, 1, VERDICT_DURABLE);
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	limit(0, 0);
	submit(7, 1, VERDICT_DURABLE);
}

/* The queue is full: what is not accepted costs nothing. */
static void
test_not_accepted(void **state)
{
	uint32_t taken;

	(void)state;
	s.content_size = 200 * 1024;
	limit(100, 0);
	auth_play_login(&play, 7, "bob");
	fault_plan("catalog-commit:1+:ENOSPC");
	s.token = auth_play_token(7);
	while (s.verdicts[VERDICT_NO_SPACE] == 0 && s.verdicts[VERDICT_DURABLE] < 100)
		(void)stage_submit(&s, "bob@mail.test", FAR, 1);
	taken = s.verdicts[VERDICT_DURABLE];
	assert_in_range(taken, 10, 40);
	limit(taken + 1, 0);
	for (int i = 0; i < 3; i++)
		submit(7, 1, VERDICT_NO_SPACE);
	limit(taken, 0);
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
}

/* A refused claim is no message of anybody's; and what waits for the disk counts already. */
static void
test_at_once(void **state)
{
	(void)state;
	limit(3, 0);
	auth_play_login(&play, 7, "bob");
	auth_play_submit(&play, (struct auth_token){ 0 }, FAR, 1, VERDICT_REFUSED);
	s.token = auth_play_token(7);
	for (int i = 0; i < 6; i++)
		stage_send(&s, s.next_id++, "bob@mail.test", FAR, 1);
	stage_until(&s, &s.verdicts[VERDICT_DURABLE], 3);
	stage_until(&s, &s.verdicts[VERDICT_TOO_MUCH_MAIL], 3);
	assert_int_equal(s.verdicts[VERDICT_DURABLE], 3);
}

static void
submit_all(void)
{
	limit(3, 10);
	auth_play_login(&play, 7, "bob");
	for (int i = 0; i < 3; i++)
		submit(7, 1, VERDICT_DURABLE);
}

static void
test_orderly_restart(void **state)
{
	(void)state;
	submit_all();
	stage_stop(&s);
	start_again();
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	submit(8, 10, VERDICT_DURABLE);
	submit(8, 1, VERDICT_TOO_MANY_NAMES);
	stage_stop(&s);			/* and what came from the file is still there */
	start_again();
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	submit(8, 1, VERDICT_TOO_MANY_NAMES);
	stage_stop(&s);
	clock_turn(MINUTES(25), MINUTES(25));
	s.turned_ms += MINUTES(25);
	start_again();
	submit(7, 1, VERDICT_DURABLE);
	submit(8, 4, VERDICT_DURABLE);
	submit(8, 1, VERDICT_TOO_MANY_NAMES);
	assert_null(strstr(said, "logins:"));
}

static void
test_crash(void **state)
{
	(void)state;
	submit_all();
	stage_turn(&s, LAG);
	stage_crash(&s);
	auth_play_all(&play);
	auth_play_login(&play, 7, "bob");
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
}

/* The wall clock was set ten years back while queue was away, then right again: nobody is shut out for longer than before. */
static void
test_clock_at_restart(void **state)
{
	const int64_t years = MINUTES(60) * 24 * 3650;

	(void)state;
	submit_all();
	stage_stop(&s);
	clock_turn(0, -years);
	start_again();
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	assert_in_range(s.wait_s, 1, 1200);
	stage_stop(&s);
	clock_turn(0, years);
	start_again();
	stage_turn(&s, MINUTES(20));
	submit(7, 1, VERDICT_DURABLE);
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
}

/* Whatever lies there, queue starts, and writes a good one. */
static void
test_bad_file(void **state)
{
	static const char *const texts[] = { "", "hello", "posthorn-logins 1 0\nx\n\n\n" };
	char path[512];

	(void)state;
	submit_all();
	(void)tempdir_join(path, s.spool, "logins");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		stage_stop(&s);
		tempdir_write(path, texts[i]);
		start_again();
		for (int n = 0; n < 3; n++)
			submit(7, 1, VERDICT_DURABLE);
		submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	}
	log_has("what each login has sent is forgotten: logins: it is empty\n");
	log_has("what each login has sent is forgotten: logins: it does not begin with \"posthorn-logins 1 \"\n");
	log_has("logins: 3 lines make no sense, or are too many, and are left out\n");
	stage_stop(&s);
	start_again();
	submit(7, 1, VERDICT_TOO_MUCH_MAIL);
	stage_stop(&s);
	assert_int_equal(unlink(path), 0);
	start_again();
	submit(7, 1, VERDICT_DURABLE);
}

static size_t
times_said(const char *words)
{
	size_t n = 0;

	for (const char *at = said; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

/* A file that cannot be written is said once, and stops no mail; nor does it make anything durable that was not asked for. */
static void
test_file_in_trouble(void **state)
{
	(void)state;
	limit(10, 0);
	auth_play_login(&play, 7, "bob");
	fault_plan("store-rename:1+:EIO");
	for (int i = 0; i < 3; i++) {
		submit(7, 1, VERDICT_DURABLE);
		stage_turn(&s, LAG);
	}
	assert_int_equal(times_said("what each login has sent is not written down"), 1);
	fault_plan(NULL);
	submit(7, 1, VERDICT_DURABLE);
	fault_plan("store-sync:1+:EIO");
	stage_turn(&s, LAG);
	assert_int_equal(fault_count("store-sync"), 0);
	fault_plan("store-rename:1+:EIO");
	submit(7, 1, VERDICT_DURABLE);
	stage_turn(&s, LAG);
	assert_int_equal(times_said("what each login has sent is not written down"), 2);
}

/* Without limits nothing is kept and no file is made. */
static void
test_no_limits(void **state)
{
	char path[512];

	(void)state;
	auth_play_login(&play, 7, "bob");
	submit(7, 1, VERDICT_DURABLE);
	stage_turn(&s, LAG);
	stage_stop(&s);
	assert_int_equal(access(tempdir_join(path, s.spool, "logins"), F_OK), -1);
	start_again();
	assert_null(strstr(said, "login"));
}

#define STAGE(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE(test_messages), STAGE(test_recipients), STAGE(test_nobody), STAGE(test_reload), STAGE(test_not_accepted),
		STAGE(test_at_once), STAGE(test_orderly_restart), STAGE(test_crash), STAGE(test_clock_at_restart), STAGE(test_bad_file),
		STAGE(test_file_in_trouble), STAGE(test_no_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
