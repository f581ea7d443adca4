#ifndef NET_CONNECT_H
#define NET_CONNECT_H
/*
 * connect — one TCP connection to one address, within a time. Who tries several in turn decides what a failure means.
 */
#include "event/loop.h"
#include "event/timer.h"
#include "net/sockaddr.h"

/* Lives in its owner. Zeroed: nothing under way. */
struct connecting {
	struct loop	*loop;
	int		 fd, error;
	struct watch	 watch;
	struct timer	 timer;
	struct hook	 hook;
	bool		 active;
	/* Once, from the loop, never inside connect_start. `fd`: connected, non-blocking, without Nagle's delay, the callee's;
	 * or -1 and errno. */
	void		(*done)(void *arg, int fd, int error);
	void		*arg;
};

/* `from` may be NULL: the kernel chooses. */
void	connect_start(struct connecting *, struct loop *, const struct sockaddress *to, const struct sockaddress *from,
	    int64_t patience_ms, void (*done)(void *, int, int), void *arg);
void	connect_stop(struct connecting *);		/* done will not run; idle is fine */

#endif
