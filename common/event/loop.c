/*
 * loop — rounds over libevent's core. The only files that include libevent are in this folder.
 */
#include "event/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/loop_private.h"

#define HOOKS_A_ROUND	100000	/* then the sockets get a turn again */

struct loop {
	struct event_base	*base;
	struct hook		*first, **last;
	struct discard		*discarded;
	void			(*every)(void *);
	void			*every_arg;
	int64_t			 now;
	int64_t			 turned;	/* clock_turned_ms() when the timers were set */
	uint64_t		 rounds;
	struct timer_list	 timers;
	bool			 stopped;
	bool			 ticked;	/* `now` was read in this round */
	char			 scratch[LOOP_SCRATCH];
};

struct loop *
loop_new(struct err *err)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));
	struct event_config *config = event_config_new();

	if (loop == NULL || config == NULL)
		goto fail;
	/* Without the change list: it would take a descriptor out of epoll
	 * only after its owner has closed it, and where another process holds
	 * the same socket (a fork, a handoff) it would stay there for ever. */
	(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	if (loop->base == NULL)
		goto fail;
	event_config_free(config);
	loop->last = &loop->first;
	loop->now = clock_mono_ms();
	loop->turned = clock_turned_ms();
	LIST_INIT(&loop->timers);
	return loop;

fail:
	(void)err_set(err, "no event loop: no memory, or no epoll");
	if (config != NULL)
		event_config_free(config);
	mem_free(loop);
	return NULL;
}

static void
free_discarded(struct loop *loop)
{
	struct discard *d;

	while ((d = loop->discarded) != NULL) {
		loop->discarded = d->next;
		d->free_fn(d->ptr);
	}
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	free_discarded(loop);
	event_base_free(loop->base);
	mem_free(loop);
}

/*
 * A hook that runs may ask for others, which join the end of the list and run in the same round:
 * a verdict makes a reply, a reply makes a write. The count bounds the chase.
 */
static void
run_hooks(struct loop *loop)
{
	for (size_t n = 0; n < HOOKS_A_ROUND && loop->first != NULL; n++) {
		struct hook *hook = loop->first;

		loop->first = hook->next;
		if (loop->first == NULL)
			loop->last = &loop->first;
		hook->next = NULL;
		hook->queued = false;
		hook->fn(hook->arg);
	}
}

static void
notice_turned_clock(struct loop *loop)
{
	if (clock_turned_ms() == loop->turned)
		return;
	loop->turned = clock_turned_ms();
	loop->ticked = false;
	loop_tick(loop);
	timers_rearm(loop);
}

int
loop_run(struct loop *loop)
{
	int flags, result = 0;

	loop->stopped = false;
	while (!loop->stopped && result != -1) {
		/* Hooks that are left over must not wait for the next event. */
		flags = EVLOOP_ONCE | (loop->first != NULL ? EVLOOP_NONBLOCK : 0);
		notice_turned_clock(loop);
		loop->ticked = false;
		loop->rounds++;
		result = event_base_loop(loop->base, flags);
		loop_tick(loop);
		run_hooks(loop);
		if (loop->every != NULL)
			loop->every(loop->every_arg);
		free_discarded(loop);
		if (result == 1 && loop->first == NULL)
			break;		/* nothing to wait for, nothing to do */
	}
	return result == -1 ? -1 : 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

int64_t
loop_now(const struct loop *loop)
{
	return loop->now;
}

void
loop_discard(struct loop *loop, struct discard *d, void (*free_fn)(void *), void *ptr)
{
	d->free_fn = free_fn;
	d->ptr = ptr;
	d->next = loop->discarded;
	loop->discarded = d;
}

uint64_t
loop_round(const struct loop *loop)
{
	return loop->rounds;
}

void
loop_at_end(struct loop *loop, struct hook *hook, void (*fn)(void *), void *arg)
{
	if (hook->queued)
		return;
	hook->fn = fn;
	hook->arg = arg;
	hook->next = NULL;
	hook->queued = true;
	*loop->last = hook;
	loop->last = &hook->next;
}

void
loop_hook_cancel(struct loop *loop, struct hook *hook)
{
	struct hook **at = &loop->first;

	if (!hook->queued)
		return;
	while (*at != hook)
		at = &(*at)->next;
	*at = hook->next;
	if (loop->last == &hook->next)
		loop->last = at;
	hook->next = NULL;
	hook->queued = false;
}

void
loop_every_round(struct loop *loop, void (*fn)(void *), void *arg)
{
	loop->every = fn;
	loop->every_arg = arg;
}

char *
loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

struct timer_list *
loop_timers(struct loop *loop)
{
	return &loop->timers;
}

void
loop_tick(struct loop *loop)
{
	if (loop->ticked)
		return;
	loop->ticked = true;
	loop->now = clock_mono_ms();
}

static void
watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	int bits = 0;

	(void)fd;
	if (what & EV_READ)
		bits |= WATCH_READ;
	if (what & EV_WRITE)
		bits |= WATCH_WRITE;
	loop_tick(w->loop);
	w->fn(w->arg, bits & w->wants);
}

int
watch_start(struct watch *w, struct loop *loop, int fd, int wants, void (*fn)(void *, int), void *arg)
{
	*w = (struct watch){ .loop = loop, .fd = fd, .fn = fn, .arg = arg };
	w->event = event_new(loop->base, fd, EV_PERSIST, watch_fired, w);
	if (w->event == NULL)
		return -1;
	watch_want(w, wants);
	if (w->wants == wants)
		return 0;
	watch_stop(w);
	return -1;
}

void
watch_want(struct watch *w, int wants)
{
	short bits = EV_PERSIST;

	if (w->event == NULL || w->wants == wants)
		return;
	if (w->wants != 0)
		(void)event_del(w->event);
	w->wants = wants;
	if (wants == 0)
		return;
	if (wants & WATCH_READ)
		bits |= EV_READ;
	if (wants & WATCH_WRITE)
		bits |= EV_WRITE;
	/* What the kernel has no memory for is wanted again by the next call, and not forgotten in silence. */
	if (event_assign(w->event, w->loop->base, w->fd, bits, watch_fired, w) == -1 || event_add(w->event, NULL) == -1) {
		log_error("a descriptor cannot be watched: %s", strerror(errno));
		w->wants = 0;
	}
}

void
watch_stop(struct watch *w)
{
	if (w->event != NULL)
		event_free(w->event);	/* deletes it first */
	w->event = NULL;
	w->wants = 0;
}
