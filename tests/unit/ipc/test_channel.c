/* test_channel — frames, descriptors, limits and ends, with a peer that keeps the rules; test_intruder has the other kind. */
#include "tests/unit/ipc/pair.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "base/fd.h"

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
		(void)open_side(&left, fds[0], &ops, &err);
		(void)open_side(&right, fds[1], &ops, &err);
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

/* Takes the descriptor, whatever it is, and says why not. */
static void
test_no_wire(void **state)
{
	struct err err;

	(void)state;
	assert_null(open_side(&right, -1, &ops, &err));
	assert_non_null(strstr(err.text, "test"));
	run(2);
	assert_int_equal(right.ends, 0);
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
		PAIR(test_frame_too_large),
		PAIR(test_largest_frame),
		PAIR(test_pause),
		PAIR(test_peer_gone),
		PAIR(test_peer_gone_while_we_write),
		PAIR(test_close_in_handler),
		PAIR(test_close_with_queued_descriptor),
		cmocka_unit_test(test_no_memory),
		PAIR(test_flush_in_between), PAIR(test_no_descriptor_left),
		RAW(test_no_wire), RAW(test_reset),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
