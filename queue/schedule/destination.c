/*
 * destination — the window and the back-off. Pure but for its memory: no clock, no I/O.
 */
#include "queue/schedule/destination.h"

#include "base/mem.h"

#define WINDOW_FIRST	5		/* jobs at once to a next hop that nobody has tried yet */
#define BACKOFF_FIRST	INT64_C(60000)	/* ms; doubles with each probe that fails */
#define BACKOFF_MOST	INT64_C(1200000)

struct destination *
destination_new(enum transport transport, struct slice nexthop, uint32_t most)
{
	struct destination *d = mem_zalloc(sizeof(*d) + nexthop.len);

	if (d == NULL)
		return NULL;
	if (nexthop.len > 0)
		memcpy(d + 1, nexthop.p, nexthop.len);
	d->nexthop = slice_of(d + 1, nexthop.len);
	d->transport = transport;
	d->most = most > 0 ? most : 1;
	/* A mailbox of this machine needs no caution. */
	d->window = transport == TRANSPORT_LOCAL || d->most < WINDOW_FIRST ? d->most : WINDOW_FIRST;
	TAILQ_INIT(&d->ready);
	return d;
}

void
destination_free(struct destination **dp)
{
	mem_free(*dp);
	*dp = NULL;
}

bool
destination_can_start(const struct destination *d)
{
	return d->resume_mono_ms == 0 && d->in_flight < d->window && !TAILQ_EMPTY(&d->ready);
}

int64_t
destination_answered(struct destination *d, bool reachable)
{
	int64_t pause = BACKOFF_FIRST;

	if (reachable) {
		d->failures = 0;
		if (d->window < d->most)
			d->window++;
		return 0;
	}
	d->window = 1;
	d->failures++;
	for (uint32_t i = 1; i < d->failures && pause < BACKOFF_MOST; i++)
		pause *= 2;
	return pause < BACKOFF_MOST ? pause : BACKOFF_MOST;
}
