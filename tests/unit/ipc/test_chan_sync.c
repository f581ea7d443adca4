/* test_chan_sync — the blocking twin against itself, against a channel's bytes, and against bad ones. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fault.h"
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

/* --- what the system says ------------------------------------------------------------------------- */

static void
test_no_wire(void **state)
{
	struct chan_sync *a;
	struct reader r;
	int fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_null(chan_sync_open(-1, "control", 1, &err));
	assert_null(chan_sync_open(null, "control", 1, &err));		/* it takes the descriptor, also then */
	assert_int_equal(fcntl(null, F_GETFD), -1);
	assert_non_null(a = chan_sync_open(fds[0], "control", 1, &err));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_not_equal(dup2(null, fds[0]), -1);			/* no socket any more */
	fd_close(&null);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), -1);
	(void)chan_sync_begin(a, 7);
	assert_int_equal(chan_sync_send(a, -1, &err), -1);
	assert_non_null(strstr(err.text, "control"));
	chan_sync_close(&a);
	fd_close(&fds[1]);
}

/* The peer closed without reading what was said: an end like any other. */
static void
test_reset(void **state)
{
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);
	struct reader r;
	int fd;

	(void)state;
	fd_close(&fds[1]);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), 0);
	(void)chan_sync_begin(a, 7);
	assert_int_equal(chan_sync_send(a, -1, &err), -1);
	chan_sync_close(&a);
}

/* One byte with a descriptor. */
static void
send_byte(int with)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &with, sizeof(with));
	assert_int_equal(sendmsg(fds[1], &msg, 0), 1);
}

/* A descriptor with every byte: so many wait for a frame, the others are closed, and in the end all are. */
static void
test_a_descriptor_with_every_byte(void **state)
{
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);
	static const char head[] = "\100\0\0\0\7\0\1\0";
	unsigned before;
	struct reader r;
	struct buf b;
	int fd, null;

	(void)state;
	buf_init(&b, 100);
	handshake_put(&b, "control", 1);
	(void)buf_append(&b, head, sizeof(head) - 1);
	assert_int_equal(fd_write_all(fds[1], buf_slice(&b).p, buf_len(&b)), 0);
	buf_fini(&b);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	before = open_descriptors() - 3;		/* without a, its peer and this one */
	for (int i = 0; i < 10; i++)
		send_byte(null);
	fd_close(&null);
	fd_close(&fds[1]);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), -1);	/* it ends within the frame */
	assert_int_equal(open_descriptors() - before, 1 + 4);
	chan_sync_close(&a);
	assert_int_equal(open_descriptors(), before);
}

/* --- signals -------------------------------------------------------------------------------------- */

static struct slice to_say;

static void
on_alarm(int sig)
{
	static char sink[1 << 16];

	(void)sig;
	while (recv(fds[1], sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	(void)!write(fds[1], to_say.p, to_say.len);
	to_say = slice_of("", 0);
}

/* A signal while it waits, to read or to write, changes nothing. */
static void
test_interrupted(void **state)
{
	struct sigaction act = { .sa_handler = on_alarm }, old;
	struct itimerval soon = { .it_value = { 0, 20000 }, .it_interval = { 0, 20000 } }, never = { 0 };
	struct chan_sync *a = chan_sync_open(fds[0], "control", 1, &err);
	static char bytes[FRAME_MAX - 10];
	struct reader r;
	struct buf b;
	int fd;

	(void)state;
	buf_init(&b, 100);
	handshake_put(&b, "control", 1);
	(void)buf_append(&b, "\0\0\0\0\7\0\0\0", 8);
	to_say = buf_slice(&b);
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(chan_sync_next(a, &r, &fd, &err), 7);
	for (int i = 0; i < 3; i++) {
		(void)buf_append(chan_sync_begin(a, 8), bytes, sizeof(bytes));
		assert_int_equal(chan_sync_send(a, -1, &err), 0);
	}
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	buf_fini(&b);
	chan_sync_close(&a);
	fd_close(&fds[1]);
}

#ifdef POSTHORN_FAULTS
static void
test_no_memory(void **state)
{
	struct reader r;
	char plan[32];
	int fd;

	for (int n = 1, more = 1; more != 0 && n < 20; n++) {
		struct chan_sync *a, *b = NULL;
		int got = -1;

		if (n > 1)
			assert_int_equal(setup(state), 0);
		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
		ROW(n, plan);
		fault_plan(plan);
		if ((a = chan_sync_open(fds[0], "control", 1, &err)) != NULL && (b = chan_sync_open(fds[1], "control", 1, &err)) != NULL) {
			put_str(chan_sync_begin(a, 7), "hello");
			if (chan_sync_send(a, -1, &err) == 0)
				got = chan_sync_next(b, &r, &fd, &err);
		}
		more = fault_count("alloc") >= n;
		fault_plan(NULL);
		/* What came through is whole. */
		if (got == 7)
			assert_slice(get_slice(&r, 10), "hello");
		else
			assert_int_equal(got, -1);
		assert_true(more || got == 7);
		if (a == NULL)
			fd_close(&fds[1]);
		chan_sync_close(&a);
		chan_sync_close(&b);
	}
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_talk, setup), cmocka_unit_test_setup(test_mismatch, setup),
		cmocka_unit_test_setup(test_bad_bytes, setup), cmocka_unit_test_setup(test_too_large_to_send, setup),
		cmocka_unit_test_setup(test_slipped_in, setup), cmocka_unit_test_setup(test_no_wire, setup),
		cmocka_unit_test_setup(test_reset, setup), cmocka_unit_test_setup(test_a_descriptor_with_every_byte, setup),
		cmocka_unit_test_setup(test_interrupted, setup),
#ifdef POSTHORN_FAULTS
		cmocka_unit_test_setup(test_no_memory, setup),
#endif
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
