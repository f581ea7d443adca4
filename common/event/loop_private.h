#ifndef EVENT_LOOP_PRIVATE_H
#define EVENT_LOOP_PRIVATE_H
/* loop_private — what the files of this folder share beneath loop.h. */
#include <bsd/sys/queue.h>

#include "event/loop.h"

LIST_HEAD(timer_list, timer);

struct event_base	*loop_base(struct loop *);
/* The round's first callback reads the clock; the others get the same time for nothing. */
void			 loop_tick(struct loop *);
struct timer_list	*loop_timers(struct loop *);
/* timer.c: a test has turned the clock, and libevent beneath knows nothing of it. */
void			 timers_rearm(struct loop *);

#endif
