/*
 * pin — see pin.h; the steps are those of docs/SPOOL.md, pin.
 */
#include "queue/store/pin.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"

#define ROOM_MOST	INT64_C(10000)	/* ms that mail may take to leave the ring */
#define HELD_MOST	(INT64_C(900) * 1000)	/* ms that it may stand: what is put off meanwhile stays in memory */

static const char short_of_room[] = "the ring is too full for it: try again when less mail comes in, or ask for more segments";

static void
look(void *arg)
{
	store_after(arg);
}

int
pin_init(struct store *store, const char *directory, struct err *err)
{
	struct pin *p = &store->pin;

	*p = (struct pin){ .directory = mem_dup(directory, strlen(directory) + 1) };
	if (p->directory == NULL || timer_init(&p->timer, store->loop, look, store) == -1)
		return err_memory(err, "no memory");
	return 0;
}

void
pin_fini(struct store *store)
{
	if (store->pin.directory != NULL)
		timer_fini(&store->pin.timer);
	mem_free((void *)(uintptr_t)store->pin.directory);
}

bool
pin_stands(const struct pin *p)
{
	return p->step == PIN_STILL || p->step == PIN_MARK || p->step == PIN_HELD;
}

bool
pin_wants_room(const struct pin *p)
{
	return p->step == PIN_ROOM;
}

/* Once; nobody listens any more when the owner has let go. */
static void
answer(struct pin *p, const struct store_pinned *pinned, const char *why)
{
	store_pinned_cb *done = p->done;

	p->done = NULL;
	if (done != NULL)
		done(p->arg, pinned, why);
}

/* What has waited goes on; from the timer, since the owner may be anywhere. */
static void
let_go(struct store *store, enum pin_step next)
{
	if (pin_stands(&store->pin)) {
		large_pin(&store->large, false);
		if (store->evacuation.able)
			evacuator_unpin(&store->evacuator);
	}
	store->pin.step = next;
	if (!store->closing)
		timer_set(&store->pin.timer, 0);
}

static void
give_up(struct store *store, const char *why)
{
	let_go(store, PIN_NONE);
	answer(&store->pin, NULL, why);
}

/* --- the steps ---------------------------------------------------------------------------------- */

/* docs/SPOOL.md, pin: 3 behind every wipe and batch that was handed over before. */
static void
ask_mark(struct store *store)
{
	struct post_list one = STAILQ_HEAD_INITIALIZER(one);
	struct change *change = change_make(store, CHANGE_MARK, STORE_DONE);

	if (change == NULL) {
		give_up(store, "no memory");
		return;
	}
	store->pin.step = PIN_MARK;
	store->pin.asked = true;
	STAILQ_INSERT_TAIL(&one, change, next);
	committer_give(&store->committer, &one);
}

static void
on_still(void *arg, struct question *q)
{
	struct store *store = arg;

	store->pin.asked = false;
	if (store->pin.step != PIN_STILL)
		return;
	if (q->failed)
		give_up(store, "the catalog cannot be flushed now: try again later");
	else
		ask_mark(store);
}

/* docs/SPOOL.md, pin: 2 no wipe, no copy, no round of the evacuator is begun from now on. */
static void
stand_still(struct store *store)
{
	struct question *q = NULL;

	if (store->evacuation.able && (q = question_new(QUESTION_STILL, slice_of("", 0))) == NULL) {
		give_up(store, "no memory");
		return;
	}
	store->pin.step = PIN_STILL;
	large_pin(&store->large, true);
	if (q == NULL) {
		ask_mark(store);
		return;
	}
	q->done = on_still;
	store->pin.asked = true;
	evacuator_pin(&store->evacuator, q);
}

/* docs/SPOOL.md, pin: 1 room. */
static void
look_for_room(struct store *store, const struct fill *fill)
{
	struct pin *p = &store->pin;
	int64_t left = p->until_ms - loop_now(store->loop);

	if (!admission_pins(fill) && left > 0 && store->evacuation.able && ring_oldest(&store->ring, true) != NULL)
		timer_set(&p->timer, left);
	else if (admission_unpins(fill))
		give_up(store, short_of_room);
	else
		stand_still(store);
}

static void
break_off(struct store *store, const char *why, const char *answered)
{
	struct pin *p = &store->pin;

	log_warn("%s: the backup is broken off, mail goes on", why);
	let_go(store, p->done == NULL ? PIN_BROKEN : PIN_NONE);
	answer(p, NULL, answered);
}

void
pin_look(struct store *store)
{
	struct pin *p = &store->pin;
	struct fill fill;

	if (p->step == PIN_NONE || p->step == PIN_BROKEN || store->closing || store->broken)
		return;
	store_fill(store, &fill);
	if (p->step == PIN_ROOM) {
		look_for_room(store, &fill);
	} else if (admission_unpins(&fill)) {
		break_off(store, "the ring runs short", short_of_room);
	} else if (p->step == PIN_HELD && loop_now(store->loop) >= p->until_ms) {
		break_off(store, "it takes too long", NULL);
	}
}

/* docs/SPOOL.md, pin: 4 it stands, and this is what counts. */
void
pin_marked(struct store *store, bool good)
{
	struct pin *p = &store->pin;
	struct store_segment *v;
	struct store_pinned pinned = { .directory = p->directory };
	struct segment *seg;

	p->asked = false;
	if (p->step != PIN_MARK)
		return;
	v = good ? mem_array(store->ring.n, sizeof(*v)) : NULL;
	if (v == NULL) {
		give_up(store, good ? "no memory" : "the store is broken");
		return;
	}
	for (uint32_t i = 0; i < store->ring.n; i++) {
		seg = &store->ring.v[i];
		if (seg->marked > 0)
			v[pinned.count++] = (struct store_segment){ seg->number, seg->size, seg->marked };
	}
	pinned.segments = v;
	p->step = PIN_HELD;
	p->until_ms = loop_now(store->loop) + HELD_MOST;
	timer_set(&p->timer, HELD_MOST);
	answer(p, &pinned, NULL);
	mem_free(v);
}

/* --- the owner's side --------------------------------------------------------------------------- */

int
store_pin(struct store *store, store_pinned_cb *done, void *arg)
{
	struct pin *p = &store->pin;

	if (p->step != PIN_NONE || p->asked || store->broken || store->closing)
		return -1;
	p->step = PIN_ROOM;
	p->done = done;
	p->arg = arg;
	p->until_ms = loop_now(store->loop) + ROOM_MOST;
	timer_set(&p->timer, 0);
	return 0;
}

bool
store_unpin(struct store *store)
{
	bool held = store->pin.step == PIN_HELD && !store->broken;

	store->pin.done = NULL;
	if (store->pin.step != PIN_NONE)
		let_go(store, PIN_NONE);
	return held;
}

void
pin_end(struct store *store)
{
	if (store->pin.step == PIN_NONE)
		return;
	let_go(store, PIN_NONE);
	timer_stop(&store->pin.timer);
	answer(&store->pin, NULL, "the queue is stopping");
}
