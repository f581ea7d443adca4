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

struct listener_ops {
	void	(*connection)(void *arg, int fd, const struct sockaddress *peer);	/* the fd is the callee's */
	/* The supervisor has shut the socket down, because a reload took the address away: listener_free it. */
	void	(*closed)(void *arg, struct listener *);
};

struct listener	*listener_new(struct loop *, int fd, const struct listener_ops *, void *arg, struct err *);	/* takes the fd, also on failure */
void		 listener_free(struct listener **);	/* closes it */
void		 listener_look(struct listener *);	/* one turn, also while it rests */
void		 listener_rest(struct listener *, bool);	/* true: take nobody until false */

#endif
