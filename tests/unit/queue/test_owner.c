/* test_owner — the way of messages through the real owner and the real store: promises, attempts, notifications, restarts. */
#include "tests/unit/queue/play.h"

#include <stdio.h>

#include "queue/bounce/dsn.h"

static void
test_delivered(void **state)
{
	struct stage_set *s = *state;
	struct played_job *job;
	uint64_t id;

	stage_all(s);
	id = stage_submit(s, "a@client.test", "local1@mail.test", 1);
	assert_int_equal(s->verdicts[VERDICT_DURABLE], 1);
	job = stage_job(s, 0);
	assert_int_equal(job->id, id);
	assert_int_equal(job->agent, MDA);
	assert_int_equal(job->flags, 0);
	assert_false(stage_committed(s, job->lease));
	stage_report(s, job, ACTION_DELIVERED, ok, true);
	stage_status_is(s, "messages", 0);
	stage_until(s, &s->committed_count, 1);
	assert_true(stage_committed(s, job->lease));
	assert_int_equal(stage_status(s, "memory-content"), 0);
	assert_int_equal(stage_status(s, "in-flight"), 0);
	restart(s);
	assert_int_equal(stage_status(s, "messages"), 0);
}

/* What was promised is found by the next life, whether the first one ended in order or not. */
static void
test_promise_survives(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), 1);
	restart(s);
	assert_int_equal(stage_status(s, "messages"), 1);
	stage_lookup(s);
	stage_agent(s, 0, false, 10, NULL);
	assert_string_equal(stage_job(s, 0)->nexthop, "far.test");
	assert_int_equal(s->jobs[0].flags & JOB_MAYBE, JOB_MAYBE);	/* the life before may have tried */
}

/* One recipient is final by a state on disk: it is not tried again, and the message ends with the other. */
static void
test_half_done(void **state)
{
	struct stage_set *s = *state;
	const struct played_job *local;

	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_operator(s, "delete", "all");
	stage_status_is(s, "messages", 0);
	s->job_count = 0;
	stage_send(s, s->next_id++, "a@client.test", "b@far#.test", 2);
	(void)stage_job(s, 1);
	local = &s->jobs[0];
	stage_report(s, local, ACTION_RELAYED, ok, true);
	stage_until(s, &s->committed_count, 1);
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), 1);
	stage_all(s);
	assert_int_equal(stage_job(s, 0)->count, 1);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 1);
	stage_report(s, &s->jobs[0], ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 0);
}

/* A null reverse-path that fails is told to postmaster, and what postmaster cannot get is held. */
static void
test_last_resort(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	(void)stage_submit(s, "", "b@far.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_FAILED, no, true);
	assert_string_equal(stage_job(s, 1)->first, "postmaster@mail.test");
	assert_true(s->jobs[1].null_path);
	stage_report(s, &s->jobs[1], ACTION_FAILED, no, true);
	stage_until(s, &s->committed_count, 2);
	stage_status_is(s, "messages", 1);
	stage_crash(s);
	stage_all(s);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 0);		/* held over the restart */
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	(void)stage_job(s, 0);
}

/* More recipients failed than one notification names, and the sender has had enough for this hour: each is told exactly once, over
 * two crashes. */
static void
test_every_failure_is_told(void **state)
{
	struct stage_set *s = *state;
	uint32_t left[] = { 1, 1, 0 };

	s->conf->queue.sender_notices = 1;
	stage_smtpd(s, ROLE_TRUSTED);
	(void)stage_submit(s, "local@mail.test", "unknown#@mail.test", 3 * DSN_RECIPIENTS_MAX);
	for (size_t i = 0; i < 3; i++) {
		ROW(i, "life");
		stage_all(s);
		if (i == 2) {
			/* By now it sleeps in the spool, until the hour is over. */
			stage_turn(s, HOUR + 2000);
			stage_turn(s, 2000);
		}
		stage_report(s, stage_job(s, 0), ACTION_DELIVERED, ok, true);
		stage_rounds(s, 60);
		assert_int_equal(s->job_count, 1);
		stage_status_is(s, "messages", left[i]);
		stage_crash(s);
		assert_int_equal(stage_status(s, "messages"), left[i]);
	}
}

/* The hour is over: what waited goes, in one life. */
static void
test_notices_wait(void **state)
{
	struct stage_set *s = *state;

	s->conf->queue.sender_notices = 1;
	stage_all(s);
	(void)stage_submit(s, "local@mail.test", "b@one.test", 1);
	(void)stage_submit(s, "local@mail.test", "b@two.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_FAILED, no, true);
	stage_report(s, stage_job(s, 1), ACTION_FAILED, no, true);
	stage_until(s, &s->committed_count, 2);		/* the agent need not wait for it */
	stage_report(s, stage_job(s, 2), ACTION_DELIVERED, ok, true);
	stage_status_is(s, "messages", 1);
	assert_int_equal(s->job_count, 3);
	stage_turn(s, HOUR + 2000);
	stage_turn(s, 2000);
	stage_report(s, stage_job(s, 3), ACTION_DELIVERED, ok, true);
	stage_status_is(s, "messages", 0);
}

/* Two jobs of one message are ready when it expires: neither is given with nobody in it. */
static void
test_expires_in_line(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	stage_agent(s, 0, false, 10, NULL);
	stage_agent(s, MDA, false, 10, NULL);
	(void)stage_submit(s, "local@mail.test", "b@far#.test", 2);
	stage_report(s, stage_job(s, 0), ACTION_DELAYED, soon, true);
	stage_report(s, stage_job(s, 1), ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 2);
	stage_turn(s, s->conf->queue.expire + HOUR);
	stage_rounds(s, 30);
	assert_false(s->ended[0]);			/* no bad frame went there */
	assert_int_equal(s->jobs[2].agent, MDA);	/* only the notification */
	assert_int_equal(s->job_count, 3);
	stage_report(s, stage_job(s, 2), ACTION_DELIVERED, ok, true);
	stage_status_is(s, "messages", 0);
}

/* One probe at a time goes to a destination that does not answer; the mail behind it is given up all the same. */
static void
test_dead_destination(void **state)
{
	struct stage_set *s = *state;
	uint32_t dsns = 0;

	s->conf->queue.destination_jobs = 1;
	s->conf->queue.sender_notices = 0;
	restart(s);
	stage_all(s);
	for (int i = 0; i < 20; i++)
		(void)stage_submit(s, "local@mail.test", "b@dead.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_DELAYED, dead, true);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 1);		/* it backs off */
	stage_turn(s, s->conf->queue.expire / 2);
	stage_report(s, stage_job(s, 1), ACTION_DELAYED, dead, true);
	stage_rounds(s, 30);
	stage_turn(s, s->conf->queue.expire / 2 + HOUR);
	for (int i = 0; i < 5; i++)
		stage_turn(s, 1500);
	stage_status_is(s, "bounced", 20);
	for (uint32_t i = 2; dsns < 20; i++, dsns++) {
		assert_true(stage_job(s, i)->null_path);
		stage_report(s, &s->jobs[i], ACTION_DELIVERED, ok, true);
	}
	stage_status_is(s, "messages", 0);
}

/* lookup is in trouble with one recipient when the message expires: its late answer changes nothing any more. */
static void
test_expires_while_asked(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	(void)stage_submit(s, "local@mail.test", "later@far.test", 1);
	stage_rounds(s, 10);
	s->silent = true;
	stage_turn(s, s->conf->queue.expire + HOUR);	/* asked again, and given up */
	stage_turn(s, 20000);				/* and no answer came */
	stage_turn(s, 40000);
	s->silent = false;
	stage_lookup(s);
	stage_rounds(s, 30);
	assert_string_equal(stage_job(s, 0)->first, "local@mail.test");
	stage_report(s, stage_job(s, 0), ACTION_DELIVERED, ok, true);
	stage_status_is(s, "messages", 0);
}

/* Frames that lookup never answers do not use up the right to ask. */
static void
test_lookup_forgets(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	s->silent = true;
	for (int i = 0; i < 12; i++) {
		char to[32];

		(void)snprintf(to, sizeof(to), "b@far%d.test", i);
		(void)stage_submit(s, "a@client.test", to, 1);
		stage_turn(s, 16000);
	}
	s->silent = false;
	stage_turn(s, 31000);
	stage_turn(s, 31000);
	(void)stage_job(s, 11);
}

static void
test_stop_with_news(void **state)
{
	struct stage_set *s = *state;
	struct deliver_result results[2] = { { .outcome = { .action = ACTION_FAILED, .status = { 5, 0, 0 } } } };
	struct deliver_results frame = { .finished = true, .count = 1, .results = results };

	stage_all(s);
	frame.id = stage_submit(s, "local@mail.test", "b@far.test", 1);
	frame.lease = stage_job(s, 0)->lease;
	deliver_results_put(channel_begin(s->agents[0].channel, DELIVER_RESULTS), &frame);
	assert_int_equal(channel_end(s->agents[0].channel), 0);
	channel_flush(s->agents[0].channel);
	stage_send(s, s->next_id++, "a@client.test", "b@far.test", 1);
	channel_flush(s->smtpd.channel);
	restart(s);		/* the owner stops in the round in which both arrive */
	assert_true(stage_status(s, "messages") >= 1);
	stage_all(s);
	(void)stage_job(s, 0);
}

/* A claim waits for lookup, a recipient too, a settlement is due: everything is freed. */
static void
test_stop_while_asked(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	s->silent = true;
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_smtpd(s, ROLE_MX);
	stage_send(s, s->next_id++, "a@client.test", "local@mail.test", 1);
	stage_rounds(s, 20);
	assert_int_equal(s->verdicts[VERDICT_DURABLE], 1);
	restart(s);
	assert_int_equal(stage_status(s, "messages"), 1);
}

/* Leases outlive queue and not their agent: one that comes later, and says that it has some, would take mail that it was never given. */
static void
test_invented_lease(void **state)
{
	struct stage_set *s = *state;
	uint32_t indexes[] = { 0 };
	struct lease lease = { .lease = 77, .count = 1, .indexes = indexes };
	const struct deliver_hello leases = { .count = 1, .leases = &lease };

	stage_all(s);
	lease.id = stage_submit(s, "a@client.test", "b@far.test", 1);
	(void)stage_job(s, 0);
	stage_agent_dies(s, 0);
	stage_agent(s, 0, false, 10, &leases);
	stage_rounds(s, 30);
	assert_true(s->ended[0]);
	stage_agent(s, 0, false, 10, NULL);
	assert_string_equal(stage_job(s, 1)->nexthop, "far.test");
	assert_int_equal(s->jobs[1].id, lease.id);
}

static void
test_claim(void **state)
{
	static const struct { const char *name, *to; enum submit_verdict verdict; } rows[] = {
		{ "ours", "local@mail.test", VERDICT_DURABLE },
		{ "not ours", "b@far.test", VERDICT_REFUSED },
		{ "no such user", "unknown@mail.test", VERDICT_REFUSED },
		{ "lookup in trouble", "later@mail.test", VERDICT_TRY_LATER },
	};
	struct stage_set *s = *state;

	stage_lookup(s);
	stage_smtpd(s, ROLE_MX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		memset(s->verdicts, 0, sizeof(s->verdicts));
		(void)stage_submit(s, "a@client.test", rows[i].to, 1);
		assert_int_equal(s->verdicts[rows[i].verdict], 1);
	}
	assert_int_equal(stage_status(s, "messages"), 1);
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_delivered), CASE(test_promise_survives), CASE(test_half_done), CASE(test_last_resort),
		CASE(test_every_failure_is_told), CASE(test_notices_wait), CASE(test_expires_in_line),
		CASE(test_dead_destination), CASE(test_expires_while_asked), CASE(test_lookup_forgets),
		CASE(test_stop_with_news), CASE(test_stop_while_asked), CASE(test_invented_lease), CASE(test_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
