/* sleep: who may be put to sleep, who is woken by what, who is shown; and what is lent is not brought up twice. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "queue/store/inside.h"

#define HOUR	INT64_C(3600000)

/* `n` messages of these envelopes in the spool, awake, in mails[0..n-1]. */
static void
spool_all(const char *const *envelopes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		put(STORE_CLIENT, envelopes[i], "content", 7);
		wait_answers(1);
	}
	leave_ring();
	assert_int_equal(nmails, n);
}

static const char *const three[] = { "d1 example.org", "d1 Example.ORG", "d2 example.net" };

static struct mail *
newest(void)
{
	return &mails[nmails - 1];
}

static bool
pending_is_none(void *mail)
{
	return ((struct mail *)mail)->stored->pending == 0;
}

/* --- who may sleep ------------------------------------------------------------------------------- */

static void
test_who_may_sleep(void **state)
{
	struct mail *m;

	(void)state;
	m = put(STORE_CLIENT, "d1", "content", 7);
	wait_answers(1);
	assert_false(stored_is_spooled(m->stored));
	assert_int_equal(stored_sleep(m->stored), -1);		/* the ring has it */
	leave_ring();
	m = &mails[0];
	assert_true(stored_is_spooled(m->stored));
	state_of(m, "s", 1, 0);
	assert_int_equal(stored_sleep(m->stored), -1);		/* a state is on its way */
	wait_answers(1);
	wait_until(pending_is_none, m);
	store->evacuation.failing = true;
	store->evacuation.again_ms = loop_now(store->loop) + 60000;
	assert_int_equal(stored_sleep(m->stored), -1);		/* nothing leaves for now */
	store->evacuation.again_ms = 0;
	assert_int_equal(stored_sleep(m->stored), 0);
	assert_int_equal(stored_sleep(m->stored), -1);		/* asked already */
	wait_until(is_asleep, m);
	assert_false(store->evacuation.failing);
	wake_id(m->id);
	assert_int_equal(woken.count, 1);
	m = newest();
	done(m);
	assert_int_equal(stored_sleep(m->stored), -1);		/* it is finishing */
	wait_answers(1);
}

/* No order about it is under way. */
static bool
is_idle(void *mail)
{
	return (((struct mail *)mail)->stored->flags & STORED_ORDERED) == 0;
}

static bool
spool_is_empty(void *arg)
{
	(void)arg;
	return spool_files() == 0;
}

static uint32_t before_told;

static bool
told_again(void *arg)
{
	(void)arg;
	return asleep_told > before_told;
}

/* Its owner changes its mind, or something came while it dozed: it stays awake, and is whole. */
static void
test_awake_after_all(void **state)
{
	struct mail *m;

	(void)state;
	spool_all(three, 1);
	m = &mails[0];
	m->stubborn = true;
	before_told = asleep_told;
	assert_int_equal(stored_sleep(m->stored), 0);
	wait_until(told_again, NULL);
	assert_false(m->asleep);
	wake_due("d1", 5);
	assert_int_equal(woken.count, 0);			/* still lent */
	m->stubborn = false;
	before_told = asleep_told;
	assert_int_equal(stored_sleep(m->stored), 0);
	state_of(m, "late", 4, 0);				/* now it may not */
	wait_answers(1);
	turn_until(is_idle, m);
	assert_int_equal(asleep_told, before_told);
	assert_false(m->asleep);
	sleep_well(m);
	wake_id(m->id);
	assert_int_equal(woken.count, 1);
	assert_int_equal(newest()->version, 2);
}

/* Its DONE came while it dozed: it is gone and nobody wakes it. */
static void
test_finished_while_dozing(void **state)
{
	struct store_figures f;
	uint64_t id;

	(void)state;
	spool_all(three, 1);
	id = mails[0].id;
	assert_int_equal(stored_sleep(mails[0].stored), 0);
	done(&mails[0]);
	wait_answers(1);
	turn_until(spool_is_empty, NULL);
	assert_int_equal(asleep_told, 0);
	wake_id(id);
	assert_int_equal(woken.count, 0);
	store_figures(store, &f);
	assert_int_equal(f.spooled, 0);
}

/* --- who is woken by what ------------------------------------------------------------------------ */

static void
test_due(void **state)
{
	int64_t now;

	(void)state;
	spool_all(three, 3);
	now = store_now(store);
	mails[0].due_ms = now + HOUR;
	mails[1].due_ms = now + 2 * HOUR;
	for (uint32_t i = 0; i < 3; i++)
		sleep_well(&mails[i]);
	wake_due("d1", 9);
	assert_true(woken.count == 0 && !woken.failed);
	assert_int_equal(woken.next_ms, now + HOUR);
	wake_due("nobody", 9);
	assert_true(woken.count == 0 && woken.next_ms == PLAN_NEVER);
	clock_turn(3 * HOUR, 0);
	wake_due("d1", 0);
	assert_true(woken.count == 0 && woken.next_ms == now + HOUR);
	wake_due("d1", 1);
	assert_int_equal(woken.count, 1);
	assert_int_equal(newest()->id, mails[0].id);		/* the earlier one */
	assert_int_equal(woken.next_ms, now + 2 * HOUR);
	wake_due("d1", 9);
	assert_int_equal(woken.count, 1);			/* what is awake is not brought up again */
	assert_int_equal(newest()->id, mails[1].id);
	assert_true(woken.next_ms == PLAN_NEVER);
	wake_due("d2", 9);
	assert_int_equal(woken.count, 1);
	assert_int_equal(nmails, 6);
}

static void
test_look(void **state)
{
	int64_t now;

	(void)state;
	spool_all(three, 3);
	now = store_now(store);
	mails[0].look_ms = now + 2 * HOUR;
	mails[2].look_ms = now + HOUR;
	for (uint32_t i = 0; i < 3; i++)
		sleep_well(&mails[i]);
	wake_look(9);
	assert_true(woken.count == 0 && woken.next_ms == now + HOUR);
	clock_turn(90 * 60000, 0);
	wake_look(9);
	assert_true(woken.count == 1 && newest()->id == mails[2].id);
	assert_int_equal(woken.next_ms, now + 2 * HOUR);
	clock_turn(HOUR, 0);
	wake_look(9);
	assert_true(woken.count == 1 && woken.next_ms == PLAN_NEVER);
}

static void
test_by_id(void **state)
{
	char content[7];
	struct err err;
	struct mail *m;

	(void)state;
	spool_all(three, 1);
	wake_id(mails[0].id);
	assert_int_equal(woken.count, 0);			/* is awake */
	sleep_well(&mails[0]);
	wake_id(mails[0].id + 99);
	assert_int_equal(woken.count, 0);			/* is not there */
	wake_id(mails[0].id);
	assert_int_equal(woken.count, 1);
	m = newest();
	assert_true(m->id == mails[0].id && m->spooled && m->size == 7);
	assert_string_equal(m->envelope, three[0]);
	assert_int_equal(stored_read(m->stored, 0, content, 7, &err), 0);
	assert_memory_equal(content, "content", 7);
	wake_id(mails[0].id);
	assert_int_equal(woken.count, 0);
}

static void
test_pages_that_wake(void **state)
{
	static const char *const five[] = { "d1 a.example", "d1 b.example", "d2 a.example", "d3", "d1 a.example" };
	uint32_t before = 0, total = 0, rounds = 0;
	uint64_t after = 0;

	(void)state;
	spool_all(five, 5);
	for (uint32_t i = 0; i < 5; i++)
		sleep_well(&mails[i]);
	assert_int_equal(store_wake_page(store, SLICE_LIT("A.Example"), 0, 9, on_woken, NULL), 0);
	wait_until(is_answered, &before);
	assert_true(woken.count == 3 && woken.last == 0);
	do {
		before = answered;
		assert_int_equal(store_wake_page(store, slice_of("", 0), after, 1, on_woken, NULL), 0);
		wait_until(is_answered, &before);
		assert_true(woken.count <= 1);
		total += woken.count;
		after = woken.last;
	} while (after != 0 && ++rounds < 20);
	assert_int_equal(total, 2);				/* the others are awake already */
}

static void
test_pages(void **state)
{
	uint64_t after = 0;
	uint32_t seen = 0;

	(void)state;
	spool_all(three, 3);
	sleep_well(&mails[1]);
	page("", 0, 9);
	assert_true(npaged == 3 && paged_last == 0 && !paged_failed);
	assert_true(paged[0].awake && !paged[1].awake && paged[2].awake);
	assert_true(paged[0].id == mails[0].id && paged[2].id == mails[2].id);
	page("EXAMPLE.org", 0, 9);
	assert_int_equal(npaged, 2);
	page("example.com", 0, 9);
	assert_true(npaged == 0 && paged_last == 0);
	page("", 0, 0);
	assert_true(npaged == 0 && paged_last == 0);
	do {
		page("", after, 1);
		seen += npaged;
		after = paged_last;
	} while (after != 0 && seen < 9);
	assert_int_equal(seen, 3);
	assert_int_equal(nmails, 3);				/* nobody was woken */
}

/* --- who cannot be shown ------------------------------------------------------------------------- */

/* Its envelope cannot be read: it stays in the spool, is not asked for again and stops nobody. */
static void
test_unreadable(void **state)
{
	(void)state;
	spool_all(three, 2);
	sleep_well(&mails[0]);
	sleep_well(&mails[1]);
	refuse_envelopes = true;
	wake_due("d1", 1);
	assert_true(woken.count == 0 && !woken.failed);
	refuse_envelopes = false;
	wake_due("d1", 9);
	assert_int_equal(woken.count, 1);			/* the other one */
	assert_int_equal(spool_files(), 2);
	reopen();
	wake_due("d1", 9);
	assert_int_equal(woken.count, 2);
}

/* Its owner has no memory for it: it sleeps on, and the next question finds it. */
static void
test_no_memory_for_it(void **state)
{
	(void)state;
	spool_all(three, 1);
	sleep_well(&mails[0]);
	no_memory = true;
	wake_due("d1", 9);
	assert_int_equal(woken.count, 0);
	no_memory = false;
	wake_due("d1", 9);
	assert_int_equal(woken.count, 1);
}

/* --- the end ------------------------------------------------------------------------------------- */

/* What was asked when the store closes is answered, once, with words or with "ask again". */
static void
test_questions_at_the_end(void **state)
{
	uint32_t before;

	(void)state;
	spool_all(three, 2);
	sleep_well(&mails[0]);
	before = answered;
	assert_int_equal(store_wake_due(store, SLICE_LIT("d1"), 5, on_woken, NULL), 0);
	assert_int_equal(store_wake_look(store, 5, on_woken, NULL), 0);
	assert_int_equal(store_wake(store, mails[0].id, on_woken, NULL), 0);
	assert_int_equal(store_page(store, slice_of("", 0), 0, 9, on_page, on_paged, NULL), 0);
	assert_int_equal(stored_sleep(mails[1].stored), 0);
	close_store();
	assert_int_equal(answered, before + 4);
	open_store();
	page("", 0, 9);
	assert_int_equal(npaged, 2);
}

#ifdef POSTHORN_FAULTS

/* No memory for a question: nothing was asked, nothing runs; or it is asked and answered, and whoever slept sleeps on. */
static void
test_no_memory_to_ask(void **state)
{
	char plan[32];

	(void)state;
	spool_all(three, 1);
	sleep_well(&mails[0]);
	for (int kind = 0; kind < 5; kind++)
		for (int n = 1, more = 1; more != 0 && n < 40; n++) {
			uint32_t before = answered;
			int rc = -1;

			npaged = 0;
			snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
			ROW(n, plan);
			fault_plan(plan);
			if (kind == 0)
				rc = store_wake_due(store, SLICE_LIT("d1"), 1, on_woken, NULL);
			else if (kind == 1)
				rc = store_wake_look(store, 1, on_woken, NULL);
			else if (kind == 2)
				rc = store_wake(store, mails[0].id, on_woken, NULL);
			else if (kind == 3)
				rc = store_wake_page(store, slice_of("", 0), 0, 1, on_woken, NULL);
			else
				rc = store_page(store, slice_of("", 0), 0, 5, on_page, on_paged, NULL);
			if (rc == 0)
				wait_until(is_answered, &before);
			else
				run_minutes(1);
			more = fault_count("alloc") >= n;
			fault_plan(NULL);
			assert_int_equal(answered, before + (rc == 0));
			assert_int_equal(broken_told, 0);
			for (uint32_t i = 1; i < nmails; i++)
				if (mails[i].stored != NULL)
					sleep_well(&mails[i]);
			nmails = 1;
		}
	wake_due("d1", 9);
	if (woken.count == 0)		/* one that could not be released is found by the next start */
		reopen();
	page("", 0, 9);
	assert_int_equal(npaged, 1);
}

/* The catalog says no once: asked again, it answers. */
static void
test_catalog_says_no(void **state)
{
	(void)state;
	spool_all(three, 1);
	sleep_well(&mails[0]);
	fault_plan("catalog-read:1:ENOMEM");
	wake_due("d1", 9);
	fault_plan(NULL);
	assert_true(woken.failed && woken.count == 0);
	assert_int_equal(broken_told, 0);
	wake_due("d1", 9);
	assert_true(!woken.failed && woken.count == 1);
	/* Trouble that does not pass: it is set aside, everybody hears so, and the next start has the mail again. */
	sleep_well(newest());
	fault_plan("catalog-read:1:EIO");
	wake_due("d1", 9);
	fault_plan(NULL);
	assert_true(woken.failed);
	run_minutes(1);
	assert_int_equal(broken_told, 1);
	wake_due("d1", 9);
	assert_true(woken.failed);			/* by then nobody answers */
	reopen();
	wake_due("", 9);
	assert_int_equal(woken.count, 1);
	assert_true(newest()->maybe);
	assert_int_equal(spool_files(), 1);
}
#endif

int
main(void)
{
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		P(test_who_may_sleep), P(test_awake_after_all), P(test_finished_while_dozing), P(test_due), P(test_look), P(test_by_id),
		P(test_pages_that_wake), P(test_pages), P(test_unreadable), P(test_no_memory_for_it), P(test_questions_at_the_end),
#ifdef POSTHORN_FAULTS
		P(test_no_memory_to_ask), P(test_catalog_says_no),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
