/* test_catalog_trouble — a catalog with a damaged byte, and what failing calls leave of a transaction. */
#include "tests/unit/store/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"

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
		T(test_a_flipped_byte_is_never_silent),
#ifdef POSTHORN_FAULTS
		T(test_sync_fails), T(test_full_disk),
#ifndef POSTHORN_SANITIZERS	/* libdb 5.3 leaks its environment when that cannot be opened for want of memory */
		T(test_no_memory_to_open), T(test_no_memory_to_abort),
#endif
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
