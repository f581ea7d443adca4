/* throttle: a client's message waits for the space that evacuation makes, and not for ever. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>

#include "base/clock.h"
#include "queue/store/inside.h"

static char big[500000];

/* Evacuation gives no more orders, as if all that it may give were under way. */
static void
stand_still(bool still)
{
	store->evacuation.ordered = still ? UINT32_MAX / 2 : 0;
}

static bool
all_free(void *arg)
{
	struct store_figures f;

	(void)arg;
	store_figures(store, &f);
	return f.free_segments == f.segments;
}

/* Until one has to wait. What an earlier life left is wiped before: that would be space. */
static void
fill_up(void)
{
	turn_until(all_free, NULL);
	stand_still(true);
	for (int i = 0; i < 40 && STAILQ_EMPTY(&store->throttle.waiting); i++) {
		uint32_t before = answers;

		put(STORE_CLIENT, "d1 example.org", big, sizeof(big));
		store_flush(store);
		if (STAILQ_EMPTY(&store->throttle.waiting)) {
			wait_answers(1);
			assert_int_equal(answers, before + 1);
		}
	}
	assert_false(STAILQ_EMPTY(&store->throttle.waiting));
	assert_int_equal(full + failures, 0);
}

static bool
no_more_waits(void *arg)
{
	(void)arg;
	return STAILQ_EMPTY(&store->throttle.waiting);
}

static bool
is_answered_n(void *n)
{
	return answers >= *(uint32_t *)n;
}

static void
test_space_comes(void **state)
{
	uint32_t all;

	(void)state;
	fill_up();
	put(STORE_CLIENT, "d1", "small", 5);			/* behind the one that waits */
	put(STORE_CLIENT, "d1", "small", 5);
	store_flush(store);
	all = nmails;
	assert_int_equal(answers, all - 3);
	assert_true(store_has_room(store, STORE_CLIENT));	/* nobody has waited in vain */
	stand_still(false);
	wait_until(is_answered_n, &all);
	assert_int_equal(durable, all);
	assert_true(no_more_waits(NULL));
	assert_int_equal(broken_told, 0);
}

static void
test_space_does_not_come(void **state)
{
	uint32_t one;

	(void)state;
	fill_up();
	one = answers + 1;
	clock_turn(9000, 9000);
	store_flush(store);
	assert_int_equal(full, 0);
	turn_until(is_answered_n, &one);
	assert_int_equal(full, 1);
	assert_true(no_more_waits(NULL));
	assert_true(throttle_says_full(store));
	assert_false(store_has_room(store, STORE_CLIENT));
	assert_true(store_has_room(store, STORE_STATE));	/* nobody else minds */
	/* A while later they may try again. */
	run_minutes(1);
	stand_still(false);
	turn_until(no_more_waits, NULL);
	run_minutes(2);
	assert_false(throttle_says_full(store));
	put(STORE_CLIENT, "d1", "c", 1);
	wait_answers(1);
	assert_int_equal(full, 1);
}

/* Others pass those that wait. */
static void
test_only_clients_wait(void **state)
{
	struct mail *first;
	uint32_t before;

	(void)state;
	fill_up();
	first = &mails[0];
	before = answers;
	state_of(first, "s", 1, 0);
	wait_answers(1);
	put(STORE_DSN, "d1", "notice", 6);
	wait_answers(1);
	done(first);
	wait_answers(1);
	assert_int_equal(durable, before + 3);
	assert_false(STAILQ_EMPTY(&store->throttle.waiting));
	stand_still(false);
}

/* Evacuation has failed: no space is coming. */
static void
test_failing_evacuation(void **state)
{
	uint32_t one;

	(void)state;
	fill_up();
	one = answers + 1;
	store->evacuation.failing = true;
	store->evacuation.again_ms = loop_now(store->loop) + 3600000;
	wait_until(is_answered_n, &one);
	assert_int_equal(full, 1);
	assert_true(throttle_says_full(store));
	/* The next one does not wait at all. */
	put(STORE_CLIENT, "d1", big, sizeof(big));
	wait_answers(1);
	assert_true(no_more_waits(NULL));
	assert_true(full == 2 || durable == answers - 1);
	store->evacuation.failing = false;
	stand_still(false);
}

/* The store closes: they are answered before it is gone, and not with yes. */
static void
test_close(void **state)
{
	uint32_t before, all;

	(void)state;
	fill_up();
	put(STORE_CLIENT, "d1", "c", 1);
	store_flush(store);
	before = answers;
	all = durable;
	close_store();
	assert_int_equal(answers, before + 2);
	assert_int_equal(full, 2);
	assert_int_equal(durable, all);
	open_store();
	assert_true(nmails <= all);
}

/* Without plans mail does not leave the ring, and nobody waits. */
static void
test_without_plans(void **state)
{
	(void)state;
	for (int i = 0; i < 30 && full == 0; i++) {
		put(STORE_CLIENT, "e", big, sizeof(big));
		wait_answers(1);
		assert_true(no_more_waits(NULL));
	}
	assert_int_equal(full, 1);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		P(test_space_comes), P(test_space_does_not_come), P(test_only_clients_wait), P(test_failing_evacuation), P(test_close),
		T(test_without_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
