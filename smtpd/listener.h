#ifndef SMTPD_LISTENER_H
#define SMTPD_LISTENER_H
/*
 * listener — a public socket, bound by the supervisor and shared with our siblings: takes connections, a bounded number a turn.
 *
 * When descriptors or memory are short it rests for a second instead of spinning on a socket that stays readable.
 */
#include "event/timer.h"
#include "net/sockaddr.h"

struct listener;

/* The fd is the callee's. */
typedef void listener_fn(void *arg, int fd, const struct sockaddress *peer);

struct listener	*listener_new(struct loop *, int fd, listener_fn *, void *arg, struct err *);	/* takes the fd, also on failure */
void		 listener_free(struct listener **);	/* closes it */
void		 listener_rest(struct listener *, bool);	/* true: take nobody until false */

#endif
