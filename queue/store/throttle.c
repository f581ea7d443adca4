/*
 * throttle — while mail leaves the ring, a client's message waits for space instead of being refused.
 *
 * In a storm of mail that cannot be delivered the speed of evacuation is the speed of acceptance. A client that waits two seconds
 * for its 250 keeps that pace by itself; one that hears 452 comes back in a quarter of an hour, and has to be told so only
 * when space does not come.
 */
#include "queue/store/inside.h"

#define WAIT_MOST	INT64_C(10000)	/* ms that a message waits */
#define STARVED		INT64_C(5000)	/* ms for which clients are told to come back, after one waited in vain */
#define TICK		INT64_C(500)

static void
tick(void *arg)
{
	struct store *store = arg;

	store_flush(store);
	store_after(store);
	if (!STAILQ_EMPTY(&store->throttle.waiting) || throttle_says_full(store))
		timer_set(&store->throttle.timer, TICK);
}

int
throttle_init(struct store *store, struct err *err)
{
	STAILQ_INIT(&store->throttle.waiting);
	STAILQ_INIT(&store->throttle.returned);

	return timer_init(&store->throttle.timer, store->loop, tick, store) == -1 ? err_memory(err, "no memory") : 0;
}

void
throttle_fini(struct store *store)
{
	timer_fini(&store->throttle.timer);
}

static bool
has_space(struct store *store)
{
	struct fill fill;

	store_fill(store, &fill);
	return admission_has_room(STORE_CLIENT, &fill, true);
}

static bool
may_wait(const struct store *store, const struct change *c)
{
	return c->class == STORE_CLIENT && store->evacuation.able && !store->evacuation.failing && !store->closing;
}

static void
hold(struct store *store, struct change *c, struct change_list *list)
{
	if (c->held == 0)
		c->held = loop_now(store->loop);
	STAILQ_INSERT_TAIL(list, c, next);
	if (!timer_is_set(&store->throttle.timer))
		timer_set(&store->throttle.timer, TICK);
}

bool
throttle_holds(struct store *store, struct change *c)
{
	struct throttle *t = &store->throttle;

	if (!may_wait(store, c) || (STAILQ_EMPTY(&t->waiting) && STAILQ_EMPTY(&t->returned) && has_space(store)))
		return false;
	hold(store, c, &t->waiting);
	return true;
}

/* There was space when it was handed over, and others of its round took it. */
bool
throttle_takes_back(struct store *store, struct change *c)
{
	if (c->result != STORE_FULL || !may_wait(store, c))
		return false;
	c->result = STORE_RESULT_NONE;
	c->large = false;		/* its files are synced: they need not be read again */
	hold(store, c, &store->throttle.returned);
	return true;
}

static void
refuse(struct store *store, struct change *c)
{
	store->throttle.starved = loop_now(store->loop);
	c->result = STORE_FULL;
	change_finish(c);
}

/* A segment's worth at a time: what was let through before may not have reached the ring yet. */
void
throttle_release(struct store *store, struct post_list *out)
{
	struct throttle *t = &store->throttle;
	uint64_t left = store->ring.least / 2;
	struct change *c;

	STAILQ_CONCAT(&t->returned, &t->waiting);
	STAILQ_CONCAT(&t->waiting, &t->returned);
	while ((c = STAILQ_FIRST(&t->waiting)) != NULL && left > 0 && has_space(store)) {
		STAILQ_REMOVE_HEAD(&t->waiting, next);
		STAILQ_INSERT_TAIL(out, c, next);
		left -= c->bytes < left ? c->bytes : left;
	}
	while ((c = STAILQ_FIRST(&t->waiting)) != NULL &&
	    (store->evacuation.failing || loop_now(store->loop) - c->held >= WAIT_MOST)) {
		STAILQ_REMOVE_HEAD(&t->waiting, next);
		refuse(store, c);
	}
}

void
throttle_end(struct store *store)
{
	struct change *c;

	STAILQ_CONCAT(&store->throttle.waiting, &store->throttle.returned);
	while ((c = STAILQ_FIRST(&store->throttle.waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->throttle.waiting, next);
		refuse(store, c);
	}
}

bool
throttle_says_full(const struct store *store)
{
	return store->throttle.starved != 0 && loop_now(store->loop) - store->throttle.starved < STARVED;
}
