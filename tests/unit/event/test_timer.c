/* test_timer — five days in a millisecond. */
#include "tests/support/testing.h"

#include "base/clock.h"
#include "event/timer.h"

#define DAYS(n)	(INT64_C(86400000) * (n))

static struct loop *loop;
static int fired[4];
static struct timer timers[4];

static int
setup(void **state)
{
	struct err err;

	(void)state;
	memset(fired, 0, sizeof(fired));
	loop = loop_new(&err);
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		timer_fini(&timers[i]);
		timer_fini(&timers[i]);
	}
	loop_free(loop);
	return 0;
}

static void
count(void *arg)
{
	fired[*(int *)arg]++;
}

static void
stop(void *arg)
{
	count(arg);
	loop_stop(loop);
}

static int numbers[4] = { 0, 1, 2, 3 };

static void
make(int i, void (*fn)(void *))
{
	assert_int_equal(timer_init(&timers[i], loop, fn, &numbers[i]), 0);
}

static void
test_order_and_stop(void **state)
{
	(void)state;
	make(0, count);
	make(1, count);
	make(2, stop);
	timer_set(&timers[0], 5);
	timer_set(&timers[1], 1);
	timer_set(&timers[2], 20);
	assert_true(timer_is_set(&timers[1]));
	timer_stop(&timers[1]);
	assert_false(timer_is_set(&timers[1]));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 0);
	assert_int_equal(fired[2], 1);
	assert_false(timer_is_set(&timers[0]));
}

/* Set again later, earlier, later: the last word counts, and it fires once. */
static void
test_moved(void **state)
{
	(void)state;
	make(0, count);
	make(1, stop);
	timer_set(&timers[0], 5);
	timer_set(&timers[0], 10000);
	timer_set(&timers[0], 15);
	timer_set(&timers[0], 30);
	timer_set(&timers[1], 60);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(fired[0], 1);
}

static void
turn_again(void *arg)
{
	count(arg);
	clock_turn(DAYS(4), 0);
}

static void
test_turned_clock(void **state)
{
	(void)state;
	make(0, turn_again);
	make(1, count);
	make(2, stop);
	make(3, count);
	timer_set(&timers[0], DAYS(1));
	timer_set(&timers[1], DAYS(4));
	timer_set(&timers[2], DAYS(5));
	timer_set(&timers[3], DAYS(30));
	clock_turn(DAYS(1), 0);
	assert_int_equal(loop_run(loop), 0);	/* the first turns the clock for the others */
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[2], 1);
	assert_int_equal(fired[3], 0);
	assert_true(timer_is_set(&timers[3]));
}

static void
test_negative_is_now(void **state)
{
	(void)state;
	make(0, stop);
	timer_set(&timers[0], -5);
	assert_true(timer_is_set(&timers[0]));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(fired[0], 1);
}

#define ROUND(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUND(test_order_and_stop), ROUND(test_moved), ROUND(test_turned_clock), ROUND(test_negative_is_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
