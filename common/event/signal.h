#ifndef EVENT_SIGNAL_H
#define EVENT_SIGNAL_H
/* signal — a signal as an event of the loop; the handler beneath only writes a byte. */
#include "event/loop.h"

struct signal_watch {
	struct event	*event;
	void		(*fn)(void *arg, int signo);
	void		*arg;
};

int	signal_start(struct signal_watch *, struct loop *, int signo, void (*fn)(void *, int), void *arg);
void	signal_stop(struct signal_watch *);

#endif
