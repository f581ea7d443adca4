/* test_schedule — fairness, windows, back-off, holds and due times, with a clock that the test turns. */
#include "tests/support/turns.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/loop.h"
#include "event/timer.h"
#include "queue/schedule/schedule.h"

#define JOBS_MAX	200

struct world {
	struct loop	*loop;
	struct schedule	*schedule;
	struct job	*started[JOBS_MAX];
	size_t		 count, room;
	struct timer	 end;
};

static enum start_result
start(void *arg, struct job *job)
{
	struct world *w = arg;

	if (w->count >= w->room)
		return START_LATER;
	w->started[w->count++] = job;
	return START_TAKEN;
}

static const struct schedule_ops ops = { .start = start };

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void
rounds(struct world *w, int64_t ms)
{
	turns_run(w->loop, &w->end, ms);
}

static int
setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->loop = loop_new(NULL);
	w->schedule = schedule_new(w->loop, &ops, w, NULL);
	w->room = JOBS_MAX;
	schedule_limit(w->schedule, 20);
	assert_int_equal(timer_init(&w->end, w->loop, stop_loop, w->loop), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	timer_fini(&w->end);
	schedule_free(&w->schedule);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static struct message *
message(uint32_t recipients)
{
	static uint64_t id;
	struct message *m = message_new(++id);

	m->envelope.recipients = arena_array(&m->arena, recipients, sizeof(struct recipient));
	m->envelope.count = recipients;
	for (uint32_t i = 0; i < recipients; i++)
		m->envelope.recipients[i].address = SLICE_LIT("a@example.org");
	assert_int_equal(message_ready(m), 0);
	return m;
}

static void
drop(struct job *job, void *arg)
{
	schedule_drop(arg, job);
}

static void
forget(struct world *w, struct message *m)
{
	schedule_each_job(m, drop, w->schedule);
	message_free(&m);
}

static size_t
started_of(const struct world *w, const char *nexthop)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		if (slice_eq(w->started[i]->destination->nexthop, slice_str(nexthop)))
			n++;
	return n;
}

static void
finish(struct world *w, struct job *job, enum action action, bool reachable, int64_t next_ms)
{
	struct outcome o = { .action = action, .status = STATUS(4, 4, 1), .text = SLICE_LIT("x") };

	for (uint32_t i = 0; i < job->count; i++) {
		message_set_outcome(job->message, job->indexes[i], &o);
		job->message->envelope.recipients[job->indexes[i]].fate.next_ms = next_ms;
		job->message->places[job->indexes[i]].dirty = false;
	}
	schedule_settling(w->schedule, job, reachable);
	schedule_again(w->schedule, job);
}

/* 100 messages for one destination and one for another: the other's goes out in the first rounds of turns. */
static void
test_fair(void **state)
{
	struct world *w = *state;
	struct message *many[100], *one = message(1);

	w->room = 3;
	for (int i = 0; i < 100; i++) {
		many[i] = message(1);
		assert_int_equal(schedule_add(w->schedule, many[i], 0, TRANSPORT_RELAY, SLICE_LIT("big.example")), 0);
	}
	assert_int_equal(schedule_add(w->schedule, one, 0, TRANSPORT_RELAY, SLICE_LIT("small.example")), 0);
	rounds(w, 1);
	assert_int_equal(w->count, 3);
	assert_int_equal(started_of(w, "small.example"), 1);
	for (int i = 0; i < 100; i++)
		forget(w, many[i]);
	forget(w, one);
}

/* Recipients of one message that go one way share a job, up to the maximum of a frame. */
static void
test_groups(void **state)
{
	struct world *w = *state;
	struct message *m = message(250);

	for (uint32_t i = 0; i < 250; i++)
		assert_int_equal(schedule_add(w->schedule, m, i, TRANSPORT_RELAY, SLICE_LIT("one.example")), 0);
	rounds(w, 1);
	assert_int_equal(w->count, 3);
	assert_int_equal(w->started[0]->count + w->started[1]->count + w->started[2]->count, 250);
	forget(w, m);
}

static void
test_window_and_backoff(void **state)
{
	struct world *w = *state;
	struct message *m[30];

	for (int i = 0; i < 30; i++) {
		m[i] = message(1);
		assert_int_equal(schedule_add(w->schedule, m[i], 0, TRANSPORT_RELAY, SLICE_LIT("dead.example")), 0);
	}
	rounds(w, 1);
	assert_int_equal(w->count, 5);			/* nobody has tried it yet: five at once */
	for (int i = 0; i < 5; i++)
		finish(w, w->started[i], ACTION_DELAYED, false, clock_wall_ms() + 3600000);
	rounds(w, 1);
	assert_int_equal(w->count, 5);			/* it does not answer: the other 25 wait without being tried */
	assert_string_equal(schedule_why(w->schedule, LIST_FIRST(&m[20]->jobs)), "its destination does not answer");
	clock_turn(25 * 60 * 1000, 0);
	rounds(w, 1);
	rounds(w, 1);
	assert_int_equal(w->count, 6);			/* one probe */
	finish(w, w->started[5], ACTION_RELAYED, true, 0);
	rounds(w, 1);
	assert_int_equal(w->count, 8);			/* it answered: two, then three ... */
	for (int i = 0; i < 30; i++)
		forget(w, m[i]);
	clock_turn(-25 * 60 * 1000, 0);
}

static void
test_due_time(void **state)
{
	struct world *w = *state;
	struct message *m = message(1);

	m->envelope.recipients[0].fate.next_ms = clock_wall_ms() + 60000;
	assert_int_equal(schedule_add(w->schedule, m, 0, TRANSPORT_LOCAL, SLICE_LIT("u@example.org")), 0);
	rounds(w, 1);
	assert_int_equal(w->count, 0);
	assert_string_equal(schedule_why(w->schedule, LIST_FIRST(&m->jobs)), "waiting for its next attempt");
	clock_turn(61000, 61000);
	rounds(w, 1);
	rounds(w, 1);
	assert_int_equal(w->count, 1);
	forget(w, m);
	clock_turn(-61000, -61000);
}

static void
test_hold_and_release(void **state)
{
	struct world *w = *state;
	struct message *m = message(2);

	m->envelope.recipients[0].fate.flags = m->envelope.recipients[1].fate.flags = FATE_HELD;
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(schedule_add(w->schedule, m, i, TRANSPORT_LOCAL, SLICE_LIT("u@example.org")), 0);
	rounds(w, 1);
	assert_int_equal(w->count, 0);
	m->envelope.recipients[1].fate.flags = 0;
	schedule_review(w->schedule, m);
	rounds(w, 1);
	assert_int_equal(w->count, 1);
	assert_false(job_wants(w->started[0], 0));
	assert_true(job_wants(w->started[0], 1));
	finish(w, w->started[0], ACTION_DELIVERED, true, 0);
	assert_null(LIST_FIRST(&m->jobs));
	forget(w, m);
}

static void
test_pause(void **state)
{
	struct world *w = *state;
	struct message *m = message(1);

	schedule_pause(w->schedule, TRANSPORT_RELAY, true);
	assert_int_equal(schedule_add(w->schedule, m, 0, TRANSPORT_RELAY, SLICE_LIT("a.example")), 0);
	rounds(w, 1);
	assert_int_equal(w->count, 0);
	schedule_pause(w->schedule, TRANSPORT_RELAY, false);
	rounds(w, 1);
	assert_int_equal(w->count, 1);
	forget(w, m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window_and_backoff, setup, teardown),
		cmocka_unit_test_setup_teardown(test_due_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold_and_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
