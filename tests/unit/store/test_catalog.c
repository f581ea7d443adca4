/* catalog: records, their rows, destinations, and what failing calls leave. */
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "queue/store/catalog.h"
#include "queue/store/database.h"

static char directory[64];
static struct catalog *catalog;

static void
open_catalog(bool fresh)
{
	struct err err = { 0 };

	if (catalog_open(&catalog, directory, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(catalog_totals(catalog).clock_ms == 0, fresh);
}

static void
reopen(void)
{
	catalog_close(&catalog);
	open_catalog(false);
}

static int
setup(void **state)
{
	(void)state;
	database_forgive();		/* a test before this one may have seen a sync fail */
	snprintf(directory, sizeof(directory), "/tmp/test-catalog-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_catalog(true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	catalog_close(&catalog);
	tempdir_remove(directory);
	return 0;
}

/* --- small hands --------------------------------------------------------------------------------- */

struct row {
	const char		*destination;
	enum plan_priority	 priority;
	int64_t			 due_ms;
};

static struct plan plan;

static int
put_plan(uint64_t id, uint32_t version, struct slice envelope, uint64_t size)
{
	struct catalog_record r = { .id = id, .version = version, .folder = UINT64_C(7) << 32 | 1, .place = 99, .crc = 5,
	    .size = size, .envelope = envelope };
	struct err err;

	return catalog_put(catalog, &r, plan_slice(&plan), &err);
}

static void
put(uint64_t id, const struct row *rows, size_t n, int64_t look_ms, const char *domain)
{
	plan_init(&plan);
	for (size_t i = 0; i < n; i++)
		plan_row(&plan, slice_str(rows[i].destination), rows[i].priority, rows[i].due_ms);
	if (look_ms != 0)
		plan_look(&plan, look_ms);
	if (domain != NULL)
		plan_domain(&plan, slice_str(domain));
	assert_int_equal(put_plan(id, 1, SLICE_LIT("envelope"), 100), 0);
	plan_fini(&plan);
}

static void
put_one(uint64_t id, const char *destination, int64_t due_ms)
{
	put(id, &(struct row){ destination, PLAN_MAIL, due_ms }, 1, 0, NULL);
}

static void
begin(void)
{
	struct err err;

	assert_int_equal(catalog_begin(catalog, &err), 0);
}

static void
commit(int64_t clock_ms)
{
	struct err err;

	assert_int_equal(catalog_commit(catalog, clock_ms, &err), 0);
}

static uint64_t ids[64];
static uint64_t skipped;

static bool
skip_one(void *arg, uint64_t id)
{
	(void)arg;
	return id == skipped;
}

static struct catalog_ids
asked(uint32_t count)
{
	memset(ids, 0, sizeof(ids));
	return (struct catalog_ids){ ids, count, skip_one, NULL };
}

static uint32_t
due(const char *destination, int64_t until_ms, uint32_t count, int64_t *next)
{
	struct catalog_ids a = asked(count);
	struct err err;

	assert_int_equal(catalog_due(catalog, slice_str(destination), until_ms, &a, next, &err), 0);
	return a.count;
}

static struct catalog_destination found;
static char found_name[64];
static uint32_t destinations;

static void
each(void *arg, const struct catalog_destination *d)
{
	const char *wanted = arg;

	destinations++;
	if (wanted != NULL && d->name.len == strlen(wanted) && memcmp(d->name.p, wanted, d->name.len) == 0) {
		found = *d;
		snprintf(found_name, sizeof(found_name), "%s", wanted);
	}
}

/* How many rows name it. */
static uint64_t
rows_of(const char *destination)
{
	found = (struct catalog_destination){ 0 };
	destinations = 0;
	catalog_each_destination(catalog, each, (void *)(uintptr_t)destination);
	return found.messages;
}

static uint32_t
count_destinations(void)
{
	(void)rows_of("");
	return destinations;
}

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

/* --- damage -------------------------------------------------------------------------------------- */

/* One byte of the file is another: what is answered then is an error, or still true. */
static void
test_a_flipped_byte_is_never_silent(void **state)
{
	char path[128], byte;
	uint32_t errors = 0;
	struct stat st;
	int fd;

	(void)state;
	begin();
	for (uint64_t id = 1; id <= 40; id++)
		put(id, &(struct row){ "d1", PLAN_MAIL, 10 }, 1, 5, "example.org");
	commit(1);
	reopen();		/* ends with a checkpoint: the next recovery has nothing to write again */
	catalog_close(&catalog);
	snprintf(path, sizeof(path), "%s/catalog.db", directory);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 509) {
		struct catalog_record r;
		struct err err = { 0 };
		bool bad = false;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte = (char)(byte ^ 0x10);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		if (catalog_open(&catalog, directory, &err) == -1) {
			bad = true;
		} else {
			for (uint64_t id = 1; id <= 40 && !bad; id++)
				switch (catalog_get(catalog, id, &r, &err)) {
				case CATALOG_FOUND:
					assert_slice(r.envelope, "envelope");
					break;
				case CATALOG_FAILED:
					bad = true;
					break;
				default:
					fail_msg("byte %lld: a record is silently gone", (long long)at);
				}
			catalog_close(&catalog);
		}
		errors += bad;
		byte = (char)(byte ^ 0x10);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	fd_close(&fd);
	assert_true(errors > 0);
	open_catalog(false);
}

/* --- failing calls ------------------------------------------------------------------------------- */

#ifdef POSTHORN_FAULTS

static int
transaction(uint64_t id, const char *destination, struct err *err)
{
	struct catalog_record r = { .id = id, .version = 1, .size = 10, .envelope = SLICE_LIT("e") };
	int rc;

	if (catalog_begin(catalog, err) == -1)
		return -1;
	plan_init(&plan);
	plan_row(&plan, slice_str(destination), PLAN_MAIL, 10);
	rc = plan_failed(&plan) ? -1 : catalog_put(catalog, &r, plan_slice(&plan), err);
	plan_fini(&plan);
	if (rc == 0)
		return catalog_commit(catalog, 1, err);
	catalog_abort(catalog);
	return -1;
}

static void
test_sync_fails(void **state)
{
	struct err err = { 0 };

	(void)state;
	fault_plan("store-sync:1:EIO");
	assert_int_equal(transaction(1, "d1", &err), -1);
	assert_true(catalog_is_distrusted(catalog));
	assert_int_equal(transaction(2, "d1", &err), -1);	/* not asked a second time */
	fault_plan(NULL);
}

/* The disk is full for one write, or for all of a transaction: an error that passes, and the next one works. */
static void
test_full_disk(void **state)
{
	struct catalog_record r;
	struct err err = { 0 };
	char plan_text[40], name[20];
	uint64_t id = 1;

	(void)state;
	for (int n = 1; n <= 6; n++)
		for (int forever = 0; forever < 2; forever++) {
			int rc;

			snprintf(plan_text, sizeof(plan_text), "catalog-write:%d%s:ENOSPC", n, forever ? "+" : "");
			ROW(n, plan_text);
			fault_plan(plan_text);
			snprintf(name, sizeof(name), "d%d", n);
			rc = transaction(++id, name, &err);
			fault_plan(NULL);
			if (rc == -1) {
				assert_int_equal(err.code, ENOSPC);
				assert_int_equal(catalog_get(catalog, id, &r, &err), CATALOG_ABSENT);
			} else {
				assert_int_equal(catalog_get(catalog, id, &r, &err), CATALOG_FOUND);
			}
			assert_false(catalog_is_distrusted(catalog));
			if (transaction(++id, name, &err) == -1)
				fail_msg("%s", err.text);
			assert_int_equal(catalog_get(catalog, id, &r, &err), CATALOG_FOUND);
		}
	reopen();
	assert_int_equal(catalog_get(catalog, id, &r, &err), CATALOG_FOUND);
}

/* Without memory a catalog opens whole or not at all. */
static void __attribute__((unused))
test_no_memory_to_open(void **state)
{
	char plan_text[32], name[24];
	struct err err = { 0 };
	int opened = 0;

	(void)state;
	begin();
	for (uint64_t id = 1; id <= 30; id++) {
		snprintf(name, sizeof(name), "destination %d", (int)id);
		put_one(id, name, 10);
	}
	commit(1);
	catalog_close(&catalog);
	for (int n = 1; n < 3000 && opened < 3; n++) {
		bool good;

		snprintf(plan_text, sizeof(plan_text), "alloc:%d:ENOMEM", n);
		fault_plan(plan_text);
		good = catalog_open(&catalog, directory, &err) == 0;
		opened += fault_count("alloc") < n;
		fault_plan(NULL);
		if (!good)
			continue;
		if (count_destinations() != 30 || catalog_totals(catalog).clock_ms == 0)
			fail_msg("%s: opened with %u of 30 destinations", plan_text, count_destinations());
		catalog_close(&catalog);
	}
	open_catalog(false);
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

/* The n-th allocation of a transaction fails, and the one behind it: aborted, and destinations stay what they were. */
static void __attribute__((unused))
test_no_memory_to_abort(void **state)
{
	char plan_text[64];
	struct err err = { 0 };
	int64_t next;

	(void)state;
	begin();
	put_one(1, "d1", 10);
	put_one(2, "d2", 10);
	put_one(3, "d3", 10);
	commit(1);
	for (int n = 1; n < 12; n++) {
		snprintf(plan_text, sizeof(plan_text), "catalog-change:2:ENOSPC,alloc:%d+:ENOMEM", n);
		ROW(n, plan_text);
		fault_plan(plan_text);
		(void)transaction(10, "new", &err);
		fault_plan(NULL);
		(void)transaction(11, "newer", &err);
		reopen();
		for (int i = 1; i <= 3; i++) {
			char name[3] = { 'd', (char)('0' + i), '\0' };

			assert_int_equal(rows_of(name), 1);
			assert_int_equal(due(name, 100, 9, &next), 1);
			assert_int_equal(ids[0], i);
		}
		begin();
		assert_int_equal(catalog_forget(catalog, 10, &err), 0);
		assert_int_equal(catalog_forget(catalog, 11, &err), 0);
		commit(1);
	}
}
#endif

#ifdef POSTHORN_SANITIZERS
/* libdb 5.3 forgets memory when an allocation fails half way; that is not what this program looks for. */
const char	*__lsan_default_suppressions(void) __attribute__((visibility("default")));

const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb";
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_put_get_replace_forget), T(test_abort), T(test_due_order), T(test_look), T(test_walk),
		T(test_destinations_after_reopen), T(test_many_rows_and_long_envelopes), T(test_commits), T(test_a_flipped_byte_is_never_silent),
#ifdef POSTHORN_FAULTS
		T(test_sync_fails), T(test_full_disk), 
#ifndef POSTHORN_SANITIZERS	/* libdb 5.3 leaks its environment when that cannot be opened for want of memory */
		T(test_no_memory_to_open), T(test_no_memory_to_abort),
#endif
		
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
