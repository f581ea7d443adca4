/* ids and layout: STORE, the epoch, and which directories posthorn takes for its own. */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "queue/store/ids.h"
#include "queue/store/layout.h"

static char directory[64];
static int dir = -1;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test-ids-XXXXXX");
	assert_non_null(mkdtemp(directory));
	dir = open(directory, O_RDONLY | O_DIRECTORY);
	return dir == -1;
}

static int
teardown(void **state)
{
	(void)state;
	fd_close(&dir);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
put_file(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static void
test_raise_and_read(void **state)
{
	struct ids ids, again;
	struct err err;
	uint64_t first, second;

	(void)state;
	assert_int_equal(ids_read(&ids, dir, &err), IDS_ABSENT);
	ids_draw(&ids, dir);
	assert_int_equal(strlen(ids.text), 32);
	assert_int_equal(ids_raise(&ids, &err), 0);
	assert_int_equal(ids.epoch, 1);
	assert_int_equal(ids_read(&again, dir, &err), IDS_READ);
	assert_int_equal(again.epoch, 1);
	assert_string_equal(again.text, ids.text);
	assert_memory_equal(again.store, ids.store, 16);
	/* A counter of an epoch read from disk may not be used before the next raise. */
	assert_int_equal(ids_next(&again, 10, &first, &err), 0);
	assert_true(first >> 32 == 2);
	assert_int_equal(ids_next(&again, 1, &second, &err), 0);
	assert_true(second == first + 10);
}

static void
test_counter_ends(void **state)
{
	struct ids ids;
	struct err err;
	uint64_t first;

	(void)state;
	ids_draw(&ids, dir);
	assert_int_equal(ids_raise(&ids, &err), 0);
	ids.next = UINT32_MAX - 5;
	assert_int_equal(ids_next(&ids, 5, &first, &err), 0);
	assert_int_equal(ids.epoch, 1);
	assert_int_equal(ids_next(&ids, 5, &first, &err), 0);
	assert_true(first == (UINT64_C(2) << 32 | 1));
	assert_int_equal(ids_read(&ids, dir, &err), IDS_READ);
	assert_int_equal(ids.epoch, 2);
}

#define GOOD_ID	"00112233445566778899aabbccddeeff"

static const struct {
	const char	*name, *text, *says;
} damaged[] = {
	{ "empty", "", "damaged" },
	{ "no checksum", "posthorn-store 1\nid " GOOD_ID "\nepoch 4\n", "damaged" },
	{ "wrong checksum", "posthorn-store 1\nid " GOOD_ID "\nepoch 4\ncheck 00000000\n", "damaged" },
	{ "short id", "posthorn-store 1\nid 0011\nepoch 4\ncheck 00000000\n", "damaged" },
	{ "no hex", "posthorn-store 1\nid 0011223344556677889zaabbccddeeff\nepoch 4\ncheck 00000000\n", "damaged" },
	{ "newer", "posthorn-store 2\nsomething else\n", "newer" },
	{ "zeros", "\0", "damaged" },
};

static void
test_damaged(void **state)
{
	struct ids ids;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		ROW(i, damaged[i].name);
		put_file("STORE", damaged[i].text);
		assert_int_equal(ids_read(&ids, dir, &err), IDS_FAILED);
		assert_non_null(strstr(err.text, damaged[i].says));
	}
}

/* Every byte of a good STORE changed: refused, never read as another epoch. */
static void
test_every_byte(void **state)
{
	struct ids ids;
	struct err err;
	char text[256];
	ssize_t n;
	int fd;

	(void)state;
	ids_draw(&ids, dir);
	assert_int_equal(ids_raise(&ids, &err), 0);
	fd = openat(dir, "STORE", O_RDONLY);
	n = fd_read_full(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	assert_true(n > 60);
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		text[i] ^= 2;
		put_file("STORE", text);
		assert_int_equal(ids_read(&ids, dir, &err), IDS_FAILED);
		text[i] ^= 2;
	}
}

#ifdef POSTHORN_FAULTS
static const char *const plans[] = {
	"store-open:1:EIO", "store-write:1:ENOSPC", "store-sync:1:EIO", "store-rename:1:EIO", "store-sync:2:EIO",
};

static void
test_raise_fails(void **state)
{
	struct ids ids;
	struct err err;

	(void)state;
	ids_draw(&ids, dir);
	assert_int_equal(ids_raise(&ids, &err), 0);
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		ROW(i, plans[i]);
		fault_plan(plans[i]);
		assert_int_equal(ids_raise(&ids, &err), -1);
		fault_plan(NULL);
		assert_int_equal(ids.epoch, 1);
	}
	assert_int_equal(ids_raise(&ids, &err), 0);
}
#endif

static void
test_directory(void **state)
{
	struct err err;
	int d, lock, second, other;

	(void)state;
	assert_int_equal(layout_open(directory, &d, &lock, &err), 0);
	assert_int_equal(layout_open(directory, &second, &other, &err), -1);
	assert_non_null(strstr(err.text, "in use"));
	assert_int_equal(layout_check_new(d, &err), 0);
	assert_int_equal(layout_make(d, &err), 0);
	assert_int_equal(layout_make(d, &err), 0);	/* finishing what was begun */
	put_file("logins", "");			/* queue's own: no mail is lost with it */
	put_file("logins.new", "");
	assert_int_equal(layout_check_new(d, &err), 0);
	put_file("mbox", "");
	assert_int_equal(layout_check_new(d, &err), -1);
	assert_non_null(strstr(err.text, "mbox"));
	assert_int_equal(unlinkat(d, "mbox", 0), 0);
	put_file("journal/000.seg", "posthorn, and the rest is damaged");
	assert_int_equal(layout_check_new(d, &err), -1);
	assert_non_null(strstr(err.text, "STORE is missing"));
	fd_close(&lock);
	fd_close(&d);
	assert_int_equal(chmod(directory, 0770), 0);
	assert_int_equal(layout_open(directory, &d, &lock, &err), -1);
	assert_non_null(strstr(err.text, "chmod"));
	assert_int_equal(layout_open("/nowhere/at/all", &d, &lock, &err), -1);
	assert_int_equal(err.code, ENOENT);
	if (geteuid() == 0) {
		assert_int_equal(chmod(directory, 0700), 0);
		assert_int_equal(chown(directory, 12345, (gid_t)-1), 0);
		assert_int_equal(layout_open(directory, &d, &lock, &err), -1);
		assert_non_null(strstr(err.text, "belongs to"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raise_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counter_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
#ifdef POSTHORN_FAULTS
		cmocka_unit_test_setup_teardown(test_raise_fails, setup, teardown),
#endif
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
