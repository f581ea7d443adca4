/* test_volume — more mail than the ring holds, more recipients than a change does: what sleeps, wakes and goes in the end. */
#include "tests/unit/queue/play.h"

#include "base/fault.h"
#include "queue/bounce/dsn.h"

/* Every recipient of many fails with a long answer: more states than one change holds, and a notification for some of them at a time. */
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
	assert_int_equal(told, (6000 + DSN_RECIPIENTS_MAX - 1) / DSN_RECIPIENTS_MAX);
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

/* A disk that is nearly full takes what needs no new space, says so before anybody asks, and takes back its word. */
static void
test_full_disk(void **state)
{
	struct stage_set *s = *state;

	fault_plan("disk-space:1+:ENOSPC");
	restart(s);
	stage_smtpd(s, ROLE_TRUSTED);
	assert_int_equal(s->room, ROOM_SMALL);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	assert_int_equal(s->verdicts[VERDICT_DURABLE], 1);
	fault_plan(NULL);
	for (int i = 0; i < 400 && s->room != ROOM_ALL; i++)
		stage_rounds(s, 5);
	assert_int_equal(s->room, ROOM_ALL);
	fault_plan("disk-space:1+:ENOSPC");
	for (int i = 0; i < 400 && s->room == ROOM_ALL; i++)
		stage_rounds(s, 5);
	assert_int_equal(s->room, ROOM_SMALL);
	fault_plan(NULL);
}

/* The same with nothing in the queue, which then has nothing else to look after. */
static void
test_full_disk_and_no_mail(void **state)
{
	struct stage_set *s = *state;

	fault_plan("disk-space:1+:ENOSPC");
	restart(s);
	stage_smtpd(s, ROLE_TRUSTED);
	assert_int_equal(s->room, ROOM_SMALL);
	stage_rounds(s, 1500);
	fault_plan(NULL);
	for (int i = 0; i < 400 && s->room != ROOM_ALL; i++)
		stage_rounds(s, 5);
	assert_int_equal(s->room, ROOM_ALL);
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

int
main(void)
{
#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_many_recipients), CASE(test_full_ring), CASE(test_full_disk), CASE(test_full_disk_and_no_mail), CASE(test_spool), CASE(test_hold_all_misses_none),
		CASE(test_lease_of_sleeper), CASE(test_retry_probes_once), CASE(test_ring_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
