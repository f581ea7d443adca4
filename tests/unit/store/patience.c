/* patience — see patience.h. */
#include "tests/unit/store/patience.h"

#include "base/clock.h"
#include "event/timer.h"
#include "tests/unit/store/fixture.h"

struct store_woken woken;
uint32_t answered;
struct store_put paged[MANY];
uint32_t npaged;
uint64_t paged_last;
bool paged_failed;

static bool (*waiting_for)(void *);
static void *waiting_arg;
static bool late;

static void
look(void *arg)
{
	(void)arg;
	if (waiting_for != NULL && waiting_for(waiting_arg))
		loop_stop(loop);
}

static void
too_late(void *arg)
{
	(void)arg;
	late = true;
	loop_stop(loop);
}

static void
wait_ms(bool (*until)(void *), void *arg, int64_t most_ms)
{
	struct timer limit = { 0 };

	late = false;
	waiting_for = until;
	waiting_arg = arg;
	loop_every_round(loop, look, NULL);
	assert_int_equal(timer_init(&limit, loop, too_late, NULL), 0);
	timer_set(&limit, clock_mono_ms() - loop_now(loop) + most_ms);	/* the loop has not seen a turned clock yet */
	while (!until(arg) && !late)
		assert_int_equal(loop_run(loop), 0);
	timer_fini(&limit);
	waiting_for = NULL;
}

void
wait_until(bool (*until)(void *), void *arg)
{
	wait_ms(until, arg, 60000);
	assert_false(late);
}

/* A minute on the clock for each 20 ms that nothing happens. */
void
turn_until(bool (*until)(void *), void *arg)
{
	for (int minutes = 0; minutes < 500; minutes++) {
		wait_ms(until, arg, 20);
		if (!late)
			return;
		clock_turn(60000, 60000);
	}
	fail_msg("it did not come about");
}

static bool
not_yet(void *arg)
{
	(void)arg;
	return false;
}

void
run_minutes(int n)
{
	for (int i = 0; i < n; i++) {
		wait_ms(not_yet, NULL, 20);
		clock_turn(60000, 60000);
	}
}

bool
is_spooled(void *mail)
{
	return ((struct mail *)mail)->spooled;
}

bool
is_asleep(void *mail)
{
	return ((struct mail *)mail)->asleep;
}

static bool
ring_is_empty(void *arg)
{
	struct store_figures f;

	(void)arg;
	store_figures(store, &f);
	return f.live == 0;
}

/* Only what lies in a sealed segment leaves: a start seals all of them. */
void
leave_ring(void)
{
	reopen();
	turn_until(ring_is_empty, NULL);
}

void
sleep_well(struct mail *m)
{
	assert_int_equal(stored_sleep(m->stored), 0);
	wait_until(is_asleep, m);
}

void
on_woken(void *arg, const struct store_woken *w)
{
	(void)arg;
	woken = *w;
	answered++;
}

bool
is_answered(void *before)
{
	return answered != *(uint32_t *)before;
}

void
wake_due(const char *destination, uint32_t count)
{
	uint32_t before = answered;

	assert_int_equal(store_wake_due(store, slice_str(destination), count, on_woken, NULL), 0);
	wait_until(is_answered, &before);
}

void
wake_look(uint32_t count)
{
	uint32_t before = answered;

	assert_int_equal(store_wake_look(store, count, on_woken, NULL), 0);
	wait_until(is_answered, &before);
}

void
wake_id(uint64_t id)
{
	uint32_t before = answered;

	assert_int_equal(store_wake(store, id, on_woken, NULL), 0);
	wait_until(is_answered, &before);
}

void
on_page(void *arg, const struct store_put *p)
{
	(void)arg;
	paged[npaged++] = *p;
}

void
on_paged(void *arg, uint64_t last, bool failed)
{
	(void)arg;
	paged_last = last;
	paged_failed = failed;
	answered++;
}

void
page(const char *domain, uint64_t after, uint32_t count)
{
	uint32_t before = answered;

	npaged = 0;
	assert_int_equal(store_page(store, slice_str(domain), after, count, on_page, on_paged, NULL), 0);
	wait_until(is_answered, &before);
}
