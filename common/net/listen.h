#ifndef NET_LISTEN_H
#define NET_LISTEN_H
/*
 * listen — sockets that wait for others. Bound once by the supervisor and passed on, so nobody else
 * needs the right.
 */
#include <sys/types.h>

#include "base/err.h"
#include "net/sockaddr.h"

/* A bound, listening, non-blocking, close-on-exec TCP socket; the port may be 0 (any free one).
 * -1: err. */
int	listen_tcp(const struct sockaddress *, int backlog, struct err *);
/* The same as a Unix stream socket with this mode. A stale socket at that path is replaced,
 * anything else is left alone and an error; so is a socket at which somebody still answers. */
int	listen_unix(const char *path, mode_t mode, int backlog, struct err *);
/* Where it is bound, as the kernel says. -1: errno. */
int	listen_address(int fd, struct sockaddress *);

#endif
