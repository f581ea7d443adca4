/* test_catalog — records, their rows, destinations, and the walks over them. */
#include "tests/unit/store/shelf.h"

#include <stdio.h>

/* --- records ------------------------------------------------------------------------------------- */

static void
test_put_get_replace_forget(void **state)
{
	struct catalog_record r;
	struct err err;

	(void)state;
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_ABSENT);
	begin();
	plan_init(&plan);
	plan_row(&plan, SLICE_LIT("d1"), PLAN_MAIL, 10);
	assert_int_equal(catalog_put(catalog, &(struct catalog_record){ .id = 1, .version = 3, .large = true, .maybe = true,
	    .folder = UINT64_MAX, .place = UINT32_MAX, .crc = 0xdeadbeef, .size = UINT64_C(1) << 40, .envelope = SLICE_LIT("env") },
	    plan_slice(&plan), &err), 0);
	plan_fini(&plan);
	commit(5000);
	reopen();
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_FOUND);
	assert_true(r.id == 1 && r.version == 3 && r.large && r.maybe && r.folder == UINT64_MAX && r.place == UINT32_MAX &&
	    r.crc == 0xdeadbeef && r.size == UINT64_C(1) << 40);
	assert_slice(r.envelope, "env");
	assert_true(catalog_totals(catalog).messages == 1 && catalog_totals(catalog).bytes == UINT64_C(1) << 40 &&
	    catalog_totals(catalog).clock_ms == 5000);
	begin();
	put_one(1, "d2", 20);
	commit(4000);
	assert_int_equal(catalog_totals(catalog).clock_ms, 5000);	/* never back */
	assert_int_equal(catalog_totals(catalog).bytes, 100);
	assert_int_equal(rows_of("d1"), 0);
	assert_int_equal(rows_of("d2"), 1);
	assert_int_equal(count_destinations(), 1);
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_FOUND);
	assert_true(r.version == 1 && !r.large && !r.maybe);
	begin();
	assert_int_equal(catalog_forget(catalog, 1, &err), 0);
	assert_int_equal(catalog_forget(catalog, 1, &err), 0);
	assert_int_equal(catalog_forget(catalog, 77, &err), 0);
	commit(0);
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_ABSENT);
	assert_int_equal(count_destinations(), 0);
	assert_int_equal(catalog_totals(catalog).messages, 0);
	reopen();
	assert_int_equal(count_destinations(), 0);
}

static void
test_abort(void **state)
{
	struct catalog_record r;
	struct err err;
	int64_t next;

	(void)state;
	begin();
	put_one(1, "d1", 10);
	commit(1);
	begin();
	put_one(2, "d1", 5);
	put_one(1, "d2", 1);
	put_one(3, "d3", 5);
	assert_int_equal(catalog_forget(catalog, 1, &err), 0);
	catalog_abort(catalog);
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_FOUND);
	assert_int_equal(catalog_get(catalog, 2, &r, &err), CATALOG_ABSENT);
	assert_int_equal(rows_of("d1"), 1);
	assert_int_equal(count_destinations(), 1);
	assert_int_equal(catalog_totals(catalog).messages, 1);
	assert_int_equal(due("d1", 100, 9, &next), 1);
	assert_int_equal(due("d2", 100, 9, &next), 0);
	/* A transaction that nobody ended dies with the catalog. */
	begin();
	put_one(9, "d9", 1);
	reopen();
	assert_int_equal(catalog_get(catalog, 9, &r, &err), CATALOG_ABSENT);
	assert_int_equal(count_destinations(), 1);
}

/* It knows how many commits it ever saw, through aborts and openings, and whether those of the ring are among them. */
static void
test_commits(void **state)
{
	static const struct { uint32_t ring; bool current; } rows[] = {
		{ 0, true }, { 2, true }, { 3, false }, { 100, false }, { UINT32_MAX, true }, { UINT32_MAX - 100, true }, { 0x7fffffffu, false },
	};

	(void)state;
	assert_true(catalog_is_current(catalog, 77));	/* a fresh one lost nothing, and goes on from there */
	begin();
	commit(0);
	assert_int_equal(catalog_totals(catalog).commits, 78);
	catalog_close(&catalog);
	open_catalog(true);		/* it has no time yet: not made whole */
	assert_true(catalog_is_current(catalog, UINT32_MAX));
	begin();
	commit(5);
	assert_int_equal(catalog_totals(catalog).commits, 79);
	reopen();
	begin();
	put_one(1, "d1", 10);
	catalog_abort(catalog);
	assert_int_equal(catalog_totals(catalog).commits, 79);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (catalog_is_current(catalog, rows[i].ring + 77) != rows[i].current)
			fail_msg("row %zu", i);
}

/* --- walks --------------------------------------------------------------------------------------- */

static void
test_due_order(void **state)
{
	int64_t next;

	(void)state;
	skipped = 0;
	begin();
	put(10, &(struct row){ "d", PLAN_NOTICE, 1 }, 1, 0, NULL);
	put(11, &(struct row){ "d", PLAN_MAIL, 50 }, 1, 0, NULL);
	put(13, &(struct row){ "d", PLAN_MAIL, 40 }, 1, 0, NULL);
	put(12, &(struct row){ "d", PLAN_MAIL, 40 }, 1, 0, NULL);
	put(14, &(struct row){ "d", PLAN_MAIL, 700 }, 1, 0, NULL);
	put(15, &(struct row){ "d", PLAN_NOTICE, 600 }, 1, 0, NULL);
	put(16, &(struct row){ "other", PLAN_MAIL, 1 }, 1, 0, NULL);
	put(17, &(struct row){ "d", PLAN_MAIL, PLAN_NEVER }, 1, 0, NULL);
	commit(1);
	assert_int_equal(due("d", 100, 64, &next), 4);
	assert_true(ids[0] == 12 && ids[1] == 13 && ids[2] == 11 && ids[3] == 10);
	assert_int_equal(next, 600);
	assert_int_equal(due("d", 100, 2, &next), 2);
	assert_int_equal(next, 1);			/* the notice, behind those that were taken */
	assert_int_equal(due("d", 0, 64, &next), 0);
	assert_int_equal(next, 1);
	assert_int_equal(due("d", 100, 0, &next), 0);
	assert_int_equal(next, 1);
	skipped = 12;
	assert_int_equal(due("d", 100, 64, &next), 3);
	assert_int_equal(ids[0], 13);
	skipped = 15;
	assert_int_equal(due("d", 100, 64, &next), 4);
	assert_int_equal(next, 700);
	skipped = 0;
	assert_int_equal(due("nobody", 100, 64, &next), 0);
	assert_true(next == CATALOG_NEVER);
	assert_int_equal(due("d", PLAN_NEVER, 64, &next), 7);
	assert_true(next == CATALOG_NEVER);
}

static void
test_look(void **state)
{
	struct catalog_ids a;
	struct err err;
	int64_t next;

	(void)state;
	skipped = 3;
	begin();
	for (uint64_t id = 1; id <= 5; id++)
		put(id, NULL, 0, (int64_t)(100 - id * 10), NULL);
	put(6, NULL, 0, 0, NULL);
	commit(1);
	a = asked(64);
	assert_int_equal(catalog_look(catalog, 80, &a, &next, &err), 0);
	assert_int_equal(a.count, 3);
	assert_true(ids[0] == 5 && ids[1] == 4 && ids[2] == 2 && next == 90);
	a = asked(1);
	assert_int_equal(catalog_look(catalog, 80, &a, &next, &err), 0);
	assert_true(a.count == 1 && next == 60);
	a = asked(64);
	assert_int_equal(catalog_look(catalog, 90, &a, &next, &err), 0);
	assert_true(a.count == 4 && next == CATALOG_NEVER);
	skipped = 0;
}

static void
test_walk(void **state)
{
	struct catalog_ids a;
	struct err err;

	(void)state;
	begin();
	for (uint64_t id = 1; id <= 9; id++)
		put(id, NULL, 0, 0, id % 3 == 0 ? "Example.ORG" : "example.or");
	commit(1);
	a = asked(4);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT(""), 2, &a, &err), 0);
	assert_true(a.count == 4 && ids[0] == 3 && ids[3] == 6);
	a = asked(64);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT("example.org"), 3, &a, &err), 0);
	assert_true(a.count == 2 && ids[0] == 6 && ids[1] == 9);
	a = asked(64);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT("example.or"), 0, &a, &err), 0);
	assert_int_equal(a.count, 6);
	a = asked(64);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT("nobody"), 0, &a, &err), 0);
	assert_int_equal(a.count, 0);
	a = asked(64);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT(""), UINT64_MAX, &a, &err), 0);
	assert_int_equal(a.count, 0);
	a = asked(0);
	assert_int_equal(catalog_walk(catalog, SLICE_LIT(""), 0, &a, &err), 0);
	assert_int_equal(a.count, 0);
}

static void
test_destinations_after_reopen(void **state)
{
	int64_t next;
	struct err err;

	(void)state;
	begin();
	put_one(1, "d1", 500);
	put_one(2, "d1", 300);
	put(3, (struct row[]){ { "d1", PLAN_MAIL, 700 }, { "d1", PLAN_MAIL, 700 }, { "d2", PLAN_NOTICE, 9 } }, 3, 0, NULL);
	commit(1);
	reopen();
	assert_int_equal(rows_of("d1"), 3);		/* the same row twice is one */
	assert_int_equal(found.earliest_ms, 300);
	assert_int_equal(count_destinations(), 2);
	begin();
	assert_int_equal(catalog_forget(catalog, 2, &err), 0);
	commit(1);
	reopen();
	assert_int_equal(rows_of("d1"), 2);
	assert_true(found.earliest_ms <= 500);		/* a lower bound */
	assert_int_equal(due("d1", 1000, 9, &next), 2);
	begin();
	put_one(4, "d1", 800);
	commit(1);
	reopen();
	assert_int_equal(rows_of("d1"), 3);
	assert_int_equal(found.earliest_ms, 500);	/* seen by the walk, written with the next change */
}

static void
test_many_rows_and_long_envelopes(void **state)
{
	static char name[64], envelope[900000];
	struct catalog_record r;
	struct err err;
	int64_t next;

	(void)state;
	for (size_t i = 0; i < sizeof(envelope); i++)
		envelope[i] = (char)(i * 7);
	for (int round = 0; round < 3; round++) {
		begin();
		plan_init(&plan);
		for (int i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "destination %d", i + round * 5000);
			plan_row(&plan, slice_str(name), PLAN_MAIL, i);
			plan_domain(&plan, slice_str(name));
		}
		assert_false(plan_failed(&plan));
		assert_int_equal(put_plan(1, 1, slice_of(envelope, sizeof(envelope) - (size_t)round), 1), 0);
		plan_fini(&plan);
		commit(1);
		assert_int_equal(count_destinations(), 10000);
	}
	reopen();
	assert_int_equal(count_destinations(), 10000);
	assert_int_equal(due("destination 19999", 10000, 9, &next), 1);
	assert_int_equal(due("destination 9999", 10000, 9, &next), 0);
	assert_int_equal(catalog_get(catalog, 1, &r, &err), CATALOG_FOUND);
	assert_int_equal(r.envelope.len, sizeof(envelope) - 2);
	assert_memory_equal(r.envelope.p, envelope, r.envelope.len);
	begin();
	assert_int_equal(catalog_forget(catalog, 1, &err), 0);
	commit(1);
	assert_int_equal(count_destinations(), 0);
	assert_int_equal(catalog_compact(catalog, &err), 0);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_put_get_replace_forget), T(test_abort), T(test_commits), T(test_due_order), T(test_look), T(test_walk),
		T(test_destinations_after_reopen), T(test_many_rows_and_long_envelopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
