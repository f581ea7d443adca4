/*
 * listen — binds TCP and Unix sockets. Called by the supervisor, and by tests for their peers.
 */
#include "net/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

/* An IPv6 socket takes IPv6 only: "::" and "0.0.0.0" are two listeners, and each client is seen
 * in its own family. */
static int
bind_tcp(int fd, const struct sockaddress *at, int backlog)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return -1;
	if (at->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	if (bind(fd, &at->any, at->len) == -1)
		return -1;
	return listen(fd, backlog);
}

int
listen_tcp(const struct sockaddress *at, int backlog, struct err *err)
{
	char text[SOCKADDRESS_TEXT];
	int fd;

	fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(
		    err, "cannot make a socket for %s", sockaddress_print_port(at, text));
	if (bind_tcp(fd, at, backlog) == -1) {
		err_sys(err, "cannot listen on %s", sockaddress_print_port(at, text));
		fd_close(&fd);
		return -1;
	}
	return fd;
}

/* Removes what a dead process left. 0: the path is free now. */
static int
clear_stale(const struct sockaddr_un *at, struct err *err)
{
	struct stat st;
	int fd, answers;

	if (lstat(at->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(err, "%s", at->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, "%s is in the way and no socket", at->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(err, "cannot make a socket");
	answers = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN;
	fd_close(&fd);
	if (answers)
		return err_set(err, "somebody already answers at %s", at->sun_path);
	return unlink(at->sun_path) == 0 || errno == ENOENT ?
	    0 :
	    err_sys(err, "cannot remove %s", at->sun_path);
}

int
listen_unix(const char *path, mode_t mode, int backlog, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlcpy(at.sun_path, path, sizeof(at.sun_path)) >= sizeof(at.sun_path))
		return err_set(err, "%s is too long for a socket's path (%zu at most)", path,
		    sizeof(at.sun_path) - 1);
	if (clear_stale(&at, err) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(err, "cannot make a socket");
	/* Nobody can connect before listen(), so setting the mode in between leaves no gap. */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || chmod(path, mode) == -1 ||
	    listen(fd, backlog) == -1) {
		err_sys(err, "cannot listen on %s", path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}

int
listen_address(int fd, struct sockaddress *out)
{
	struct sockaddress a;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.v6);
	if (getsockname(fd, &a.any, &a.len) == -1)
		return -1;
	*out = a;
	return 0;
}
