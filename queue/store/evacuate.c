/*
 * evacuate — the loop's half of moving mail out of the ring; the steps are those of docs/SPOOL.md,
 * evacuate and forget. The disk's half is evacuator.c.
 *
 * Everything that keeps a segment from being wiped is in its list: a message whose newest PUT lies
 * there, a spooled one with a STATE that the catalog has not seen, a finished one that the catalog
 * has not forgotten. An order works off one entry; what comes in while it is under way is noted
 * beside it (`later`) and looked at when it is done.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"

#define ORDERED_MAX	1024u			/* orders out of the ring at a time */
#define AGE_MOST	(INT64_C(300) * 1000)	/* ms that a segment may be the oldest and still hold mail */
#define TICK		INT64_C(10000)		/* ms between looks when nothing happens */
#define AGAIN		INT64_C(10000)		/* ms after trouble */

static void
tick(void *arg)
{
	struct store *store = arg;

	store_after(store);
	timer_set(&store->evacuation.timer, TICK);
}

int
evacuation_init(struct store *store, struct err *err)
{
	struct evacuation *e = &store->evacuation;
	int64_t wall = clock_wall_ms(), written = evacuator_totals(&store->evacuator).clock_ms;

	*e = (struct evacuation){ .able = store->ops->plan != NULL, .base_ms = wall > written ? wall : written,
	    .base_mono_ms = clock_mono_ms() };
	buf_init(&e->envelope, STORE_CHANGE_MAX);
	plan_init(&e->plan);
	if (timer_init(&e->timer, store->loop, tick, store) == -1)
		return err_memory(err, "no memory");
	timer_set(&e->timer, TICK);
	return 0;
}

void
evacuation_fini(struct store *store)
{
	timer_fini(&store->evacuation.timer);
	buf_fini(&store->evacuation.envelope);
	plan_fini(&store->evacuation.plan);
}

bool
evacuation_keeps(const struct store *store, const struct segment *seg)
{
	return seg->sequence < store->evacuation.keep_below;
}

int64_t
store_now(const struct store *store)
{
	const struct evacuation *e = &store->evacuation;

	return e->base_ms + clock_mono_ms() - e->base_mono_ms;
}

/* --- orders ------------------------------------------------------------------------------------- */

static void
give(struct store *store, struct stored *s, struct order *o)
{
	o->record.id = s->id;
	o->record.version = s->version;
	o->record.large = (s->flags & STORED_LARGE) != 0;
	o->record.folder = s->folder;
	o->record.place = s->place;
	o->record.crc = s->crc;
	o->record.size = s->size;
	s->flags |= STORED_ORDERED;
	s->later = NULL;
	evacuator_order(&store->evacuator, o, store_now(store));
}

/* With the message as it is now, every state folded in, and its plan. NULL: not now (said why). */
static struct order *
order_with_state(struct store *store, struct stored *s, enum order_kind kind)
{
	struct evacuation *e = &store->evacuation;
	struct slice envelope, plan;
	struct order *o;

	buf_reset(&e->envelope);
	plan_reset(&e->plan);
	store->ops->fold(store->arg, s->owner, &e->envelope);
	store->ops->plan(store->arg, s->owner, store_now(store), &e->plan);
	envelope = buf_slice(&e->envelope);
	plan = plan_slice(&e->plan);
	if (e->envelope.failed || plan_failed(&e->plan) || (o = order_new(kind, s, envelope.len + plan.len)) == NULL) {
		log_error("no memory to move a message out of the ring");
		return NULL;
	}
	if (envelope.len > 0)
		memcpy(o->bytes, envelope.p, envelope.len);
	if (plan.len > 0)
		memcpy(o->bytes + envelope.len, plan.p, plan.len);
	o->record.envelope = slice_of(o->bytes, envelope.len);
	o->plan = slice_of(o->bytes + envelope.len, plan.len);
	return o;
}

static int
order_forget(struct store *store, struct stored *s, bool urgent)
{
	struct order *o = order_new(ORDER_FORGET, s, 0);

	if (o == NULL)
		return -1;		/* the pump asks again */
	o->urgent = urgent;
	give(store, s, o);
	return 0;
}

/* One entry of a segment's list. -1: not now. */
static int
order_out(struct store *store, struct segment *seg, struct stored *s)
{
	struct order *o;

	if (s->flags & STORED_DEAD)
		return order_forget(store, s, true);
	if ((o = order_with_state(store, s, s->flags & STORED_SPOOLED ? ORDER_UPDATE : ORDER_SPOOL)) == NULL)
		return -1;
	o->ring_fd = seg->fd;
	o->ring_at = s->place;
	o->urgent = true;
	give(store, s, o);
	return 0;
}

/* A state on its way would be ahead of the ring in the catalog; what is finishing goes by itself. */
static bool
may_order(const struct stored *s)
{
	if ((s->flags & (STORED_ORDERED | STORED_COPYING)) || (s->owner == NULL && !(s->flags & STORED_DEAD)))
		return false;
	return (s->flags & STORED_DEAD) || (s->pending == 0 && !(s->flags & STORED_FINISHING));
}

/* Is space wanted, or has the oldest mail been in the ring long enough? */
static bool
is_wanted(struct store *store, struct segment *seg)
{
	struct fill fill;

	if (seg->oldest_since == 0)
		seg->oldest_since = loop_now(store->loop);
	store_fill(store, &fill);
	return admission_evacuates(&fill) || pin_wants_room(&store->pin) || loop_now(store->loop) - seg->oldest_since >= AGE_MOST;
}

void
evacuation_pump(struct store *store)
{
	struct evacuation *e = &store->evacuation;
	struct segment *seg = ring_oldest(&store->ring, true);
	struct stored *s, *next;

	if (!e->able || seg == NULL || pin_stands(&store->pin) || TAILQ_EMPTY(&seg->live) || !is_wanted(store, seg))
		return;
	if (e->failing && loop_now(store->loop) < e->again_ms)
		return;
	for (s = TAILQ_FIRST(&seg->live); s != NULL && e->ordered < ORDERED_MAX; s = next) {
		next = TAILQ_NEXT(s, in_segment);
		if (!may_order(s))
			continue;
		if (order_out(store, seg, s) == -1)
			break;
		e->ordered++;
	}
}

int
evacuation_doze(struct stored *s)
{
	struct order *o = order_with_state(s->store, s, ORDER_UPDATE);

	if (o == NULL)
		return -1;
	s->flags |= STORED_DOZING;
	give(s->store, s, o);
	return 0;
}

/* --- what came of them -------------------------------------------------------------------------- */

static void
failed(struct store *store)
{
	store->evacuation.failing = true;
	store->evacuation.again_ms = loop_now(store->loop) + AGAIN;
}

/* The catalog has what the order told it; what came later is for the next one. */
static void
move_on(struct store *store, struct stored *s)
{
	struct segment *later = s->later;

	stored_leave(store, s);
	s->later = NULL;
	if (later != NULL)
		stored_join(s, later);
}

static void
spooled(struct store *store, struct stored *s, const struct order *o)
{
	stored_leave(store, s);
	s->bytes = 0;
	move_on(store, s);
	stored_uncount(s);

	s->flags = (uint16_t)((s->flags | STORED_SPOOLED) & ~STORED_CHECKED);
	s->folder = o->record.folder;
	s->place = o->record.place;
	store->evacuation.evacuated++;
	if (!(s->flags & STORED_DEAD))
		store->ops->spooled(store->arg, s->owner);
}

/* It could not be set aside: no space, or its segment cannot be read. It is tried again like any other. */
static void
not_aside(struct store *store, struct stored *s)
{
	s->flags &= (uint16_t)~STORED_LOST;
	failed(store);
}

static void
finish_spool(struct store *store, struct stored *s, const struct order *o)
{
	char *content;
	struct err err;

	if (o->result == ORDER_DONE) {
		spooled(store, s, o);
		return;
	}
	s->later = NULL;		/* its PUT is in the ring still, and older than any state */
	if (o->result == ORDER_NOT_DONE || (content = mem_alloc((size_t)s->size + 1)) == NULL) {
		failed(store);
	} else {
		(void)stored_read(s, 0, content, (size_t)s->size, &err);	/* sets it aside */
		mem_free(content);
		if (s->segment != NULL)
			not_aside(store, s);
	}
	/* Finished while it was on its way, and the catalog has never heard of it. */
	if (s->flags & STORED_DEAD) {
		if (stored_is_large(s))
			large_unlink(&store->large, s->id);
		stored_free(store, s);
	}
}

static void
finish_update(struct store *store, struct stored *s, const struct order *o)
{
	bool dozing = (s->flags & STORED_DOZING) != 0, good = o->result == ORDER_DONE;

	s->flags &= (uint16_t)~STORED_DOZING;
	if (!good)
		failed(store);
	if (good || (s->flags & STORED_DEAD))
		move_on(store, s);	/* a DONE needs no older state */
	if (dozing && good && !(s->flags & (STORED_DEAD | STORED_FINISHING)) && s->segment == NULL && s->pending == 0 &&
	    s->version == o->record.version && store->ops->asleep(store->arg, s->owner)) {
		evacuation_release(store, s->id);
		stored_free(store, s);
	}
}

static void
finish(struct store *store, struct order *o)
{
	struct stored *s = o->stored;
	bool was_dead = (s->flags & STORED_DEAD) != 0;

	s->flags &= (uint16_t)~STORED_ORDERED;
	if (o->urgent && store->evacuation.ordered > 0)
		store->evacuation.ordered--;
	if (o->result == ORDER_DONE && o->kind != ORDER_FORGET)
		store->evacuation.failing = false;
	if (o->kind == ORDER_FORGET && o->result == ORDER_DONE) {
		stored_free(store, s);
	} else if (o->kind == ORDER_FORGET) {
		failed(store);
	} else if (o->kind == ORDER_SPOOL) {
		finish_spool(store, s, o);
		if (was_dead && o->result == ORDER_DONE)
			(void)order_forget(store, s, false);
	} else {
		finish_update(store, s, o);
		if (was_dead)
			(void)order_forget(store, s, false);
	}
}

void
evacuation_take(struct store *store)
{
	struct order_list orders;
	struct question_list questions;
	struct question *q;
	struct order *o;
	bool hunted;
	uint32_t adopted = evacuator_take(&store->evacuator, &orders, &questions, &hunted, &store->evacuation.totals);

	store->ring.commits = store->evacuation.totals.commits;
	if (hunted)
		store->evacuation.keep_below = 0;

	while ((o = STAILQ_FIRST(&orders)) != NULL) {
		STAILQ_REMOVE_HEAD(&orders, next);
		finish(store, o);
		order_free(o);
	}
	while ((q = STAILQ_FIRST(&questions)) != NULL) {
		STAILQ_REMOVE_HEAD(&questions, next);
		if (q->done != NULL)
			q->done(store, q);
		question_free(q);
	}
	if (adopted > 0 && store->ops->destination != NULL)
		store->ops->destination(store->arg, slice_of("", 0), adopted, 0);
}

/* --- what the committer has made durable -------------------------------------------------------- */

bool
evacuation_knows(const struct stored *s)
{
	return (s->flags & (STORED_SPOOLED | STORED_ORDERED)) != 0;
}

void
evacuation_state(struct stored *s, struct segment *seg)
{
	if (!evacuation_knows(s))
		return;
	if ((s->flags & STORED_ORDERED) && s->later == NULL)
		s->later = seg;
	if (s->segment == NULL)
		stored_join(s, seg);
}

/* The DONE supersedes all states: its segment alone waits for the catalog. */
void
evacuation_done(struct stored *s, struct segment *seg)
{
	s->owner = NULL;
	s->flags = (uint16_t)((s->flags | STORED_DEAD) & ~STORED_FINISHING);
	if (s->flags & STORED_ORDERED) {
		s->later = seg;
		if (s->segment == NULL)
			stored_join(s, seg);
		return;
	}
	stored_leave(s->store, s);
	stored_join(s, seg);
	(void)order_forget(s->store, s, false);
}

/* --- in recovery, without the thread ------------------------------------------------------------ */

static size_t
entries(const struct segment *seg)
{
	const struct stored *s;
	size_t n = 0;

	TAILQ_FOREACH(s, &seg->live, in_segment)
		n++;
	return n;
}

/* Works off the whole list of a segment, at once. 0: it is empty. */
int
evacuation_now(struct store *store, struct segment *seg, struct err *err)
{
	size_t left = entries(seg), before = left + 1;
	struct stored *s, *next;

	for (; left > 0 && left < before; left = entries(seg)) {
		before = left;
		for (s = TAILQ_FIRST(&seg->live); s != NULL; s = next) {
			next = TAILQ_NEXT(s, in_segment);
			if (may_order(s) && order_out(store, seg, s) == -1)
				return err_memory(err, "no memory to empty the oldest segment");
		}
		evacuator_serve_all(&store->evacuator);
		evacuation_take(store);
	}
	return left == 0 ? 0 : err_set(err, "the oldest segment cannot be emptied");
}

static void
tell_destination(void *arg, const struct catalog_destination *d)
{
	struct store *store = arg;
	int64_t in_ms = d->earliest_ms - store_now(store);

	store->ops->destination(store->arg, d->name, d->messages, in_ms > 0 ? in_ms : 0);
}

/* What was found finished in the ring, and is still in the catalog. */
void
evacuation_begin(struct store *store)
{
	struct stored *s;

	if (!store->evacuator.hunted)
		store->evacuation.keep_below = store->ring.next_sequence;
	store->evacuation.totals = evacuator_totals(&store->evacuator);
	catalog_each_destination(store->evacuator.catalog, tell_destination, store);
	for (uint32_t i = 0; i < store->ring.n; i++)
		TAILQ_FOREACH(s, &store->ring.v[i].live, in_segment)
			if ((s->flags & STORED_DEAD) && !(s->flags & STORED_ORDERED))
				(void)order_forget(store, s, false);
}
