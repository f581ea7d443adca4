/* test_fd — whole reads and writes, flags, sealed memory. */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

static void
test_close(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	(void)state;
	errno = EBADMSG;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(errno, EBADMSG);
	fd_close(&fd);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
}

static void
test_flags(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(fd_nonblock(fd), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_cloexec(fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(fd_nonblock(-1), -1);
}

static void
test_read_and_write(void **state)
{
	FILE *f = tmpfile();
	int fd = fileno(f);
	char bytes[20];

	(void)state;
	assert_int_equal(fd_write_all(fd, "hello world", 11), 0);
	assert_int_equal(fd_pwrite_all(fd, "HELLO", 5, 0), 0);
	assert_int_equal(fd_pread_full(fd, bytes, sizeof(bytes), 2), 9);	/* up to the end of file */
	assert_memory_equal(bytes, "LLO world", 9);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_full(fd, bytes, 5), 5);
	assert_memory_equal(bytes, "HELLO", 5);
	assert_int_equal(fd_pread_full(fd, bytes, 5, 100), 0);
	assert_int_equal(fd_read_full(-1, bytes, 5), -1);
	fclose(f);
}

static void
test_pieces_of_a_pipe(void **state)
{
	int fds[2];
	char bytes[8];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_write_all(fds[1], "abc", 3), 0);
	fd_close(&fds[1]);
	assert_int_equal(fd_read_full(fds[0], bytes, sizeof(bytes)), 3);
	fd_close(&fds[0]);
}

static void
test_sealed(void **state)
{
	struct err err = { 0 };
	int fd = fd_sealed("conf", "fixed", 5, &err);
	char bytes[5];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_pread_full(fd, bytes, 5, 0), 5);
	assert_memory_equal(bytes, "fixed", 5);
	assert_int_equal(fd_pwrite_all(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), -1);	/* nobody can say otherwise later */
	fd_close(&fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close), cmocka_unit_test(test_flags), cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_pieces_of_a_pipe), cmocka_unit_test(test_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
