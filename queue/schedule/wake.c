/*
 * wake — mail that sleeps: which destination has some that is due, and can use it.
 *
 * A heap of those destinations, by the time before which none of theirs is due. While some were asked for, the destination is not
 * in it; what falls asleep meanwhile is remembered beside it, because the answer may be older.
 */
#include "queue/schedule/inside.h"

#define WAKE_AGAIN	INT64_C(1000)	/* ms until sleeping mail is asked for again when nobody can wake it */

bool
schedule_wakes_before(const struct heap_node *a, const struct heap_node *b)
{
	return CONTAINER_OF(a, const struct destination, sleepers)->wake_mono_ms <
	    CONTAINER_OF(b, const struct destination, sleepers)->wake_mono_ms;
}

void
schedule_consider(struct schedule *s, struct destination *d)
{
	heap_remove(&s->sleeping, &d->sleepers);
	if (d->wake_mono_ms == DESTINATION_NONE_SLEEP || d->waking || s->rings[d->transport].paused || destination_wants(d) == 0)
		return;
	/* Without memory it is considered again when a job of it ends. */
	if (heap_push(&s->sleeping, &d->sleepers) == 0)
		schedule_run_soon(s);
}

/* Those with sleeping mail that is due and that can use it. */
void
schedule_wake_due(struct schedule *s)
{
	struct heap_node *node;

	while ((node = heap_least(&s->sleeping)) != NULL) {
		struct destination *d = CONTAINER_OF(node, struct destination, sleepers);

		if (d->wake_mono_ms > loop_now(s->loop))
			break;
		heap_remove(&s->sleeping, node);
		d->waking = true;
		d->added_mono_ms = DESTINATION_NONE_SLEEP;
		if (s->ops->wake(s->arg, d, destination_wants(d)) == 0)
			continue;
		d->waking = false;
		d->wake_mono_ms = loop_now(s->loop) + WAKE_AGAIN;
		schedule_consider(s, d);
	}
}

void
schedule_sleeping(struct schedule *s, enum transport transport, struct slice nexthop, int64_t in_ms)
{
	struct destination *d = schedule_destination(s, transport, nexthop);
	int64_t at = loop_now(s->loop) + in_ms;

	if (d == NULL)
		return;		/* no memory: the sweep finds them when they are looked at */
	if (at < d->wake_mono_ms)
		d->wake_mono_ms = at;
	if (d->waking && at < d->added_mono_ms)
		d->added_mono_ms = at;
	schedule_consider(s, d);
}

void
schedule_woken(struct schedule *s, struct destination *d, int64_t in_ms)
{
	d->waking = false;
	d->wake_mono_ms = in_ms == DESTINATION_NONE_SLEEP ? in_ms : loop_now(s->loop) + in_ms;
	if (d->added_mono_ms < d->wake_mono_ms)
		d->wake_mono_ms = d->added_mono_ms;
	d->jobs++;
	schedule_release(s, d);
}
