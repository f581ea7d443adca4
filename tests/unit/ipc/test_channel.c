/* test_channel — frames, descriptors, limits and ends, with a peer that is either another channel or plain hostile
 * bytes. */
#include "tests/support/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "ipc/frame.h"

enum { TEXT = 1, FILE_OF = 2, CLOSE_ME = 3, PAUSE_ME = 4, NOT_TAKEN = 5, TYPES };

struct side {
	struct channel	*channel;
	struct buf	 texts;		/* bodies of TEXT, each with a '|' behind it */
	int		 ends, drains, frames;
	const char	*why;
	struct stat	 file;		/* of the last descriptor that came */
};

static struct loop *loop;
static struct timer guard;
static struct side left, right;
static int raw;			/* the other end of left's socket, when there is no right */
static size_t fds_before;

/* How many descriptors this process has open. */
static size_t
fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static int
on_text(void *arg, struct reader *r, int fd)
{
	struct side *side = arg;
	struct slice text = get_slice(r, FRAME_MAX);

	assert_int_equal(fd, -1);
	if (reader_end(r) == -1)
		return -1;
	side->frames++;
	(void)buf_put_slice(&side->texts, text);
	(void)buf_putc(&side->texts, '|');
	return 0;
}

static int
on_file(void *arg, struct reader *r, int fd)
{
	struct side *side = arg;

	side->frames++;
	if (fd != -1) {
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstat(fd, &side->file), 0);
		fd_close(&fd);
	}
	return reader_end(r);
}

static int
on_close_me(void *arg, struct reader *r, int fd)
{
	struct side *side = arg;

	(void)r;
	(void)fd;
	channel_close(&side->channel);
	return 0;
}

static int
on_pause_me(void *arg, struct reader *r, int fd)
{
	struct side *side = arg;

	(void)r;
	(void)fd;
	channel_pause(side->channel, true);
	return 0;
}

static const struct frame_handler handlers[TYPES] = {
	[TEXT] = { "text", on_text, false },
	[FILE_OF] = { "file", on_file, true },
	[CLOSE_ME] = { "close", on_close_me, false },
	[PAUSE_ME] = { "pause", on_pause_me, false },
};

static void
on_end(void *arg, const char *why)
{
	struct side *side = arg;

	side->ends++;
	side->why = why;
	loop_stop(loop);
}

static void
on_drained(void *arg)
{
	struct side *side = arg;

	side->drains++;
}

static const struct channel_ops ops = { "test", 1, handlers, TYPES, on_end, on_drained };
static const struct channel_ops other_wire = { "tesT", 1, handlers, TYPES, on_end, on_drained };
static const struct channel_ops other_version = { "test", 2, handlers, TYPES, on_end, NULL };

static void
guard_over(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
run(int64_t ms)
{
	timer_set(&guard, ms);
	assert_int_equal(loop_run(loop), 0);
}

static void
start(struct side *side, int fd, const struct channel_ops *with)
{
	struct err err;

	side->channel = channel_open(loop, fd, with, side, &err);
	assert_non_null(side->channel);
}

static int
setup_loop(void)
{
	struct err err;

	fds_before = fds_open();
	left = right = (struct side){ 0 };
	buf_init(&left.texts, SIZE_MAX);
	buf_init(&right.texts, SIZE_MAX);
	loop = loop_new(&err);
	return loop == NULL ? -1 : timer_init(&guard, loop, guard_over, NULL);
}

static int
setup_pair(void **state)
{
	int fds[2];

	(void)state;
	if (setup_loop() == -1 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	raw = -1;
	start(&left, fds[0], &ops);
	start(&right, fds[1], &ops);
	run(2);
	return 0;
}

static int
setup_raw(void **state)
{
	struct buf b;
	int fds[2];

	(void)state;
	if (setup_loop() == -1 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	raw = fds[1];
	start(&left, fds[0], &ops);
	buf_init(&b, 100);
	handshake_put(&b, "test", 1);
	if (fd_write_all(raw, buf_slice(&b).p, buf_len(&b)) == -1)
		return -1;
	buf_fini(&b);
	return 0;
}

/* Whatever a test did: no descriptor may stay open, and no memory (the sanitizer looks). */
static int
teardown(void **state)
{
	(void)state;
	channel_close(&left.channel);
	channel_close(&right.channel);
	fd_close(&raw);
	buf_fini(&left.texts);
	buf_fini(&right.texts);
	timer_fini(&guard);
	loop_free(loop);
	if (fds_open() != fds_before)
		print_message("descriptors: %zu before, %zu after\n", fds_before, fds_open());
	return fds_open() == fds_before ? 0 : -1;
}

static int
send_text(struct side *side, struct slice text)
{
	put_slice(channel_begin(side->channel, TEXT), text);
	return channel_end(side->channel);
}

static int
send_file(struct side *side, int fd)
{
	(void)channel_begin(side->channel, FILE_OF);
	return channel_end_fd(side->channel, fd);
}

static void
test_both_ways(void **state)
{
	(void)state;
	assert_int_equal(send_text(&left, SLICE_LIT("one")), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("two")), 0);
	assert_int_equal(send_text(&right, SLICE_LIT("")), 0);
	assert_true(channel_pending(left.channel) > 0);	/* frames of a round leave together at its end */
	run(5);
	assert_slice(buf_slice(&right.texts), "one|two|");
	assert_slice(buf_slice(&left.texts), "|");
	assert_int_equal(channel_pending(left.channel), 0);
	assert_true(left.drains > 0);
	assert_int_equal(left.ends + right.ends, 0);
}

static void
test_mismatch(void **state)
{
	static const struct channel_ops *const others[] = { &other_wire, &other_version };

	for (size_t i = 0; i < 2; i++) {
		int fds[2];

		assert_int_equal(setup_loop(), 0);
		raw = -1;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		start(&left, fds[0], &ops);
		start(&right, fds[1], others[i]);
		assert_int_equal(send_text(&right, SLICE_LIT("ignored")), 0);
		run(5);
		run(5);
		assert_int_equal(left.ends, 1);
		assert_int_equal(right.ends, 1);
		assert_int_equal(left.frames + right.frames, 0);
		assert_int_equal(teardown(state), 0);
	}
	assert_int_equal(setup_pair(state), 0);	/* for the teardown that follows */
}

static void
test_descriptors(void **state)
{
	struct stat null, zero;
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fstat(a, &null), 0);
	assert_int_equal(fstat(b, &zero), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("before")), 0);
	assert_int_equal(send_file(&left, a), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("between")), 0);
	assert_int_equal(send_file(&left, -1), 0);	/* a row that takes one may come without */
	assert_int_equal(send_file(&left, b), 0);
	fd_close(&a);					/* the channel has its own copy */
	fd_close(&b);
	run(5);
	assert_int_equal(right.frames, 5);
	assert_slice(buf_slice(&right.texts), "before|between|");
	assert_int_equal(right.file.st_rdev, zero.st_rdev);
	assert_int_equal(right.ends, 0);
	assert_int_not_equal(null.st_rdev, zero.st_rdev);
}

static void
test_many_descriptors(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_int_equal(send_file(&left, fd), 0);
		fd_close(&fd);
	}
	for (int i = 0; i < 500 && right.frames < 300 && right.ends == 0; i++)
		run(2);
	assert_int_equal(right.frames, 300);
}

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

static void
test_frame_too_large(void **state)
{
	static char block[FRAME_MAX];

	(void)state;
	assert_int_equal(send_text(&left, slice_of(block, FRAME_MAX - 4)), 0);
	assert_int_equal(send_text(&left, slice_of(block, FRAME_MAX - 3)), -1);
	assert_int_equal(left.ends, 0);		/* never from inside the call */
	run(5);
	assert_int_equal(left.ends, 1);
	run(5);
	assert_int_equal(left.ends, 1);
}

static void
test_largest_frame(void **state)
{
	static char block[FRAME_MAX];

	(void)state;
	memset(block, 'z', sizeof(block));
	assert_int_equal(send_text(&left, slice_of(block, FRAME_MAX - 4)), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("end")), 0);
	for (int i = 0; i < 500 && right.frames < 2; i++)
		run(1);
	assert_int_equal(right.frames, 2);
	assert_int_equal(buf_len(&right.texts), FRAME_MAX - 4 + 1 + 4);
	assert_int_equal(left.drains > 0, 1);
}

static void
test_pause(void **state)
{
	(void)state;
	(void)channel_begin(left.channel, PAUSE_ME);
	assert_int_equal(channel_end(left.channel), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("later")), 0);
	run(5);
	assert_int_equal(right.frames, 0);	/* not even what was read together with the pause */
	static char block[60000];
	for (int i = 0; i < 40; i++)
		assert_int_equal(send_text(&left, slice_of(block, sizeof(block))), 0);
	run(10);
	assert_int_equal(right.frames, 0);
	assert_true(channel_pending(left.channel) > 1000000);	/* the sender feels it */
	channel_pause(right.channel, false);
	for (int i = 0; i < 500 && right.frames < 41; i++)
		run(1);
	assert_int_equal(right.frames, 41);
	assert_int_equal(channel_pending(left.channel), 0);
}

/* What the peer said before it went away is heard, then the end, once. */
static void
test_peer_gone(void **state)
{
	(void)state;
	assert_int_equal(send_text(&left, SLICE_LIT("last words")), 0);
	channel_flush(left.channel);
	channel_close(&left.channel);
	assert_null(left.channel);
	run(1000);
	assert_slice(buf_slice(&right.texts), "last words|");
	assert_int_equal(right.ends, 1);
	assert_non_null(right.why);
	assert_int_equal(left.ends, 0);		/* we closed: no callback */
	assert_int_equal(send_text(&right, SLICE_LIT("too late")), -1);
	run(5);
	assert_int_equal(right.ends, 1);
}

/* Even when our own words meet the closed door before its last ones are read: an agent's results count. */
static void
test_peer_gone_while_we_write(void **state)
{
	(void)state;
	assert_int_equal(send_text(&left, SLICE_LIT("delivered")), 0);
	channel_flush(left.channel);
	channel_close(&left.channel);
	assert_int_equal(send_text(&right, SLICE_LIT("another job")), 0);
	channel_flush(right.channel);
	for (int i = 0; i < 100 && right.ends == 0; i++)
		run(5);
	assert_slice(buf_slice(&right.texts), "delivered|");
	assert_int_equal(right.ends, 1);
}

static void
test_close_in_handler(void **state)
{
	(void)state;
	(void)channel_begin(left.channel, CLOSE_ME);
	assert_int_equal(channel_end(left.channel), 0);
	assert_int_equal(send_text(&left, SLICE_LIT("unheard")), 0);
	for (int i = 0; i < 100 && left.ends == 0; i++)
		run(5);
	assert_null(right.channel);
	assert_int_equal(right.frames + right.ends, 0);
	assert_int_equal(left.ends, 1);
}

/* Descriptors that were queued and never sent die with the channel. */
static void
test_close_with_queued_descriptor(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(send_file(&left, fd), 0);
	fd_close(&fd);
	channel_close(&left.channel);
	run(5);
	assert_int_equal(right.frames, 0);
	assert_int_equal(right.ends, 1);
}

/* The n-th allocation fails, for every n: the conversation works or ends, and nothing stays behind. */
static void
test_no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct err err;
	char plan[32];
	int fds[2];

	for (int n = 1; n < 40; n++) {
		int fd;

		assert_int_equal(setup_loop(), 0);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		raw = -1;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		(void)snprintf(plan, sizeof(plan), "alloc:%d", n);
		fault_plan(plan);
		left.channel = channel_open(loop, fds[0], &ops, &left, &err);
		right.channel = channel_open(loop, fds[1], &ops, &right, &err);
		if (left.channel != NULL && send_text(&left, SLICE_LIT("a word")) == 0 && send_file(&left, fd) == 0)
			channel_flush(left.channel);
		fd_close(&fd);
		run(2);
		fault_plan(NULL);
		if (left.channel != NULL && right.channel != NULL && left.ends + right.ends == 0)
			assert_int_equal(right.frames, 2);
		assert_int_equal(teardown(state), 0);
	}
#else
	(void)state;
	skip();
#endif
}

/* --- what the system says ------------------------------------------------------------------------- */

/* Takes the descriptor, whatever it is, and says why not. */
static void
test_no_wire(void **state)
{
	struct err err;

	(void)state;
	assert_null(channel_open(loop, -1, &ops, &left, &err));
	assert_non_null(strstr(err.text, "test"));
	run(2);
	assert_int_equal(left.ends, 0);
}

/* It closed without reading what was said: told once, and whatever is said then is refused. */
static void
test_reset(void **state)
{
	(void)state;
	run(2);
	assert_int_equal(send_text(&left, SLICE_LIT("unread")), 0);
	run(2);
	fd_close(&raw);
	run(1000);
	assert_int_equal(left.ends, 1);
	assert_int_equal(send_text(&left, SLICE_LIT("more")), -1);
	channel_flush(left.channel);
	run(2);
	assert_int_equal(left.ends, 1);
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

/* Flushed while a frame is being filled: what was ended before it leaves, and it follows whole. */
static void
test_flush_in_between(void **state)
{
	struct buf *b;

	(void)state;
	assert_int_equal(send_text(&left, SLICE_LIT("first")), 0);
	b = channel_begin(left.channel, TEXT);
	channel_flush(left.channel);
	assert_int_equal(channel_pending(left.channel), 8);		/* its head */
	put_slice(b, SLICE_LIT("second"));
	assert_int_equal(channel_end(left.channel), 0);
	run(5);
	assert_slice(buf_slice(&right.texts), "first|second|");
	channel_pause(right.channel, false);		/* it is not paused: nothing changes */
	channel_pause(right.channel, true);
	channel_pause(right.channel, true);
	assert_int_equal(send_text(&left, SLICE_LIT("third")), 0);
	run(5);
	assert_slice(buf_slice(&right.texts), "first|second|");
	channel_pause(right.channel, false);
	run(5);
	assert_slice(buf_slice(&right.texts), "first|second|third|");
}

/* No descriptor is left for the copy of one: the frame cannot be sent, and its channel ends. */
static void
test_no_descriptor_left(void **state)
{
	struct rlimit was, none;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(send_file(&left, fd), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	fd_close(&fd);
	run(1000);
	assert_int_equal(left.ends, 1);
	assert_int_equal(right.frames, 0);
}

#define PAIR(fn)	cmocka_unit_test_setup_teardown(fn, setup_pair, teardown)
#define RAW(fn)		cmocka_unit_test_setup_teardown(fn, setup_raw, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR(test_both_ways),
		cmocka_unit_test_teardown(test_mismatch, teardown),
		PAIR(test_descriptors),
		PAIR(test_many_descriptors),
		RAW(test_split),
		RAW(test_hostile),
		PAIR(test_frame_too_large),
		PAIR(test_largest_frame),
		PAIR(test_pause),
		PAIR(test_peer_gone),
		PAIR(test_peer_gone_while_we_write),
		PAIR(test_close_in_handler),
		PAIR(test_close_with_queued_descriptor),
		cmocka_unit_test(test_no_memory),
		RAW(test_no_wire), RAW(test_reset), cmocka_unit_test(test_bad_beginnings),
		RAW(test_too_many_descriptors), RAW(test_descriptors_that_pile_up),
		PAIR(test_flush_in_between), PAIR(test_no_descriptor_left),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
