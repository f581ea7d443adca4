/* test_owner — the way of messages through the real owner and the real store: promises, attempts, notifications, restarts. */
#include "tests/unit/queue/stage.h"

#include "base/fault.h"
#include "base/mem.h"

#include <stdio.h>

#define HOUR	INT64_C(3600000)

static const struct status ok = { 2, 0, 0 }, no = { 5, 1, 1 }, soon = { 4, 2, 0 }, dead = { 4, 4, 1 };

static int
setup(void **state)
{
	*state = mem_zalloc(sizeof(struct stage_set));
	stage_open(*state);
	return 0;
}

static int
teardown(void **state)
{
	fault_plan(NULL);
	stage_close(*state);
	mem_free(*state);
	return 0;
}

static void
restart(struct stage_set *s)
{
	stage_stop(s);
	s->committed_count = s->job_count = 0;
	stage_start(s);
}

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
	(void)stage_submit(s, "local@mail.test", "unknown#@mail.test", 100);
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
	struct deliver_result results[2] = { { 0, { .action = ACTION_FAILED, .status = { 5, 0, 0 } } } };
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

/* Every recipient of many fails with a long answer: more states than one change holds, and a notification for every forty. */
static void
test_many_recipients(void **state)
{
	static char words[401];
	struct stage_set *s = *state;
	uint32_t done = 0, told = 0;

	memset(words, 'w', sizeof(words) - 1);
	s->words = words;
	s->conf->queue.destination_jobs = 1000;
	s->conf->queue.sender_notices = 0;
	restart(s);
	stage_all(s);
	(void)stage_submit(s, "b@far.test", "u#@far.test", 6000);
	while (done < s->job_count || stage_status(s, "messages") > 0) {
		for (; done < s->job_count; done++) {
			told += s->jobs[done].null_path ? 1 : 0;
			stage_report(s, &s->jobs[done], s->jobs[done].null_path ? ACTION_RELAYED : ACTION_FAILED, no, true);
		}
		stage_rounds(s, 5);
	}
	assert_int_equal(told, 6000 / 40);
	stage_until(s, &s->committed_count, s->job_count);
}

/* The ring fills with mail that cannot go, nor leave for the spool; then all of it fails, and notifications and DONEs find
 * the space to say so. */
static void
test_full_ring(void **state)
{
	struct stage_set *s = *state;
	uint32_t taken, told = 0;

	s->content_size = 200 * 1024;
	s->conf->queue.sender_notices = 0;
	s->conf->queue.destination_jobs = 1000;
	restart(s);
	fault_plan("catalog-commit:1+:ENOSPC");
	stage_smtpd(s, ROLE_TRUSTED);
	while (s->verdicts[VERDICT_NO_SPACE] == 0 && s->verdicts[VERDICT_DURABLE] < 100)
		(void)stage_submit(s, "local@mail.test", "b@far.test", 1);
	taken = s->verdicts[VERDICT_DURABLE];
	assert_in_range(taken, 10, 40);
	assert_false(s->room);
	stage_lookup(s);
	stage_agent(s, 0, false, 100, NULL);
	stage_agent(s, MDA, false, 100, NULL);
	for (uint32_t i = 0; i < 2 * taken; i++) {
		told += stage_job(s, i)->null_path ? 1 : 0;
		stage_report(s, &s->jobs[i], s->jobs[i].null_path ? ACTION_DELIVERED : ACTION_FAILED, no, true);
	}
	stage_status_is(s, "messages", 0);
	assert_int_equal(told, taken);
	fault_plan(NULL);
	for (int i = 0; i < 200 && !s->room; i++)
		stage_rounds(s, 5);
	assert_true(s->room);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	assert_int_equal(s->verdicts[VERDICT_DURABLE], taken + 1);
}

/* Many rings full of mail that cannot go: it sleeps in the spool, and memory holds little of it; then it wakes and goes. */
static void
test_spool(void **state)
{
	enum { MAILS = 150 };
	struct stage_set *s = *state;

	s->content_size = 200 * 1024;
	s->conf->queue.destination_jobs = 4;
	restart(s);
	stage_all(s);
	for (uint32_t i = 0; i < MAILS; i++)
		(void)stage_submit(s, "local@mail.test", "b@far.test", 1);
	assert_int_equal(s->verdicts[VERDICT_DURABLE], MAILS);
	stage_status_is(s, "messages", MAILS);
	assert_true(stage_status(s, "spooled") > MAILS / 2);
	for (int i = 0; i < 400 && stage_status(s, "awake") > MAILS / 2; i++)
		stage_rounds(s, 5);
	assert_true(stage_status(s, "awake") <= MAILS / 2);
	stage_operator(s, "list", NULL);
	assert_int_equal(s->items, MAILS);
	stage_crash(s);
	assert_int_equal(stage_status(s, "messages"), MAILS);
	assert_true(stage_status(s, "awake") <= MAILS / 2);
	stage_all(s);
	for (uint32_t i = 0; i < MAILS; i++)
		stage_report(s, stage_job(s, i), ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->job_count, MAILS);
}

/* "hold all" while a destination wakes its mail: what it wakes between two pages is asleep for the first look and awake for the pages. */
static void
test_hold_all_misses_none(void **state)
{
	enum { MAILS = 600 };
	struct stage_set *s = *state;
	uint32_t given;

	s->content_size = 60 * 1024;
	s->conf->queue.destination_jobs = 4;
	restart(s);
	stage_all(s);
	for (uint32_t i = 0; i < MAILS; i++)
		(void)stage_submit(s, "local@mail.test", "b@dead.test", 1);
	for (uint32_t i = 0; i < 4; i++)
		stage_report(s, stage_job(s, i), ACTION_DELAYED, dead, true);
	for (int i = 0; i < 20 && stage_status(s, "awake") > 0; i++)
		stage_turn(s, 1500);
	assert_true(stage_status(s, "spooled") > MAILS / 2);
	given = s->job_count;
	stage_turn(s, 90000);		/* it does not back off any more */
	stage_operator(s, "hold", "all");
	assert_string_equal(s->said, "600 messages placed on hold");
	stage_rounds(s, 200);
	for (int i = 0; i < 60; i++) {
		while (given < s->job_count)
			stage_report(s, stage_job(s, given++), ACTION_DELAYED, soon, true);
		stage_rounds(s, 20);
	}
	given = s->job_count;
	for (int i = 0; i < 6; i++)
		stage_turn(s, HOUR);
	stage_rounds(s, 300);
	if (s->job_count > given)
		fail_msg("%u jobs were started hours after everything was held", s->job_count - given);
}

/* An operator's retry reaches mail that sleeps for a destination that backs off: one attempt for all of it, not one for each. */
static void
test_retry_probes_once(void **state)
{
	enum { MAILS = 150 };
	struct stage_set *s = *state;
	char id[QUEUE_ID_LEN + 1];
	uint64_t early = 0;

	s->content_size = 200 * 1024;
	s->conf->queue.destination_jobs = 1;
	restart(s);
	stage_all(s);
	for (uint32_t i = 0; i < MAILS; i++)
		*(i == 5 ? &early : &(uint64_t){ 0 }) = stage_submit(s, "local@mail.test", "b@dead.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_DELAYED, dead, true);
	for (int i = 0; i < 20 && stage_status(s, "awake") > 0; i++)
		stage_turn(s, 1500);		/* less than it backs off */
	assert_int_equal(s->job_count, 1);
	assert_true(stage_status(s, "spooled") > MAILS / 2 && stage_status(s, "awake") < MAILS / 4);
	for (uint32_t given = s->job_count; given < 4; given++) {
		stage_operator(s, "retry", "all");
		stage_report(s, stage_job(s, given), ACTION_DELAYED, dead, true);
		stage_rounds(s, 300);
		assert_int_equal(s->job_count, given + 1);
	}
	for (int i = 0; i < 20 && stage_status(s, "awake") > 0; i++)
		stage_turn(s, 1500);
	stage_operator(s, "retry", queue_id_print(early, id));
	stage_report(s, stage_job(s, 4), ACTION_DELAYED, dead, true);
}

/* An agent kept a lease of mail that sleeps by now: the message is brought up for it, and nobody is given it a second time. */
static void
test_lease_of_sleeper(void **state)
{
	enum { MAILS = 150 };
	struct stage_set *s = *state;
	uint32_t index = 0;
	struct lease leases[2] = { { .lease = 77, .count = 1, .indexes = &index }, { .lease = 78, .id = 12345, .count = 1, .indexes = &index } };
	struct played_job held = { .lease = 77, .count = 1 }, unknown = { .lease = 78, .id = 12345, .count = 1 };

	s->content_size = 200 * 1024;
	s->conf->queue.destination_jobs = 4;
	restart(s);
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	leases[0].id = held.id = stage_submit(s, "local@mail.test", "b@far.test", 1);
	for (uint32_t i = 1; i < MAILS; i++)
		(void)stage_submit(s, "local@mail.test", "b@far.test", 1);
	assert_true(stage_status(s, "spooled") > MAILS / 2);
	stage_crash(s);
	stage_lookup(s);
	stage_agent(s, 0, false, 10, &(struct deliver_hello){ .count = 2, .leases = leases });
	stage_report(s, &held, ACTION_RELAYED, ok, true);
	stage_report(s, &unknown, ACTION_RELAYED, ok, true);
	for (uint32_t i = 0; i + 1 < MAILS; i++) {
		assert_true(stage_job(s, i)->id != held.id);
		stage_report(s, stage_job(s, i), ACTION_RELAYED, ok, true);
	}
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->job_count, MAILS - 1);
	assert_true(stage_committed(s, 77) && stage_committed(s, 78));
}

/* Until the store has written nothing for a while. */

static void
settle_down(struct stage_set *s)
{
	long before;

	do {
		before = stage_status(s, "batches");
		stage_rounds(s, 150);
	} while (stage_status(s, "batches") != before);
}

/* An envelope that has grown beyond what a record holds still can be copied forward: else the ring would stop turning. */
static void
test_ring_turns(void **state)
{
	static char words[401];
	struct stage_set *s = *state;
	uint32_t done = 0;

	memset(words, 'w', sizeof(words) - 1);
	s->words = words;
	s->conf->queue.destination_jobs = 1000;
	restart(s);
	stage_all(s);
	(void)stage_submit(s, "a@client.test", "u#@far.test", 6000);
	for (; done < s->job_count || done < 60; done++)
		stage_report(s, stage_job(s, done), ACTION_DELAYED, soon, true);
	stage_operator(s, "hold", "all");		/* all states at once: more than one change holds */
	settle_down(s);
	stage_crash(s);
	stage_all(s);
	stage_operator(s, "retry", "all");
	stage_rounds(s, 50);
	assert_int_equal(s->job_count, 0);		/* all of it was on disk */
	done = 0;
	s->content_size = 200 * 1024;
	for (int i = 0; i < 100; i++) {
		(void)stage_submit(s, "a@client.test", "local@mail.test", 1);
		assert_int_equal(s->verdicts[VERDICT_DURABLE], i + 2);
		stage_report(s, stage_job(s, done++), ACTION_DELIVERED, ok, true);
	}
	stage_status_is(s, "messages", 1);
	assert_true(stage_status(s, "spooled") > 0);	/* it has left the ring */
	stage_crash(s);
	stage_all(s);
	stage_operator(s, "show", NULL);
	stage_operator(s, "list", NULL);
	assert_int_equal(s->item_recipients, 6000);
}

/* Answers all jobs that come within so many rounds; whatever comes to the sender is a notification that it gets. */
static void
work(struct stage_set *s, int most)
{
	uint32_t done = 0;

	for (int i = 0; i < most && (i < 30 || stage_status(s, "messages") > 0); i++) {
		stage_rounds(s, 1);
		for (; done < s->job_count; done++)
			stage_report(s, &s->jobs[done], s->jobs[done].null_path ? ACTION_DELIVERED : ACTION_FAILED, no, true);
	}
}

static uint32_t
notifications(const struct stage_set *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->job_count; i++)
		n += s->jobs[i].null_path ? 1 : 0;
	return n;
}

/* The n-th allocation of a flow fails: nothing dies, and what was promised ends well, at the latest after a restart. */
static void
one_torture(struct stage_set *s, int n)
{
	char plan[32];
	uint32_t durable = s->verdicts[VERDICT_DURABLE], told;

	(void)snprintf(plan, sizeof(plan), "alloc:%d", n);
	s->lenient = true;
	stage_send(s, s->next_id++, "local@mail.test", "b@far.test", 1);
	channel_flush(s->smtpd.channel);
	fault_plan(plan);
	work(s, 60);
	fault_plan(NULL);
	s->lenient = false;
	told = notifications(s);
	restart(s);
	stage_all(s);
	stage_operator(s, "retry", "all");
	work(s, 2000);
	assert_int_equal(stage_status(s, "messages"), 0);
	if (s->verdicts[VERDICT_DURABLE] > durable)
		assert_true(told + notifications(s) >= 1);
}

static void
test_no_memory(void **state)
{
	struct stage_set *s = *state;

	s->conf->queue.sender_notices = 0;
	for (int n = 1; n < 60; n++) {
		ROW(n, "allocation");
		restart(s);
		stage_all(s);
		one_torture(s, n);
	}
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_delivered), CASE(test_promise_survives), CASE(test_half_done), CASE(test_last_resort),
		CASE(test_every_failure_is_told), CASE(test_notices_wait), CASE(test_expires_in_line),
		CASE(test_dead_destination), CASE(test_expires_while_asked), CASE(test_lookup_forgets),
		CASE(test_stop_with_news), CASE(test_stop_while_asked), CASE(test_claim), CASE(test_many_recipients),
		CASE(test_full_ring), CASE(test_spool), CASE(test_hold_all_misses_none), CASE(test_lease_of_sleeper), CASE(test_retry_probes_once),
		CASE(test_ring_turns), CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
