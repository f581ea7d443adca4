/* test_dblog — the log of a real catalog, cut off and damaged at every place. */
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "queue/store/catalog.h"
#include "queue/store/dblog.h"

#define FLUSH_MAX	(512u * 1024)

static char directory[64], path[96];
static char *bytes;
static size_t size, end, last;		/* of the file; where its records end, where the last one begins */

static void
fill(void)
{
	struct catalog *c;
	struct err err = { 0 };

	if (catalog_open(&c, directory, &err) == -1)
		fail_msg("%s", err.text);
	for (uint64_t id = 1; id <= 3; id++) {
		assert_int_equal(catalog_begin(c, &err), 0);
		assert_int_equal(catalog_put(c, &(struct catalog_record){ .id = id, .version = 1, .envelope = SLICE_LIT("envelope") },
		    slice_of("", 0), &err), 0);
		assert_int_equal(catalog_commit(c, 1000, &err), 0);
	}
	catalog_close(&c);
}

static int
setup(void **state)
{
	uint32_t len;
	struct stat st;
	int fd;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test-dblog-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fill();
	snprintf(path, sizeof(path), "%s/log.0000000001", directory);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	assert_non_null(bytes = malloc(size));
	assert_int_equal(fd_pread_full(fd, bytes, size, 0), size);
	close(fd);
	for (end = 0; memcpy(&len, bytes + end + 4, 4), len != 0; end += len)
		last = end;
	assert_true(end > 10000 && last > 10000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(bytes);
	tempdir_remove(directory);
	return 0;
}

static void
test_good(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dblog_check_file(slice_of(bytes, size), true), 0);
	assert_int_equal(dblog_check_file(slice_of(bytes, size), false), 0);
	assert_int_equal(dblog_check_file(slice_of(bytes, end), true), 0);
	assert_int_equal(dblog_check(directory, &err), 0);
	assert_int_equal(dblog_check_file(slice_of(bytes, 0), true), 0);
}

/* The power was cut while the last records were written. Behind such a file there is no other. */
static void
test_torn(void **state)
{
	(void)state;
	for (size_t cut = last + 1; cut < end; cut++) {
		char *copy = calloc(1, size);

		memcpy(copy, bytes, cut);
		if (dblog_check_file(slice_of(copy, size), true) == -1)
			fail_msg("torn at %zu, and called damaged", cut);
		if (cut - last > 8 && bytes[cut] != 0 && dblog_check_file(slice_of(copy, size), false) == 0)
			fail_msg("torn at %zu, and the next log was believed", cut);
		free(copy);
	}
	memset(bytes, 0, size);
	assert_int_equal(dblog_check_file(slice_of(bytes, size), true), 0);
	assert_int_equal(dblog_check_file(slice_of(bytes, size), false), -1);
}

/* The power was cut while a transaction was flushed, which nobody had been told of: of what was written since the last sync any one
 * sector is missing (tests/crash/store_power.c cuts the ring like that). Berkeley DB goes on from the sync before. */
static void
test_torn_in_any_order(void **state)
{
	static char envelope[700], before[FLUSH_MAX], after[FLUSH_MAX], copy[FLUSH_MAX];
	char own[] = "/tmp/test-dblog-XXXXXX", name[96];
	struct catalog *c;
	struct err err = { 0 };
	size_t from = 0, to = 0;
	uint32_t len, wrong = 0, all = 0;
	int fd;

	(void)state;
	memset(envelope, 'e', sizeof(envelope));
	assert_non_null(mkdtemp(own));
	assert_int_equal(catalog_open(&c, own, &err), 0);
	snprintf(name, sizeof(name), "%s/log.0000000001", own);
	for (uint64_t id = 1; id <= 40; id++) {
		if (id % 10 == 1)
			assert_int_equal(catalog_begin(c, &err), 0);
		assert_int_equal(catalog_put(c, &(struct catalog_record){ .id = id, .version = 1,
		    .envelope = slice_of(envelope, sizeof(envelope)) }, slice_of("", 0), &err), 0);
		if (id % 10 == 0)
			assert_int_equal(catalog_commit(c, 1000, &err), 0);
		if (id == 30 || id == 40) {
			assert_int_not_equal(fd = open(name, O_RDONLY), -1);
			assert_int_equal(fd_pread_full(fd, id == 30 ? before : after, FLUSH_MAX, 0), FLUSH_MAX);
			close(fd);
		}
	}
	catalog_close(&c);
	while (memcpy(&len, before + from + 4, 4), len != 0)
		from += len;
	while (memcpy(&len, after + to + 4, 4), len != 0)
		to += len;
	for (size_t at = from / 512 * 512; at < to; at += 512, all++) {
		memcpy(copy, after, sizeof(copy));
		memcpy(copy + at, before + at, 512);
		wrong += dblog_check_file(slice_of(copy, sizeof(copy)), true) == -1;
	}
	tempdir_remove(own);
	if (wrong > 0)
		fail_msg("%u of %u sectors, each missing alone from an unacknowledged flush, are called damage", wrong, all);
}

static void
test_every_byte(void **state)
{
	(void)state;
	for (size_t at = 0; at < last; at += at < 4000 ? 1 : 7) {
		bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
		if (dblog_check_file(slice_of(bytes, size), true) == 0)
			fail_msg("byte %zu of %zu: not noticed", at, last);
		bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
	}
}

/* What the catalog says of it, instead of dying. */
static void
test_catalog_refuses(void **state)
{
	struct err err = { 0 };
	struct catalog *c;
	int fd = open(path, O_RDWR);

	(void)state;
	assert_int_equal(pwrite(fd, "\1", 1, 6), 1);
	assert_int_equal(catalog_open(&c, directory, &err), -1);
	assert_non_null(strstr(err.text, "log.0000000001 is damaged"));
	assert_int_equal(ftruncate(fd, 65 * 1024 * 1024), 0);
	assert_int_equal(catalog_open(&c, directory, &err), -1);
	assert_non_null(strstr(err.text, "too long"));
	close(fd);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_good), T(test_torn), T(test_torn_in_any_order), T(test_every_byte), T(test_catalog_refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
