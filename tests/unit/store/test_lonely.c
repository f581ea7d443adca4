/* A change that comes alone is committed by the loop itself, once changes have come alone for a while; nobody sees a difference but the
 * clock. That it was the loop shows in that the answer comes in the round of the commit: the committer's comes in a later one. */
#include "tests/unit/store/fixture.h"

#include "base/fault.h"
#include "queue/store/inside.h"

static struct hook hook;

static void
stop(void *arg)
{
	loop_stop(arg);
}

static uint32_t
answers_of_this_round(void)
{
	uint32_t before = answers;

	loop_at_end(loop, &hook, stop, loop);
	loop_run(loop);
	return answers - before;
}

static struct mail *
put_one(void)
{
	return put(STORE_CLIENT, "envelope", "content", 7);
}

/* One by one, on a disk that is quick enough whatever the day. */
static void
one_by_one(void)
{
	store->committer.quick_ms = INT64_MAX;
	fault_plan("store-sync:1+:SKIP");
	for (int i = 0; i < 20; i++) {
		(void)put_one();
		wait_answers(1);
	}
}

static void
test_alone(void **state)
{
	(void)state;
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 0);	/* nobody knows yet whether more will come */
	wait_answers(1);
	one_by_one();
	for (int i = 0; i < 3; i++) {
		(void)put_one();
		assert_int_equal(answers_of_this_round(), 1);
	}
	assert_int_equal(durable, answers);
	fault_plan(NULL);
	reopen();
	assert_int_equal(nmails, 24);
}

static void
test_two_at_once(void **state)
{
	(void)state;
	one_by_one();
	(void)put_one();
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 0);
	wait_answers(2);
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 0);	/* there may be two again */
	wait_answers(1);
}

/* What waits for somebody else's batch goes with it; it does not begin one. */
static void
test_patient_ones_join(void **state)
{
	struct mail *m;

	(void)state;
	one_by_one();
	m = put_one();
	assert_int_equal(answers_of_this_round(), 1);
	state_of(m, "1", 1, 600000);
	assert_int_equal(answers_of_this_round(), 0);
	run_minutes(2);			/* the committer has seen it and sleeps on */
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 2);
}

/* The committer's rules are the loop's: the same batch once more elsewhere, then nobody is told that it is durable. */
static void
test_failing_syncs(void **state)
{
	(void)state;
	one_by_one();
	fault_plan("store-sync:1:EIO");
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 1);
	assert_true(durable == answers && broken_told == 0);
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 0);	/* it is quiet no more */
	wait_answers(1);
	one_by_one();
	fault_plan("store-sync:1+:EIO");
	(void)put_one();
	assert_int_equal(answers_of_this_round(), 1);
	assert_true(failures == 1 && broken_told == 1);
	fault_plan(NULL);
	close_store();
	open_store();
	assert_int_equal(nmails, 43);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
#ifdef POSTHORN_FAULTS
		T(test_alone), T(test_two_at_once), T(test_patient_ones_join), T(test_failing_syncs),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
