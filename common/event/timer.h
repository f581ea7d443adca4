#ifndef EVENT_TIMER_H
#define EVENT_TIMER_H
/*
 * timer — one deadline.
 *
 * Moving a deadline further away costs nothing: the timer fires at the old time, sees that it is
 * early and sleeps on. So a session may set its deadline anew at every command.
 */
#include <bsd/sys/queue.h>

#include "event/loop.h"

struct timer {
	struct loop	*loop;
	struct event	*event;
	int64_t		 due;		/* loop_now() time; 0: not set */
	int64_t		 armed;		/* when the event beneath fires; 0: not */
	void		(*fn)(void *);
	void		*arg;
	LIST_ENTRY(timer) link;		/* all timers of the loop */
};

int	timer_init(struct timer *, struct loop *, void (*fn)(void *), void *arg);	/* -1: no memory */
void	timer_set(struct timer *, int64_t in_ms);	/* from now; replaces an earlier deadline */
void	timer_stop(struct timer *);
bool	timer_is_set(const struct timer *);
void	timer_fini(struct timer *);			/* twice is fine */

#endif
