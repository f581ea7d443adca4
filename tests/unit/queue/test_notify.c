/* test_notify — what a sender asked to be told (RFC 3461), kept by the real owner on the real store. */
#include "tests/unit/queue/play.h"

#include <stdio.h>

#define SUCCESS	"Subject: Successful Mail Delivery Report\r\n"
#define FAILURE	"Subject: Undelivered Mail Returned to Sender\r\n"
#define DELAY	"Subject: Delayed Mail (still being retried)\r\n"
#define COPY	"Subject: Postmaster Copy: Undelivered Mail\r\n"

/* The nth job is a notification with this subject; it is delivered. */
static void
expect_notice(struct stage_set *s, uint32_t nth, const char *subject)
{
	struct played_job *job = stage_job(s, nth);

	assert_true(job->null_path);
	if (strstr(job->head, subject) == NULL)
		fail_msg("no %s in %s", subject, job->head);
	stage_report(s, job, ACTION_DELIVERED, ok, true);
}

/* Of the jobs from `first` on. */
static uint32_t
notices(const struct stage_set *s, uint32_t first)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < s->job_count; i++)
		n += s->jobs[i].null_path ? 1 : 0;
	return n;
}

static void
test_who_is_told(void **state)
{
	static const struct {
		const char *name, *from, *to;
		uint32_t notify;
		enum action action;
		bool tells;		/* the next hop offers DSN */
		const char *subject;	/* NULL: nobody is told anything */
	} rows[] = {
		{ "delivered, nothing said", "local@mail.test", "local1@mail.test", 0, ACTION_DELIVERED, false, NULL },
		{ "delivered", "local@mail.test", "local1@mail.test", NOTIFY_SUCCESS, ACTION_DELIVERED, false, SUCCESS },
		{ "delivered, of failures only", "local@mail.test", "local1@mail.test", NOTIFY_FAILURE | NOTIFY_DELAY, ACTION_DELIVERED, false, NULL },
		{ "delivered, never", "local@mail.test", "local1@mail.test", NOTIFY_NEVER, ACTION_DELIVERED, false, NULL },
		{ "relayed to who knows no DSN", "local@mail.test", "b@far.test", NOTIFY_SUCCESS, ACTION_RELAYED, false, SUCCESS },
		{ "relayed to who tells", "local@mail.test", "b@far.test", NOTIFY_SUCCESS, ACTION_RELAYED, true, NULL },
		{ "failed, nothing said", "local@mail.test", "b@far.test", 0, ACTION_FAILED, false, FAILURE },
		{ "failed", "local@mail.test", "b@far.test", NOTIFY_FAILURE, ACTION_FAILED, false, FAILURE },
		{ "failed, never", "local@mail.test", "b@far.test", NOTIFY_NEVER, ACTION_FAILED, false, NULL },
		{ "failed, of success only", "local@mail.test", "b@far.test", NOTIFY_SUCCESS, ACTION_FAILED, false, NULL },
		{ "a notification arrived", "", "local1@mail.test", NOTIFY_SUCCESS, ACTION_DELIVERED, false, NULL },
		{ "a notification failed", "", "b@far.test", 0, ACTION_FAILED, false, COPY },
		{ "a notification failed, never", "", "b@far.test", NOTIFY_NEVER, ACTION_FAILED, false, NULL },
	};
	struct stage_set *s = *state;

	stage_all(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		s->job_count = 0;
		s->notify = rows[i].notify;
		s->tells = rows[i].tells;
		(void)stage_submit(s, rows[i].from, rows[i].to, 1);
		stage_report(s, stage_job(s, 0), rows[i].action, rows[i].action == ACTION_FAILED ? no : ok, true);
		if (rows[i].subject != NULL)
			expect_notice(s, 1, rows[i].subject);
		stage_status_is(s, "messages", 0);
		assert_int_equal(s->job_count, rows[i].subject != NULL ? 2 : 1);
	}
}

/* Good news of one round comes in one notification, bad news at once. */
static void
test_round(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	s->notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	(void)stage_submit(s, "local@mail.test", "b@far#.test", 4);
	(void)stage_job(s, 3);
	stage_report(s, &s->jobs[0], ACTION_RELAYED, ok, true);
	stage_report(s, &s->jobs[1], ACTION_FAILED, no, true);
	expect_notice(s, 4, FAILURE);
	stage_report(s, &s->jobs[2], ACTION_RELAYED, ok, true);
	stage_rounds(s, 60);
	assert_int_equal(s->job_count, 5);
	stage_report(s, &s->jobs[3], ACTION_RELAYED, ok, true);
	expect_notice(s, 5, SUCCESS);
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->job_count, 6);
}

/* Who has to wait long keeps nobody else's good news. */
static void
test_news_before_the_last(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	s->notify = NOTIFY_SUCCESS;
	(void)stage_submit(s, "local@mail.test", "b@far#.test", 2);
	(void)stage_job(s, 1);
	stage_report(s, &s->jobs[0], ACTION_RELAYED, ok, true);
	stage_report(s, &s->jobs[1], ACTION_DELAYED, soon, true);
	expect_notice(s, 2, SUCCESS);
	stage_status_is(s, "messages", 1);
}

/* What was delivered is told, whatever ends between the two: the debt is on disk with the delivery. */
static void
test_debt_survives(void **state)
{
	struct stage_set *s = *state;

	s->conf->queue.sender_notices = 1;
	stage_all(s);
	s->notify = NOTIFY_SUCCESS;
	for (uint32_t i = 0; i < 2; i++) {		/* the second one has to wait for the next hour */
		(void)stage_submit(s, "local@mail.test", "local1@mail.test", 1);
		stage_report(s, stage_job(s, 2 * i), ACTION_DELIVERED, ok, true);
		if (i == 0)
			expect_notice(s, 1, SUCCESS);
	}
	stage_until(s, &s->committed_count, 3);		/* the agent need not wait for it */
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), 1);
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), 1);
	stage_all(s);
	expect_notice(s, 0, SUCCESS);
	stage_status_is(s, "messages", 0);
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), 0);
}

/* Says of every job from *at on that it arrived, if it is a notification, and else that it has to wait. */
static void
go_on(struct stage_set *s, uint32_t *at)
{
	for (; *at < s->job_count; (*at)++)
		stage_report(s, &s->jobs[*at], s->jobs[*at].null_path ? ACTION_DELIVERED : ACTION_DELAYED,
		    s->jobs[*at].null_path ? ok : soon, true);
}

/* One of each kind is due at once: no more notifications than a change may hold go with it, and none is lost. */
static void
test_three_kinds(void **state)
{
	static const char *const subjects[] = { FAILURE, DELAY, SUCCESS };
	struct stage_set *s = *state;
	uint32_t at = 5, seen = 0;

	s->conf->queue.sender_notices = 1;
	s->conf->queue.delay_warning = 4 * HOUR;
	stage_all(s);
	(void)stage_submit(s, "local@mail.test", "b@gone.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_FAILED, no, true);
	expect_notice(s, 1, FAILURE);			/* of this hour */
	s->notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	(void)stage_submit(s, "local@mail.test", "b@far#.test", 3);
	(void)stage_job(s, 4);
	stage_report(s, &s->jobs[2], ACTION_RELAYED, ok, true);
	stage_report(s, &s->jobs[3], ACTION_FAILED, no, true);
	stage_report(s, &s->jobs[4], ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 5);
	assert_int_equal(s->job_count, 5);
	stage_turn(s, s->conf->queue.delay_warning);
	for (int hours = 0; hours < 12 && notices(s, 5) < 3; hours++) {
		stage_turn(s, 2000);
		stage_rounds(s, 60);
		go_on(s, &at);
		stage_turn(s, HOUR);
	}
	go_on(s, &at);
	for (uint32_t i = 5; i < s->job_count; i++)
		if (s->jobs[i].null_path) {
			assert_true(seen < 3);
			assert_non_null(strstr(s->jobs[i].head, subjects[seen++]));
		}
	assert_int_equal(seen, 3);
	stage_status_is(s, "messages", 1);
}

/* The delay warning, by what was said. */
static void
test_delay(void **state)
{
	static const struct { const char *name; uint32_t notify; bool warned; } rows[] = {
		{ "nothing said", 0, true },
		{ "wanted", NOTIFY_DELAY, true },
		{ "of failures only", NOTIFY_FAILURE, false },
		{ "never", NOTIFY_NEVER, false },
	};
	struct stage_set *s = *state;

	s->conf->queue.delay_warning = 4 * HOUR;
	stage_all(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		s->job_count = 0;
		s->notify = rows[i].notify;
		(void)stage_submit(s, "local@mail.test", "b@far.test", 1);
		stage_report(s, stage_job(s, 0), ACTION_DELAYED, soon, true);
		stage_turn(s, s->conf->queue.delay_warning + HOUR);
		stage_turn(s, 2000);
		stage_rounds(s, 60);
		for (int k = 0; k < 100 && rows[i].warned && notices(s, 1) == 0; k++)
			stage_rounds(s, 20);
		assert_int_equal(notices(s, 1), rows[i].warned ? 1 : 0);
		for (uint32_t k = 1; k < s->job_count; k++)
			assert_int_equal(strstr(s->jobs[k].head, DELAY) != NULL, s->jobs[k].null_path);
		stage_operator(s, "delete", "all");
		stage_rounds(s, 30);
		for (uint32_t k = 1; k < s->job_count; k++)
			stage_report(s, &s->jobs[k], ACTION_RELAYED, ok, true);
		stage_status_is(s, "messages", 0);
	}
}

/* RET=FULL brings the message back, unless it is too much; RET=HDRS and silence bring its header. */
static void
test_returned(void **state)
{
	static const struct { const char *name; enum ret ret; size_t size, least, most; enum tls_tag tls; } rows[] = {
		{ "nothing said", RET_NONE, 20000, 1000, 10000, TLS_TAG_NONE },
		{ "header", RET_HDRS, 20000, 1000, 10000, TLS_TAG_NONE },
		{ "all of it", RET_FULL, 900, 2500, 10000, TLS_TAG_NONE },
		{ "too much", RET_FULL, 100000, 1000, 10000, TLS_TAG_NONE },
		{ "all of it, but TLS is required", RET_FULL, 900, 1000, 2499, TLS_TAG_REQUIRED },
		{ "all of it, and TLS is not", RET_FULL, 900, 2500, 10000, TLS_TAG_OPTIONAL },
	};
	struct stage_set *s = *state;

	stage_all(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		s->job_count = 0;
		s->ret = rows[i].ret;
		s->tls = rows[i].tls;
		s->content_size = rows[i].size;
		(void)stage_submit(s, "local@mail.test", "b@far.test", 1);
		stage_report(s, stage_job(s, 0), ACTION_FAILED, no, true);
		expect_notice(s, 1, FAILURE);
		assert_in_range(s->jobs[1].size, rows[i].least, rows[i].most);
		assert_int_equal(s->jobs[0].tls, rows[i].tls);
		assert_int_equal(s->jobs[1].tls, rows[i].tls == TLS_TAG_REQUIRED ? TLS_TAG_REQUIRED : TLS_TAG_NONE);	/* RFC 8689 5 */
		stage_status_is(s, "messages", 0);
	}
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_who_is_told), CASE(test_round), CASE(test_news_before_the_last), CASE(test_debt_survives),
		CASE(test_three_kinds), CASE(test_delay), CASE(test_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
