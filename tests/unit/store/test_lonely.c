/* A change that comes alone is committed by the loop itself, once changes have come alone for a while; nobody sees a difference but the
 * clock. That it was the loop shows in that the answer comes in the round of the commit: the committer's comes in a later one. */
#include "tests/unit/store/fixture.h"

#include <sched.h>

#include "base/clock.h"
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

/* The committer answers before it lies down again, and the loop commits nothing while it is up. */
static void
wait_asleep(void)
{
	struct committer *c = &store->committer;
	bool asleep = false;

	for (int64_t end = clock_mono_ms() + 20000; !asleep && clock_mono_ms() < end; sched_yield()) {
		pthread_mutex_lock(&c->lock);
		asleep = c->asleep;
		pthread_mutex_unlock(&c->lock);
	}
	assert_true(asleep);
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
	wait_asleep();
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
	wait_asleep();
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

/* --- an owner that goes on in its callbacks, while the store copies forward ------------------------ */

#define LINKS	2000u

static struct mail owner;
static struct stored *link;
static uint32_t links;
static char content[40000];
static uintptr_t deepest, highest;

/* Each is finished with the next one. */
static void
next_link(void *arg, enum store_result result)
{
	struct change *c = change_new(store, STORE_CLIENT, next_link, arg);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	assert_int_equal(result, STORE_DURABLE);
	deepest = here < deepest ? here : deepest;
	highest = here > highest ? here : highest;
	if (++links == LINKS) {
		change_drop(&c);
		loop_stop(loop);
		return;
	}
	if (link != NULL)
		assert_int_equal(change_done(c, link), 0);
	link = change_put(c, &(struct store_put){ .id = 5000 + links, .envelope = SLICE_LIT("e"),
	    .content = slice_of(content, sizeof(content)) }, &owner);
	assert_non_null(link);
	store_commit(store, &c, 0);
}

/* The stack stays as it is, however long it goes on. */
static void
test_a_chain_is_no_recursion(void **state)
{
	struct store_figures f;

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)put(STORE_CLIENT, "stays", content, sizeof(content));
	wait_answers(5);
	one_by_one();
	link = NULL;
	links = 0;
	deepest = UINTPTR_MAX;
	highest = 0;
	next_link(NULL, STORE_DURABLE);
	loop_run(loop);
	assert_int_equal(links, LINKS);
	store_figures(store, &f);
	assert_true(f.copied > 0);
	assert_true(highest - deepest < 16384);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
#ifdef POSTHORN_FAULTS
		T(test_alone), T(test_two_at_once), T(test_patient_ones_join), T(test_failing_syncs),
		T(test_a_chain_is_no_recursion),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
