/*
 * timer — deadlines that may move away for free.
 */
#include "event/timer.h"

#include <event2/event.h>

#include "event/loop_private.h"

static void
arm(struct timer *t)
{
	int64_t in_ms = t->due - loop_now(t->loop);
	struct timeval tv;

	if (in_ms < 0)
		in_ms = 0;
	tv.tv_sec = in_ms / 1000;
	tv.tv_usec = (in_ms % 1000) * 1000;
	t->armed = t->due;
	(void)event_add(t->event, &tv);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	loop_tick(t->loop);
	t->armed = 0;
	if (t->due == 0)
		return;
	if (loop_now(t->loop) < t->due) {
		arm(t);
		return;
	}
	t->due = 0;
	t->fn(t->arg);
}

int
timer_init(struct timer *t, struct loop *loop, void (*fn)(void *), void *arg)
{
	*t = (struct timer){ .loop = loop, .fn = fn, .arg = arg };
	t->event = evtimer_new(loop_base(loop), timer_fired, t);
	if (t->event == NULL)
		return -1;
	LIST_INSERT_HEAD(loop_timers(loop), t, link);
	return 0;
}

void
timer_set(struct timer *t, int64_t in_ms)
{
	int64_t due = loop_now(t->loop) + (in_ms > 0 ? in_ms : 0);

	t->due = due > 0 ? due : 1;
	if (t->armed == 0 || t->due < t->armed)
		arm(t);
}

void
timer_stop(struct timer *t)
{
	t->due = 0;
}

bool
timer_is_set(const struct timer *t)
{
	return t->due != 0;
}

void
timer_fini(struct timer *t)
{
	if (t->event != NULL) {
		LIST_REMOVE(t, link);
		event_free(t->event);
	}
	t->event = NULL;
	t->due = t->armed = 0;
}

void
timers_rearm(struct loop *loop)
{
	struct timer *t;

	LIST_FOREACH(t, loop_timers(loop), link)
		if (t->due != 0)
			arm(t);
}
