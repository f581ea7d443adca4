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
	d->wake_mono_ms = DESTINATION_NONE_SLEEP;
	TAILQ_INIT(&d->ready);
	return d;
}

static const char letters[TRANSPORT_COUNT] = { [TRANSPORT_LOCAL] = 'l', [TRANSPORT_RELAY] = 'r' };

struct slice
destination_key(enum transport transport, struct slice nexthop, char out[DESTINATION_KEY_MAX])
{
	size_t len = nexthop.len < NEXTHOP_MAX ? nexthop.len : NEXTHOP_MAX;

	if (transport == TRANSPORT_NONE)
		return slice_of("", 0);
	out[0] = letters[transport];
	if (len > 0)
		memcpy(out + 1, nexthop.p, len);
	return slice_of(out, len + 1);
}

int
destination_of_key(struct slice key, enum transport *transport, struct slice *nexthop)
{
	*transport = TRANSPORT_NONE;
	*nexthop = slice_of("", 0);
	if (key.len == 0)
		return 0;
	for (enum transport t = TRANSPORT_NONE + 1; t < TRANSPORT_COUNT; t++)
		if (letters[t] == key.p[0])
			*transport = t;
	*nexthop = slice_of(key.p + 1, key.len - 1);
	return *transport == TRANSPORT_NONE ? -1 : 0;
}

uint32_t
destination_wants(const struct destination *d)
{
	uint32_t has = d->lined_up + d->in_flight;

	if (d->transport == TRANSPORT_NONE)
		return DESTINATION_UNROUTED;
	if (d->resume_mono_ms != 0 || has > d->window)
		return 0;
	return 2 * d->window - has;
}

bool
destination_is_crowded(const struct destination *d)
{
	return d->resume_mono_ms != 0 || d->lined_up > 2 * d->window;
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
	if (d->resume_mono_ms != 0)
		return 0;		/* it backs off already: jobs that were under way together are one failure */
	d->failures++;
	for (uint32_t i = 1; i < d->failures && pause < BACKOFF_MOST; i++)
		pause *= 2;
	return pause < BACKOFF_MOST ? pause : BACKOFF_MOST;
}
