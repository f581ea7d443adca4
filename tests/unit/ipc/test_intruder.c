/* test_intruder — a channel whose peer writes what bytes it likes: broken frames, and descriptors that nobody asked for. */
#include "tests/unit/ipc/pair.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/frame.h"

/* Every way to cut two frames into three writes. */
static void
test_split(void **state)
{
	struct slice bytes;
	struct buf b;
	int sent = 0;

	(void)state;
	buf_init(&b, 200);
	for (int i = 0; i < 2; i++) {
		size_t at = buf_len(&b);

		frame_open(&b, TEXT);
		put_str(&b, i == 0 ? "first" : "second");
		assert_int_equal(frame_close(&b, at, false), 0);
	}
	bytes = buf_slice(&b);
	for (size_t cut = 0; cut <= bytes.len; cut++) {
		assert_int_equal(fd_write_all(raw, bytes.p, cut), 0);
		run(1);
		assert_int_equal(fd_write_all(raw, bytes.p + cut, bytes.len - cut), 0);
		run(1);
		sent += 2;
		assert_int_equal(left.frames, sent);
	}
	assert_int_equal(left.ends, 0);
	assert_memory_equal(buf_slice(&left.texts).p, "first|second|first|", 19);
	buf_fini(&b);
}

static void
write_frame(uint32_t len, uint16_t type, uint8_t fds, uint8_t zero, struct slice body, int fd)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct buf b;

	buf_init(&b, 2 * FRAME_MAX);
	put_u32(&b, len);
	put_u16(&b, type);
	put_u8(&b, fds);
	put_u8(&b, zero);
	(void)buf_put_slice(&b, body);
	struct iovec iov = { .iov_base = b.mem + b.start, .iov_len = buf_len(&b) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd != -1) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(raw, &msg, MSG_NOSIGNAL), (ssize_t)buf_len(&b));
	buf_fini(&b);
}

/* Each costs the peer its channel, once; teardown sees that no descriptor stayed. */
static void
test_hostile(void **state)
{
	static const struct {
		const char *name;
		uint32_t len;
		unsigned type, fds, zero;
		struct slice body;
		bool with_fd;
	} rows[] = {
		{ "too large", FRAME_MAX + 1, TEXT, 0, 0, SLICE_LIT(""), false },
		{ "two descriptors claimed", 4, TEXT, 2, 0, SLICE_LIT("\0\0\0\0"), false },
		{ "reserved byte", 4, TEXT, 0, 9, SLICE_LIT("\0\0\0\0"), false },
		{ "unknown type", 0, TYPES, 0, 0, SLICE_LIT(""), false },
		{ "type without a handler", 0, NOT_TAKEN, 0, 0, SLICE_LIT(""), false },
		{ "huge type", 0, 65535, 0, 0, SLICE_LIT(""), false },
		{ "second handshake", 0, FRAME_HANDSHAKE, 0, 0, SLICE_LIT(""), false },
		{ "handler refuses", 3, TEXT, 0, 0, SLICE_LIT("\0\0\0"), false },
		{ "descriptor where none is taken", 4, TEXT, 1, 0, SLICE_LIT("\0\0\0\0"), true },
		{ "descriptor claimed, none there", 0, FILE_OF, 1, 0, SLICE_LIT(""), false },
		{ "descriptor there, not claimed", 4, TEXT, 0, 0, SLICE_LIT("\0\0\0\0"), true },
		{ "descriptor with a type that is unknown", 0, TYPES, 1, 0, SLICE_LIT(""), true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		ROW(i, rows[i].name);
		write_frame(rows[i].len, (uint16_t)rows[i].type, (uint8_t)rows[i].fds, (uint8_t)rows[i].zero,
			    rows[i].body, rows[i].with_fd ? fd : -1);
		fd_close(&fd);
		run(1000);
		assert_int_equal(left.ends, 1);
		write_frame(4, TEXT, 0, 0, SLICE_LIT("\0\0\0\0"), -1);	/* after the end nobody listens */
		run(2);
		assert_int_equal(left.ends, 1);
		assert_int_equal(left.frames, strstr(rows[i].name, "not claimed") != NULL ? 1 : 0);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup_raw(state), 0);
	}
}

/* Said before the first handshake, or with it, by who has broken into the peer. */
static void
test_bad_beginnings(void **state)
{
	static const struct { const char *name; unsigned type; bool with_fd; struct slice body; } rows[] = {
		{ "no handshake", TEXT, false, SLICE_LIT("\0\0\0\0") },
		{ "a handshake with a descriptor", FRAME_HANDSHAKE, true, SLICE_LIT("1WHP\4\0\0\0test\1\0") },
		{ "an empty handshake", FRAME_HANDSHAKE, false, SLICE_LIT("") },
		{ "another magic", FRAME_HANDSHAKE, false, SLICE_LIT("2WHP\4\0\0\0test\1\0") },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fds[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_int_equal(setup_loop(), 0);
		fds_before--;			/* /dev/null */
		ROW(i, rows[i].name);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		raw = fds[1];
		start(&left, fds[0], &ops);
		write_frame((uint32_t)rows[i].body.len, (uint16_t)rows[i].type, rows[i].with_fd, 0, rows[i].body, rows[i].with_fd ? fd : -1);
		fd_close(&fd);
		run(1000);
		assert_int_equal(left.ends, 1);
		assert_int_equal(left.frames, 0);
		assert_int_equal(teardown(state), 0);
	}
}

static void
send_fds(size_t n)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(40 * sizeof(int))]; } control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)"x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[40];
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	for (size_t i = 0; i < n; i++)
		fds[i] = null;
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	(void)sendmsg(raw, &msg, MSG_NOSIGNAL);
	fd_close(&null);
}

/* More with one byte than are taken at a time, or more in all than may wait. */
static void
test_too_many_descriptors(void **state)
{
	(void)state;
	run(2);
	send_fds(40);
	run(1000);
	assert_int_equal(left.ends, 1);
	assert_string_equal(left.why, "too many descriptors");
}

static void
test_descriptors_that_pile_up(void **state)
{
	(void)state;
	run(2);
	assert_int_equal(write(raw, "\377\0\0\0\2\0\1\0", 8), 8);	/* a frame that goes on for a while */
	run(2);
	for (int i = 0; i < 9 && left.ends == 0; i++) {
		send_fds(8);
		run(2);
	}
	assert_int_equal(left.ends, 1);
	assert_string_equal(left.why, "too many descriptors");
}

#define RAW(fn)		cmocka_unit_test_setup_teardown(fn, setup_raw, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RAW(test_split), RAW(test_hostile), cmocka_unit_test(test_bad_beginnings),
		RAW(test_too_many_descriptors), RAW(test_descriptors_that_pile_up),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
