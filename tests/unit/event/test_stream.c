/* test_stream — input in pieces, limits both ways, and the end that is told once. */
#include "tests/support/testing.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "event/stream.h"
#include "event/timer.h"

#define IN_MAX	4096
#define OUT_MAX	(1 << 20)

static struct loop *loop;
static struct stream *stream;
static struct timer guard;
static struct buf seen;		/* what was consumed */
static int peer, inputs, ends, drains;
static enum stream_end end_kind;
static int end_error;
static size_t consume_most;	/* at a time; 0: whole lines only */

static void
on_input(void *arg)
{
	struct slice in = stream_input(stream);
	size_t n = in.len < consume_most ? in.len : consume_most;

	(void)arg;
	inputs++;
	if (consume_most == 0 && in.len > 0) {
		const char *lf = memrchr(in.p, '\n', in.len);

		n = lf == NULL ? 0 : (size_t)(lf - in.p) + 1;
	}
	(void)buf_append(&seen, in.p, n);
	stream_consume(stream, n);
}

static void
on_end(void *arg, enum stream_end kind, int error)
{
	(void)arg;
	ends++;
	end_kind = kind;
	end_error = error;
	loop_stop(loop);
}

static void
on_drained(void *arg)
{
	(void)arg;
	drains++;
}

static const struct stream_ops ops = { .on_input = on_input, .on_end = on_end, .on_drained = on_drained };

static void
guard_over(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static int
setup(void **state)
{
	struct err err;
	int fds[2];

	(void)state;
	inputs = ends = drains = end_error = 0;
	end_kind = STREAM_NONE;
	consume_most = SIZE_MAX;
	loop = loop_new(&err);
	if (loop == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	peer = fds[1];
	stream = stream_open(loop, fds[0], IN_MAX, 1000, OUT_MAX, &ops, NULL, &err);
	buf_init(&seen, SIZE_MAX);
	return stream == NULL || timer_init(&guard, loop, guard_over, NULL) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	stream_close(&stream);
	timer_fini(&guard);
	buf_fini(&seen);
	fd_close(&peer);
	loop_free(loop);
	return 0;
}

/* Runs for some real milliseconds: enough for everything on a local socket. */
static void
run(int64_t ms)
{
	timer_set(&guard, ms);
	assert_int_equal(loop_run(loop), 0);
}

static void
test_lines_in_pieces(void **state)
{
	static const char text[] = "EHLO a\r\nMAIL FROM:<>\r\nQUIT\r\n";

	(void)state;
	consume_most = 0;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(write(peer, text + i, 1), 1);
		run(2);
	}
	assert_slice(buf_slice(&seen), text);
	assert_int_equal(ends, 0);
	assert_int_equal(write(peer, "rest", 4), 4);
	fd_close(&peer);
	run(1000);
	assert_int_equal(ends, 1);
	assert_int_equal(end_kind, STREAM_EOF);
	assert_slice(stream_input(stream), "rest");	/* told after all input, which is still there */
}

/* A peer that sends more than is consumed is not read from until there is room. */
static void
test_input_limit(void **state)
{
	static char block[200000];
	size_t sent = 0, kept;

	(void)state;
	consume_most = 1;	/* next to nothing */
	assert_int_equal(fd_nonblock(peer), 0);
	for (int i = 0; i < 50; i++) {
		ssize_t n = write(peer, block, sizeof(block));

		sent += n > 0 ? (size_t)n : 0;
		run(1);
	}
	kept = stream_input(stream).len;
	assert_true(kept >= IN_MAX && kept < IN_MAX + LOOP_SCRATCH);
	assert_true(sent > kept);
	int before = inputs;
	run(5);
	assert_int_equal(inputs, before);	/* quiet */
	consume_most = SIZE_MAX;
	(void)buf_append(&seen, stream_input(stream).p, kept);
	stream_consume(stream, kept);
	fd_close(&peer);
	run(1000);
	assert_int_equal(ends, 1);
	assert_int_equal(buf_len(&seen), sent);
}

static void
test_output_in_one_write(void **state)
{
	char bytes[100];

	(void)state;
	assert_int_equal(stream_puts(stream, "250 "), 0);
	assert_int_equal(stream_printf(stream, "%d", 42), 0);
	assert_int_equal(stream_write(stream, SLICE_LIT("\r\n")), 0);
	assert_int_equal(stream_pending(stream), 8);
	run(5);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 8);
	assert_memory_equal(bytes, "250 42\r\n", 8);
	assert_int_equal(drains, 1);
	assert_int_equal(stream_pending(stream), 0);
}

static void
test_back_pressure(void **state)
{
	static char block[300000], sink[65536];
	size_t got = 0;
	ssize_t n;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(stream_write(stream, slice_of(block, 900)), 0);
	assert_false(stream_congested(stream));
	assert_int_equal(stream_write(stream, slice_of(block, sizeof(block))), 0);
	assert_int_equal(stream_write(stream, slice_of(block, sizeof(block))), 0);
	run(5);
	assert_true(stream_congested(stream));
	assert_int_equal(drains, 0);
	for (int i = 0; i < 1000 && got < 900 + 2 * sizeof(block); i++) {
		while ((n = recv(peer, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
		run(1);
	}
	assert_int_equal(got, 900 + 2 * sizeof(block));
	assert_int_equal(drains, 1);
	assert_false(stream_congested(stream));
}

static void
test_output_limit(void **state)
{
	static char block[OUT_MAX + 1];

	(void)state;
	assert_int_equal(stream_write(stream, slice_of(block, sizeof(block))), -1);
	assert_int_equal(ends, 0);			/* never from inside the call */
	assert_int_equal(stream_puts(stream, "x"), -1);
	run(1000);
	assert_int_equal(ends, 1);
	assert_int_equal(end_kind, STREAM_ERROR);
	assert_int_equal(end_error, ENOBUFS);
	run(5);
	assert_int_equal(ends, 1);
}

/* Also when the flush was asked for by the owner and nothing is watched any more. */
static void
test_peer_gone_at_flush(void **state)
{
	(void)state;
	fd_close(&peer);
	assert_int_equal(stream_puts(stream, "421 bye\r\n"), 0);
	stream_flush(stream);
	assert_int_equal(ends, 0);
	run(1000);
	assert_int_equal(ends, 1);
	assert_int_equal(end_kind, STREAM_ERROR);
	assert_int_equal(end_error, EPIPE);
}

static void
test_close_after_flush(void **state)
{
	static char block[OUT_MAX], sink[65536];
	size_t got = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(stream_write(stream, slice_of(block, sizeof(block))), 0);
	stream_close_after_flush(&stream, 1000);
	assert_null(stream);
	for (int i = 0; i < 1000; i++) {
		while ((n = recv(peer, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
		if (n == 0)
			break;
		run(1);
	}
	assert_int_equal(got, sizeof(block));
	/* The peer has our last words and still talks: it is heard out, not reset, until it closes. */
	assert_int_equal(send(peer, "QUIT\r\n", 6, MSG_NOSIGNAL), 6);
	run(5);
	assert_int_equal(send(peer, "?\r\n", 3, MSG_NOSIGNAL), 3);
	fd_close(&peer);
	run(5);
	assert_int_equal(ends + drains + inputs, 0);	/* no callback any more */
}

static void
test_linger_gives_up(void **state)
{
	static char block[OUT_MAX], sink[65536];
	ssize_t n;

	(void)state;
	assert_int_equal(stream_write(stream, slice_of(block, sizeof(block))), 0);
	stream_close_after_flush(&stream, 10);
	run(50);
	while ((n = recv(peer, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		continue;
	assert_int_equal(n, 0);		/* closed, though not all of it went */
	assert_int_equal(ends, 0);
}

#define ROUND(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUND(test_lines_in_pieces),     ROUND(test_input_limit),
		ROUND(test_output_in_one_write), ROUND(test_back_pressure),     ROUND(test_output_limit),
		ROUND(test_peer_gone_at_flush),  ROUND(test_close_after_flush), ROUND(test_linger_gives_up),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
