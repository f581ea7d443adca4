/* test_torture — one message through the owner with the n-th allocation failing, for every n. */
#include "tests/unit/queue/play.h"

#include <stdio.h>

#include "base/fault.h"

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
		CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
