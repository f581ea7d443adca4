/*
 * store_toy — see store_toy.h; load.c has its operations, promises.c compares.
 */
#include "tests/crash/toy_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint64_t
toy_random(struct toy *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

/* The content of a message follows from its id alone. */
void
toy_content(uint64_t id, char *p, uint32_t len)
{
	uint64_t x = id * UINT64_C(0x9e3779b97f4a7c15) | 1;

	for (uint32_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p[i] = (char)(x >> (i % 8 * 8));
	}
}

void
toy_envelope(struct toy_message *m)
{
	uint32_t filler = (uint32_t)(m->row->id % 300);

	memcpy(m->envelope, &m->row->id, 8);
	memcpy(m->envelope + 8, &m->row->len, 4);
	memcpy(m->envelope + 12, &m->state, 4);
	memcpy(m->envelope + 16, &filler, 4);
	memset(m->envelope + ENVELOPE_FIXED, 'e', filler);
	m->envelope_len = ENVELOPE_FIXED + filler;
}

struct toy_message *
toy_message_new(struct toy *t, struct row *row)
{
	struct toy_message *m = mem_zalloc(sizeof(*m));

	if (t->nlive == t->cap) {
		t->cap = t->cap == 0 ? 1024 : t->cap * 2;
		t->live = mem_grow(t->live, t->cap, sizeof(*t->live));
	}
	if (m == NULL || t->live == NULL)
		abort();
	m->toy = t;
	m->row = row;
	m->place = UINT32_MAX;
	return m;
}

void
toy_message_live(struct toy *t, struct toy_message *m)
{
	if (t->nlive == t->cap) {
		t->cap *= 2;
		t->live = mem_grow(t->live, t->cap, sizeof(*t->live));
	}
	m->place = t->nlive;
	t->live[t->nlive++] = m;
}

void
toy_message_free(struct toy_message *m)
{
	struct toy *t = m->toy;

	if (m->place != UINT32_MAX) {
		t->live[m->place] = t->live[--t->nlive];
		t->live[m->place]->place = m->place;
	}
	mem_free(m->content);
	mem_free(m);
}

/* --- the store's questions --- */

/* By an operator, as far as the store knows. */
static bool
is_kept(uint64_t id)
{
	return id % 11 == 0;
}

static void *
on_found(void *arg, struct stored *stored, const struct store_put *put)
{
	struct toy *t = arg;
	struct row *row = ledger_find(t->ledger, put->id);
	struct toy_message *m;

	if (row == NULL || !row->put_asked) {
		ledger_violation(t->ledger, "phantom, never put:", put->id);
		if (row == NULL && (row = ledger_add(t->ledger, put->id)) == NULL)
			return NULL;
	}
	m = toy_message_new(t, row);
	m->stored = stored;
	m->maybe = put->maybe;
	if (put->maybe && is_kept(put->id) && !put->held)
		ledger_broken(t->ledger, "made anew, and not held any more:", put->id);
	if (put->envelope.len < ENVELOPE_FIXED || memcmp(put->envelope.p, &put->id, 8) != 0 ||
	    memcmp(put->envelope.p + 8, &row->len, 4) != 0)
		ledger_violation(t->ledger, "not the envelope that was put:", put->id);
	else
		memcpy(&m->state, put->envelope.p + 12, 4);
	if (put->large != row->large)
		ledger_violation(t->ledger, "large or not, it changed:", put->id);
	toy_message_live(t, m);
	if (t->opened) {
		t->ledger->woke++;
		t->asleep -= t->asleep > 0;
		toy_check(t, m);
	}
	return m;
}

static int
on_delta(void *arg, void *owner, uint32_t version, struct slice delta)
{
	struct toy_message *m = owner;
	uint32_t state;

	(void)arg;
	(void)version;
	if (delta.len < 4)
		return -1;
	memcpy(&state, delta.p, 4);
	if (state > m->state)		/* says how it is: may be older than what was folded in */
		m->state = state;
	return 0;
}

static void
on_fold(void *arg, void *owner, struct buf *out)
{
	struct toy_message *m = owner;

	(void)arg;
	toy_envelope(m);
	(void)buf_append(out, m->envelope, m->envelope_len);
}

static void
on_room(void *arg, enum store_class class, bool yes)
{
	(void)arg;
	(void)class;
	(void)yes;
}

static void
on_broken(void *arg, const char *why)
{
	struct toy *t = arg;

	(void)why;
	t->broken = true;
	loop_stop(t->loop);
}

/* --- sleeping --- */

#define DESTINATIONS	5u

struct slice
toy_destination(uint64_t id, char out[16])
{
	return slice_of(out, (size_t)snprintf(out, 16, "d%u", (unsigned)(id % DESTINATIONS)));
}

static void
on_plan(void *arg, void *owner, int64_t now, struct plan *plan)
{
	struct toy_message *m = owner;
	char name[16];

	(void)arg;

	plan_row(plan, toy_destination(m->row->id, name), m->row->id % 2 == 0 ? PLAN_MAIL : PLAN_NOTICE, now);
	if (m->row->id % 7 == 0)
		plan_row(plan, SLICE_LIT("another"), PLAN_MAIL, now + (int64_t)(m->row->id % 100));
	plan_look(plan, now + (int64_t)(m->row->id % 50));
	plan_domain(plan, SLICE_LIT("Example.ORG"));
	if (is_kept(m->row->id))
		plan_hold(plan);
}

void
toy_maybe_sleep(struct toy *t, struct toy_message *m)
{
	if (m->finishing || !stored_is_spooled(m->stored) || toy_random(t) % 4 == 0)
		return;
	(void)stored_sleep(m->stored);
}

static void
on_spooled(void *arg, void *owner)
{
	toy_maybe_sleep(arg, owner);
}

static bool
on_asleep(void *arg, void *owner)
{
	struct toy *t = arg;
	struct toy_message *m = owner;

	if (m->finishing || toy_random(t) % 16 == 0)
		return false;
	toy_message_free(m);
	t->asleep++;
	t->ledger->slept++;
	return true;
}

static bool
on_knows(void *arg, uint64_t id)
{
	struct toy *t = arg;

	for (uint32_t i = 0; i < t->nlive; i++)
		if (t->live[i]->row->id == id)
			return true;
	return false;
}

static void
on_destination(void *arg, struct slice name, uint64_t messages, int64_t earliest)
{
	(void)arg;
	(void)name;
	(void)messages;
	(void)earliest;
}

static const struct store_ops ring_ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room,
	.broken = on_broken };
static const struct store_ops sleep_ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room,
	.broken = on_broken, .plan = on_plan, .spooled = on_spooled, .asleep = on_asleep, .knows = on_knows,
	.destination = on_destination };

int
toy_open(struct toy *t, struct ledger *l, const struct store_conf *conf, uint64_t seed, bool sleeps, struct err *err)
{
	uint32_t before = l->violations;
	struct store_figures f;

	*t = (struct toy){ .ledger = l, .random = seed * 2654435761u + 88172645463325252u, .most_in_flight = 16,
	    .target = 60, .size = 8000, .larges = 40, .put_class = STORE_CLIENT, .sleeps = sleeps };
	if ((t->loop = loop_new(err)) == NULL)
		return -1;
	if ((t->store = store_open(t->loop, conf, sleeps ? &sleep_ops : &ring_ops, t, err)) == NULL) {
		toy_close(t);
		return -1;
	}
	store_figures(t->store, &f);
	l->set_aside += f.damaged + f.torn;
	l->recovered += f.recovered;
	l->opens++;
	toy_check_all(t);
	t->opened = true;
	return l->violations == before ? 0 : err_set(err, "violations");
}

void
toy_close(struct toy *t)
{
	struct store_figures f;

	if (t->store != NULL) {
		store_figures(t->store, &f);
		t->ledger->evacuated += f.evacuated;
	}
	store_close(&t->store);
	while (t->nlive > 0)
		toy_message_free(t->live[t->nlive - 1]);
	mem_free(t->live);
	t->live = NULL;
	if (t->loop != NULL)
		loop_free(t->loop);
	t->loop = NULL;
}
