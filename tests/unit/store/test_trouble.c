/* store: starts over a ring that is full and over an evacuation cut off, and works on, while calls fail; no mail is lost by it. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "queue/store/inside.h"

#ifdef POSTHORN_FAULTS

static char big[600000];
static struct err err;

static bool
has_hunted(void *arg)
{
	bool hunted;

	(void)arg;
	pthread_mutex_lock(&store->evacuator.lock);
	hunted = store->evacuator.hunted;
	pthread_mutex_unlock(&store->evacuator.lock);
	return hunted;
}

/* The ring is full: a start has to make room first, whatever fails while it does. */
static void
full_ring(const char *point, const char *error)
{
	uint32_t all = 0, found;
	char plan[64];

	fault_plan("catalog-commit:1+:ENOSPC");	/* nothing leaves the ring */
	for (int i = 0; i < 3; i++) {
		reopen();
		while (full == 0) {
			put(STORE_DONE, "d1", big, sizeof(big) / 2);
			wait_answers(1);
		}
		all += durable;
	}
	close_store();
	fault_plan(NULL);
	for (int n = 1, more = 1; more != 0 && n < 40; n++) {
		snprintf(plan, sizeof(plan), "%s:%d:%s", point, n, error);
		ROW(n, plan);
		if (open_with(plan)) {
			more = fault_count(point) >= n;
			fault_plan(NULL);
			close_store();
		}
		fault_plan(NULL);
	}
	open_store();
	npaged = 0;
	if (plans) {
		wait_until(has_hunted, NULL);
		page("", 0, 200);
		assert_false(paged_failed);
	}
	found = npaged;
	for (uint32_t i = 0; i < nmails; i++) {
		bool twice = false;

		for (uint32_t k = 0; k < npaged; k++)
			twice = twice || paged[k].id == mails[i].id;
		found += !twice;
	}
	assert_int_equal(found, all);
}

static void
test_full_ring_without_memory(void **state)
{
	/* Copied forward, each failing start takes of what is left of the ring; the spool gives it back. */
	if (plans) {
		full_ring("alloc", "ENOMEM");
		again(state);
	}
	full_ring("store-write", "EIO");
	again(state);
	full_ring("store-sync", "EIO");
}

/* Killed when the catalog knew and the ring did not: the record of a file that is gone counts for nothing. */
static void
evacuate_first(void)
{
	run_minutes(100);
}

static void
test_record_without_a_file(void **state)
{
	static const char *const plans_of_failure[] = { "", "catalog-begin:1:ENOSPC", "catalog-change:1:ENOSPC", "catalog-commit:1:ENOSPC" };
	char path[200], content[7];

	for (size_t i = 0; i < sizeof(plans_of_failure) / sizeof(plans_of_failure[0]); i++) {
		if (i > 0)
			again(state);
		put(STORE_CLIENT, "d1", "content", 7);
		wait_answers(1);
		assert_true(killed_at("step-evacuate-5:1:KILL", evacuate_first));
		assert_true(spool_file_of(mails[0].id, path));
		assert_int_equal(unlink(path), 0);
		if (i > 0) {
			assert_false(open_with(plans_of_failure[i]));
			fault_plan(NULL);
		}
		open_store();
		assert_int_equal(nmails, 1);
		assert_false(stored_is_spooled(mails[0].stored));
		assert_int_equal(stored_read(mails[0].stored, 0, content, 7, &err), 0);
		page("", 0, 9);
		assert_int_equal(npaged, 0);
	}
}

/* Trouble while what cannot be served is set aside, and while a catalog is made anew. */
static void
test_rebuild_and_failing_calls(void **state)
{
	static const struct { const char *point, *error; } rows[] = {
		{ "store-rename", "EIO" }, { "store-mkdir", "ENOSPC" }, { "catalog-begin", "ENOSPC" }, { "catalog-change", "ENOSPC" },
		{ "catalog-commit", "ENOSPC" }, { "catalog-write", "ENOSPC" }, { "store-sync", "EIO" },
	};
	char plan[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int n = 1; n < 5; n++) {
			again(state);
			one_asleep();
			close_store();
			empty_folder("db");
			snprintf(plan, sizeof(plan), "%s:%d:%s", rows[i].point, n, rows[i].error);
			ROW(n, plan);
			if (open_with(plan))
				close_store();
			fault_plan(NULL);
			open_store();
			page("", 0, 9);
			assert_int_equal(npaged, 1);
			wake_id(paged[0].id);
			assert_int_equal(woken.count, 1);
			assert_int_equal(stored_size(mails[0].stored), 7);
		}
}

/* Surplus segments and orphans that cannot be unlinked stop no start. */
static void
test_unlinks_that_fail(void **state)
{
	(void)state;
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	conf.segments = 12;
	open_store();
	close_store();
	make_file("spool/large/00000000000G1", "x");
	conf.segments = 8;
	fault_plan("store-unlink:1+:EIO");
	open_store();
	assert_int_equal(nmails, 1);
	assert_int_equal(files_in("journal"), 12);
	assert_int_equal(files_in("spool/large"), 1);
	close_store();
	fault_plan(NULL);
	open_store();
	assert_int_equal(files_in("journal"), 8);
	assert_int_equal(files_in("spool/large"), 0);
}

/* Copied forward without the n-th allocation: what lives is whole, and the ring goes on turning. */
static void
test_copy_without_memory(void **state)
{
	struct mail *old = put(STORE_CLIENT, "the old one", "old content", 11);
	char plan[32], content[11];

	(void)state;
	wait_answers(1);
	for (int n = 1; n < 60; n++) {
		if (n % 3 == 1) {
			snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
			fault_plan(plan);
		}
		for (int i = 0; i < 3; i++) {
			struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
			struct store_put p = { .envelope = SLICE_LIT("e"), .content = slice_of(big, sizeof(big)) };
			struct stored *s;

			if (c == NULL)
				continue;
			assert_int_equal(store_next_ids(store, 1, &p.id), 0);
			durable = 0;
			if ((s = change_put(c, &p, &mails[MANY - 1])) == NULL) {
				change_drop(&c);
				continue;
			}
			store_commit(store, &c, 0);
			wait_answers(1);
			if (durable == 0)
				continue;
			fault_plan(NULL);
			c = change_new(store, STORE_DONE, on_answer, NULL);
			assert_int_equal(change_done(c, s), 0);
			store_commit(store, &c, 0);
			wait_answers(1);
		}
	}
	fault_plan(NULL);
	assert_int_equal(stored_read(old->stored, 0, content, 11, &err), 0);
	assert_memory_equal(content, "old content", 11);
	reopen();
	assert_int_equal(nmails, 1);
	assert_string_equal(mails[0].envelope, "the old one");
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
#ifdef POSTHORN_FAULTS
		T(test_full_ring_without_memory), P(test_full_ring_without_memory), P(test_record_without_a_file),
		P(test_rebuild_and_failing_calls), T(test_unlinks_that_fail), T(test_copy_without_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
