/*
 * signal — libevent's handler writes one byte; the callback runs in the loop like any other.
 */
#include "event/signal.h"

#include <event2/event.h>

#include "event/loop_private.h"

static void
signal_fired(evutil_socket_t signo, short what, void *arg)
{
	struct signal_watch *w = arg;

	(void)what;
	w->fn(w->arg, (int)signo);
}

int
signal_start(struct signal_watch *w, struct loop *loop, int signo, void (*fn)(void *, int), void *arg)
{
	w->fn = fn;
	w->arg = arg;
	w->event = evsignal_new(loop_base(loop), signo, signal_fired, w);
	if (w->event == NULL)
		return -1;
	return event_add(w->event, NULL);
}

void
signal_stop(struct signal_watch *w)
{
	if (w->event != NULL)
		event_free(w->event);
	w->event = NULL;
}
