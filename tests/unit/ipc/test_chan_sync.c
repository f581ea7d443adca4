/* test_chan_sync — the blocking twin against itself, against a channel's bytes, and against bad ones. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/frame.h"

static int fds[2];
static struct err err;

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static void
test_talk(void **state)
{
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err),
			 *b = chan_sync_open(fds[1], "control", 1, &err);
	struct reader r;
	int fd, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	put_str(chan_sync_begin(a, 7), "hello");
	assert_int_equal(chan_sync_send(a, -1, &err), 0);
	(void)chan_sync_begin(a, 8);
	assert_int_equal(chan_sync_send(a, null, &err), 0);
	put_u8(chan_sync_begin(a, 9), 1);
	assert_int_equal(chan_sync_send(a, -1, &err), 0);
	fd_close(&null);

	assert_int_equal(chan_sync_next(b, &r, &fd, &err), 7);
	assert_slice(get_slice(&r, 10), "hello");
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(chan_sync_next(b, &r, &fd, &err), 8);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	fd_close(&fd);
	assert_int_equal(chan_sync_next(b, &r, &fd, &err), 9);
	assert_int_equal(fd, -1);
	chan_sync_close(&a);
	assert_int_equal(chan_sync_next(b, &r, &fd, &err), 0);	/* an orderly end */
	chan_sync_close(&b);
	chan_sync_close(&b);
}

static void
test_mismatch(void **state)
{
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err),
			 *b = chan_sync_open(fds[1], "control", 2, &err);
	struct reader r;
	int fd;

	(void)state;
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), -1);
	assert_int_equal(chan_sync_next(b, &r, &fd, &err), -1);
	assert_non_null(strstr(err.text, "control"));
	chan_sync_close(&a);
	chan_sync_close(&b);
}

static void
test_bad_bytes(void **state)
{
	static const struct { const char *name; struct slice bytes; bool shake; } rows[] = {
		{ "no handshake", SLICE_LIT("\0\0\0\0\7\0\0\0"), false },
		{ "two handshakes", SLICE_LIT("\0\0\0\0\0\0\0\0"), true },
		{ "too large", SLICE_LIT("\xff\xff\xff\xff\7\0\0\0"), true },
		{ "descriptor missing", SLICE_LIT("\0\0\0\0\7\0\1\0"), true },
		{ "cut in the header", SLICE_LIT("\0\0\0"), true },
		{ "cut in the body", SLICE_LIT("\4\0\0\0\7\0\0\0ab"), true },
	};
	struct reader r;
	struct buf b;
	int fd;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			assert_int_equal(setup(state), 0);
		struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);

		ROW(i, rows[i].name);
		buf_init(&b, 100);
		if (rows[i].shake)
			handshake_put(&b, "control", 1);
		(void)buf_put_slice(&b, rows[i].bytes);
		assert_int_equal(fd_write_all(fds[1], buf_slice(&b).p, buf_len(&b)), 0);
		fd_close(&fds[1]);
		assert_int_equal(chan_sync_next(a, &r, &fd, &err), -1);
		chan_sync_close(&a);
		buf_fini(&b);
	}
}

static unsigned
open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

/* More descriptors than a frame may have, and one on a frame that claims none: nothing of it stays open. */
static void
test_slipped_in(void **state)
{
	static const char frame[] = "\0\0\0\0\7\0\1\0" "\0\0\0\0\10\0\0\0";
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), sent[3] = { null, null, null }, fd;
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(sent))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)frame, .iov_len = sizeof(frame) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	struct reader r;
	struct buf b;
	unsigned before = open_descriptors();

	(void)state;
	buf_init(&b, 100);
	handshake_put(&b, "control", 1);
	assert_int_equal(fd_write_all(fds[1], buf_slice(&b).p, buf_len(&b)), 0);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(sent));
	memcpy(CMSG_DATA(h), sent, sizeof(sent));
	assert_int_equal(sendmsg(fds[1], &msg, 0), sizeof(frame) - 1);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), 7);
	assert_true(fd >= 0);
	fd_close(&fd);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), 8);
	assert_int_equal(fd, -1);
	assert_int_equal(open_descriptors(), before);
	chan_sync_close(&a);
	buf_fini(&b);
	fd_close(&null);
	fd_close(&fds[1]);
}

static void
test_too_large_to_send(void **state)
{
	static char block[FRAME_MAX];
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);

	(void)state;
	put_slice(chan_sync_begin(a, 1), slice_of(block, sizeof(block)));
	assert_int_equal(chan_sync_send(a, -1, &err), -1);
	put_str(chan_sync_begin(a, 1), "small");	/* nothing of the large one is in the way */
	assert_int_equal(chan_sync_send(a, -1, &err), 0);
	fd_close(&fds[1]);
	put_str(chan_sync_begin(a, 1), "nobody there");
	assert_int_equal(chan_sync_send(a, -1, &err), -1);
	chan_sync_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_talk, setup), cmocka_unit_test_setup(test_mismatch, setup),
		cmocka_unit_test_setup(test_bad_bytes, setup), cmocka_unit_test_setup(test_too_large_to_send, setup),
		cmocka_unit_test_setup(test_slipped_in, setup),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
