/* sink — four kinds of descriptor, one way to be stuck. */
#include "control/logger/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define TRY_AGAIN_MS	1000
#define AT_ONCE		64		/* datagrams in one system call */
#define PIECE		4096		/* what a pipe takes at once when it says that it has room (PIPE_BUF) */

#define OPEN_FLAGS	(O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)

static const char dev_log[] = "/dev/log";

enum kind {
	KIND_NONE,
	KIND_FILE,		/* never waits */
	KIND_STREAM,		/* a pipe or terminal that was opened anew, so that only we do not wait on it */
	KIND_SHARED,		/* one that others share: its flags are not ours to change, so ask before each write */
	KIND_SOCKET,
	KIND_SYSLOG,
};

static void attempt(struct sink *);

static int
open_syslog(struct sink *s)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	fd_close(&s->fd);
	memcpy(to.sun_path, dev_log, sizeof(dev_log));
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		return -1;
	if (connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	fd_close(&s->fd);
	return -1;
}

/* A new opening of the same pipe or terminal has flags of its own; where that is not to be had, share. */
static void
open_stderr(struct sink *s)
{
	struct stat st;

	s->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	s->kind = KIND_SHARED;
	if (s->fd == -1 || fstat(s->fd, &st) == -1)
		return;
	if (S_ISREG(st.st_mode))
		s->kind = KIND_FILE;
	else if (S_ISSOCK(st.st_mode))
		s->kind = KIND_SOCKET;
	else {
		int own = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		if (own == -1)
			return;
		fd_close(&s->fd);
		s->fd = own;
		s->kind = KIND_STREAM;
	}
}

/* The folder of a file, if nobody but root can put anything there; else -1. */
static int
open_roots_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];
	struct stat st;
	int fd;

	if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return -1;
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1 && (fstat(fd, &st) == -1 || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
		fd_close(&fd);
	return fd;
}

/* In a folder of root's alone, where the user may not make the
 * file: it is made for the user, or opened if it is there. */
static int
open_for(const struct account *as, const char *path)
{
	int folder = open_roots_folder(path), fd;
	const char *name = strrchr(path, '/') + 1;
	struct stat st;

	if (folder == -1)
		return -1;
	fd = openat(folder, name, OPEN_FLAGS | O_EXCL | O_NOFOLLOW, 0640);
	if (fd != -1 && fchown(fd, as->uid, as->gid) == -1)
		fd_close(&fd);
	else if (fd == -1 && errno == EEXIST)
		fd = openat(folder, name, (OPEN_FLAGS & ~O_CREAT) | O_NOFOLLOW);
	if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink != 1))
		fd_close(&fd);
	fd_close(&folder);
	return fd;
}

static int
open_file(struct sink *s, const char *path, const struct account *as, struct err *err)
{
	mode_t before = umask(027);	/* a log is for its group, too */

	s->kind = KIND_FILE;
	if (as == NULL)
		s->fd = open(path, OPEN_FLAGS, 0640);
	else
		s->fd = open_as(as, path, OPEN_FLAGS, 0640);
	if (s->fd == -1)
		(void)err_sys(err, "log file %s", path);
	if (s->fd == -1 && as != NULL && errno == EACCES)
		s->fd = open_for(as, path);
	(void)umask(before);
	return s->fd == -1 ? -1 : 0;
}

int
sink_open(struct sink *s, const char *target, const struct account *as, struct err *err)
{
	static const char file[] = "file:";

	*s = (struct sink){ .fd = -1 };
	buf_init(&s->lines, SINK_KEEP);
	if (strcmp(target, "stderr") == 0) {
		open_stderr(s);
		return s->fd == -1 ? err_sys(err, "stderr") : 0;
	}
	if (strncmp(target, file, sizeof(file) - 1) == 0)
		return open_file(s, target + sizeof(file) - 1, as, err);
	s->kind = KIND_SYSLOG;
	(void)open_syslog(s);	/* nobody there yet: lines wait until there is */
	return 0;
}

bool
sink_is_syslog(const struct sink *s)
{
	return s->kind == KIND_SYSLOG;
}

static void
on_room(void *arg, int what)
{
	struct sink *s = arg;

	(void)what;
	watch_stop(&s->watch);
	attempt(s);
}

static void
on_again(void *arg)
{
	attempt(arg);
}

int
sink_start(struct sink *s, struct loop *loop, void (*flows)(void *, uint64_t), void *arg)
{
	s->loop = loop;
	s->flows = flows;
	s->arg = arg;
	return timer_init(&s->again, loop, on_again, s);
}

void
sink_dropped(struct sink *s)
{
	s->dropped++;
	s->dropped_ever++;
}

/* How many lines of `lines` (each with its LF) fit in
 * one call; fills one message for each, without the LF. */
static unsigned
cut_datagrams(struct slice lines, struct mmsghdr msgs[AT_ONCE], struct iovec parts[AT_ONCE])
{
	unsigned n = 0;
	const char *end;

	while (n < AT_ONCE && lines.len > 0 && (end = memchr(lines.p, '\n', lines.len)) != NULL) {
		size_t len = (size_t)(end - lines.p);

		parts[n] = (struct iovec){ .iov_base = (void *)(uintptr_t)lines.p, .iov_len = len };
		msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &parts[n], .msg_iovlen = 1 } };
		slice_drop(&lines, len + 1);
		n++;
	}
	return n;
}

/* Bytes of `lines` that are on their way; -1: errno. */
static ssize_t
write_syslog(struct sink *s, struct slice lines)
{
	struct mmsghdr msgs[AT_ONCE];
	struct iovec parts[AT_ONCE];
	unsigned count = cut_datagrams(lines, msgs, parts);
	ssize_t bytes = 0;
	int sent;

	if (s->fd == -1 && open_syslog(s) == -1)
		return -1;
	sent = sendmmsg(s->fd, msgs, count, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == -1) {
		if (errno == EMSGSIZE)		/* longer than this syslog takes: a lost line, not a stuck log */
			return (ssize_t)parts[0].iov_len + 1;
		if (errno != EAGAIN && errno != ENOBUFS)
			fd_close(&s->fd);	/* syslogd was restarted: its socket is a new one */
		return -1;
	}
	for (int i = 0; i < sent; i++)
		bytes += (ssize_t)parts[i].iov_len + 1;
	return bytes;
}

static ssize_t
write_shared(const struct sink *s, struct slice lines)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };

	if (poll(&room, 1, 0) <= 0 || (room.revents & POLLOUT) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(s->fd, lines.p, lines.len < PIECE ? lines.len : PIECE);
}

static ssize_t
write_some(struct sink *s, struct slice lines)
{
	switch (s->kind) {
	case KIND_SYSLOG:
		return write_syslog(s, lines);
	case KIND_SOCKET:
		return send(s->fd, lines.p, lines.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	case KIND_SHARED:
		return write_shared(s, lines);
	default:
		return write(s->fd, lines.p, lines.len);
	}
}

/* Room may come by itself (a pipe is read), or must be asked for again (a full disk, no syslogd). */
static void
get_stuck(struct sink *s)
{
	s->stuck = true;
	if (errno == EAGAIN && s->fd != -1 && watch_start(&s->watch, s->loop, s->fd, WATCH_WRITE, on_room, s) == 0)
		return;
	timer_set(&s->again, TRY_AGAIN_MS);
}

static void
attempt(struct sink *s)
{
	uint64_t dropped = s->dropped;
	ssize_t n;

	s->stuck = false;
	while (buf_len(&s->lines) > 0) {
		n = write_some(s, buf_slice(&s->lines));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			get_stuck(s);
			return;
		}
		buf_drop(&s->lines, (size_t)n);
	}
	if (dropped > 0) {
		s->dropped = 0;
		s->flows(s->arg, dropped);
	}
}

void
sink_flush(struct sink *s)
{
	if (!s->stuck && buf_len(&s->lines) > 0)
		attempt(s);
}

void
sink_close(struct sink *s)
{
	if (s->loop != NULL && buf_len(&s->lines) > 0)
		(void)write_some(s, buf_slice(&s->lines));
	watch_stop(&s->watch);
	timer_fini(&s->again);
	fd_close(&s->fd);
	buf_fini(&s->lines);
}
