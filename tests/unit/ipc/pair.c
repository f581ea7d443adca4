/* pair — see pair.h. */
#include "tests/unit/ipc/pair.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/timer.h"
#include "ipc/frame.h"

struct side left, right;
int raw;
size_t fds_before;
static struct loop *loop;
static struct timer guard;

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

const struct channel_ops ops = { "test", 1, handlers, TYPES, on_end, on_drained, false };
const struct channel_ops other_wire = { "tesT", 1, handlers, TYPES, on_end, on_drained, false };
const struct channel_ops other_version = { "test", 2, handlers, TYPES, on_end, NULL, false };

static void
guard_over(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

void
run(int64_t ms)
{
	timer_set(&guard, ms);
	assert_int_equal(loop_run(loop), 0);
}

struct channel *
open_side(struct side *side, int fd, const struct channel_ops *with, struct err *err)
{
	side->channel = channel_open(loop, fd, with, side, err);
	return side->channel;
}

void
start(struct side *side, int fd, const struct channel_ops *with)
{
	struct err err;

	assert_non_null(open_side(side, fd, with, &err));
}

int
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

int
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

int
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

int
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

int
send_text(struct side *side, struct slice text)
{
	put_slice(channel_begin(side->channel, TEXT), text);
	return channel_end(side->channel);
}

int
send_file(struct side *side, int fd)
{
	(void)channel_begin(side->channel, FILE_OF);
	return channel_end_fd(side->channel, fd);
}
