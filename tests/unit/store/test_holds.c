/* holds: what is held is known at the next start, whatever became of the file in between. */
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "queue/store/holds.h"

#define LINE	28		/* bytes of a line: docs/SPOOL.md */

static char directory[64], path[96];
static int queue_dir;
static struct holds holds;
static struct err err;

static int
setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test-holds-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/holds/list", directory);
	assert_int_not_equal(queue_dir = open(directory, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(mkdirat(queue_dir, "holds", 0700), 0);
	assert_int_equal(holds_open(&holds, queue_dir, &err), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	holds_close(&holds);
	fd_close(&queue_dir);
	tempdir_remove(directory);
	return 0;
}

/* --- small hands --------------------------------------------------------------------------------- */

static void
note(uint64_t from, uint64_t to, bool held)
{
	for (uint64_t id = from; id <= to; id++)
		assert_int_equal(holds_note(&holds, id, held), 0);
}

static void
sync_all(void)
{
	assert_int_equal(holds_sync(&holds, &err), 0);
}

static void
start_again(void)
{
	holds_close(&holds);
	assert_int_equal(holds_open(&holds, queue_dir, &err), 0);
}

static off_t
length(void)
{
	struct stat st;

	return stat(path, &st) == -1 ? -1 : st.st_size;
}

static void
put(off_t at, const char *bytes)
{
	int fd = open(path, O_WRONLY);

	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
	fd_close(&fd);
}

/* --- what is known ------------------------------------------------------------------------------- */

static void
test_known_at_the_next_start(void **state)
{
	(void)state;
	sync_all();
	assert_int_equal(length(), -1);		/* who never holds has no file */
	note(1, 5, true);
	note(2, 2, false);
	note(5, 5, true);			/* is so already: no line */
	sync_all();
	assert_int_equal(length(), 4 * LINE);	/* the first file is made from what is held now */
	note(9, 9, true);
	note(1, 1, false);
	note(77, 77, false);			/* was never held */
	sync_all();
	start_again();
	assert_true(holds.count == 4 && holds.bad == 0);
	for (uint64_t id = 1; id <= 10; id++)
		assert_int_equal(holds_has(&holds, id), id >= 3 && (id <= 5 || id == 9));
	assert_false(holds_has(&holds, 77));
}

static void
test_what_was_not_synced_is_not_there(void **state)
{
	(void)state;
	note(1, 1, true);
	sync_all();
	note(2, 2, true);
	start_again();
	assert_true(holds_has(&holds, 1) && !holds_has(&holds, 2));
}

static void
test_torn_tail(void **state)
{
	(void)state;
	note(1, 3, true);
	sync_all();
	assert_int_equal(truncate(path, 2 * LINE + 11), 0);
	start_again();
	assert_true(holds.count == 2 && holds.bad == 0);
	note(8, 8, true);			/* over what was torn */
	sync_all();
	start_again();
	assert_true(holds.count == 3 && holds.bad == 0 && holds_has(&holds, 8));
}

/* Each byte of the middle line in turn: that hold is lost and said to be, the others stay. */
static void
test_damaged_line(void **state)
{
	char was[LINE + 1] = { 0 };
	int fd;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++) {
		note(id, id, true);
		sync_all();
	}
	assert_int_not_equal(fd = open(path, O_RDONLY), -1);
	assert_int_equal(pread(fd, was, LINE, LINE), LINE);
	fd_close(&fd);
	for (int i = 0; i < LINE; i++) {
		char other[2] = { (char)(was[i] ^ 1), '\0' };

		ROW(i, other);
		put(LINE + i, other);
		start_again();
		assert_true(holds.bad == 1 && holds.count == 2 && holds_has(&holds, 1) && holds_has(&holds, 3));
		put(LINE, was);
	}
	/* The next sync makes the file anew, without it. */
	put(LINE, "x");
	start_again();
	sync_all();
	assert_int_equal(length(), 2 * LINE);
	start_again();
	assert_true(holds.bad == 0 && holds.count == 2);
}

static void
test_made_anew_when_stale(void **state)
{
	off_t most = 0;

	(void)state;
	note(1, 3000, true);
	sync_all();
	for (int i = 0; i < 6; i++) {
		note(11, 3000, false);
		sync_all();
		if (length() > most)
			most = length();
		note(11, 3000, true);
		sync_all();
	}
	note(11, 3000, false);
	sync_all();
	assert_true(most <= (2 * 3000 + 1024) * LINE);
	assert_true(length() <= (2 * 10 + 1024) * LINE);
	start_again();
	assert_int_equal(holds.count, 10);
}

/* --- failing calls ------------------------------------------------------------------------------- */

#ifdef POSTHORN_FAULTS

/* A sync that failed is never asked for again on that file; what it lacked is in the next one. */
static void
test_failing_calls(void **state)
{
	static const struct { const char *plan; bool first; } rows[] = {
		{ "store-write:1:ENOSPC", true }, { "store-sync:1:EIO", true }, { "store-open:1:EMFILE", true }, { "store-rename:1:EIO", true },
		{ "store-sync:2:EIO", true }, { "store-write:1:ENOSPC", false }, { "store-sync:1:EIO", false },
	};
	struct stat before, after;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].plan);
		(void)unlink(path);
		start_again();
		if (!rows[i].first) {
			note(1, 9, true);
			sync_all();
		}
		before.st_ino = 0;
		(void)stat(path, &before);
		note(10, 20, true);
		fault_plan(rows[i].plan);
		assert_int_equal(holds_sync(&holds, &err), -1);
		fault_plan(NULL);
		sync_all();
		assert_int_equal(stat(path, &after), 0);
		assert_int_not_equal(before.st_ino, after.st_ino);
		start_again();
		assert_true(holds.bad == 0 && holds.count == (rows[i].first ? 11 : 20) && holds_has(&holds, 20));
		note(10, 20, false);
	}
}

static void
test_no_memory(void **state)
{
	(void)state;
	fault_plan("alloc:1:ENOMEM");
	assert_int_equal(holds_note(&holds, 1, true), -1);
	fault_plan(NULL);
	assert_false(holds_has(&holds, 1));
	note(2, 2, true);
	fault_plan("alloc:1+:ENOMEM");
	assert_int_equal(holds_sync(&holds, &err), -1);
	fault_plan(NULL);
	sync_all();
	holds_close(&holds);
	fault_plan("alloc:1:ENOMEM");
	assert_int_equal(holds_open(&holds, queue_dir, &err), -1);
	fault_plan(NULL);
	start_again();
	assert_true(holds_has(&holds, 2));
}

#endif

static void
test_cannot_be_read(void **state)
{
	(void)state;
	holds_close(&holds);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(holds_open(&holds, queue_dir, &err), -1);
	holds_close(&holds);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(unlinkat(queue_dir, "holds", AT_REMOVEDIR), 0);
	assert_int_equal(holds_open(&holds, queue_dir, &err), -1);
	assert_int_equal(err.code, ENOENT);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_known_at_the_next_start), T(test_what_was_not_synced_is_not_there), T(test_torn_tail),
		T(test_damaged_line), T(test_made_anew_when_stale),
#ifdef POSTHORN_FAULTS
		T(test_failing_calls), T(test_no_memory),
#endif
		T(test_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
