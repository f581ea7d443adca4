/*
 * connect — a non-blocking connect with a deadline. Called by relay for every new connection.
 */
#include "net/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/fd.h"

/* A peer that lost its power answers nothing: the kernel gives up on unacknowledged bytes after this time. */
#define USER_TIMEOUT_MS	300000

static void
finish(struct connecting *c, int error)
{
	int fd = c->fd;

	watch_stop(&c->watch);
	timer_fini(&c->timer);
	c->active = false;
	c->fd = -1;
	if (error != 0)
		fd_close(&fd);
	c->done(c->arg, fd, error);
}

static void
finish_early(void *arg)
{
	struct connecting *c = arg;

	finish(c, c->error);
}

static void
on_writable(void *arg, int what)
{
	struct connecting *c = arg;
	socklen_t len = sizeof(c->error);

	(void)what;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &c->error, &len) == -1)
		c->error = errno;
	finish(c, c->error);
}

static void
on_late(void *arg)
{
	finish(arg, ETIMEDOUT);
}

static void
set_options(int fd)
{
	int on = 1;
	unsigned patience = USER_TIMEOUT_MS;

	/* Each only makes things better; a kernel without one still delivers mail. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
}

/* 0: connected or on the way; else errno. */
static int
begin(struct connecting *c, const struct sockaddress *to, const struct sockaddress *from)
{
	c->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return errno;
	set_options(c->fd);
	if (from != NULL && bind(c->fd, &from->any, from->len) == -1)
		return errno;
	if (connect(c->fd, &to->any, to->len) == -1 && errno != EINPROGRESS)
		return errno;
	return 0;
}

void
connect_start(struct connecting *c, struct loop *loop, const struct sockaddress *to, const struct sockaddress *from,
    int64_t patience_ms, void (*done)(void *, int, int), void *arg)
{
	*c = (struct connecting){ .loop = loop, .fd = -1, .active = true, .done = done, .arg = arg };
	c->error = begin(c, to, from);
	if (c->error == 0 && (timer_init(&c->timer, loop, on_late, c) == -1 ||
	    watch_start(&c->watch, loop, c->fd, WATCH_WRITE, on_writable, c) == -1))
		c->error = ENOMEM;
	if (c->error == 0)
		timer_set(&c->timer, patience_ms);
	else
		loop_at_end(loop, &c->hook, finish_early, c);
}

void
connect_stop(struct connecting *c)
{
	if (!c->active)
		return;
	c->active = false;
	loop_hook_cancel(c->loop, &c->hook);
	watch_stop(&c->watch);
	timer_fini(&c->timer);
	fd_close(&c->fd);
}
