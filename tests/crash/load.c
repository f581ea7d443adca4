/*
 * load — what a toy asks of its store, one thing after another, and notes in the ledger.
 */
#include "tests/crash/toy_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"

static void next(struct toy *);

static void
answered(struct toy *t, enum store_result result)
{
	t->in_flight--;
	t->ledger->full += result == STORE_FULL;
	t->ledger->failed += result == STORE_FAILED;
	next(t);
}

static void
on_put(void *arg, enum store_result result)
{
	struct toy_message *m = arg;
	struct toy *t = m->toy;

	mem_free(m->content);
	m->content = NULL;
	if (result == STORE_DURABLE) {
		m->row->put_acked = true;
		t->ledger->puts++;
		toy_message_live(t, m);
	} else {
		if (m->row->large)
			store_large_drop(t->store, m->row->id);
		toy_message_free(m);
	}
	answered(t, result);
}

struct state_op {
	struct toy_message	*m;
	uint32_t		 state;
};

static void
on_state(void *arg, enum store_result result)
{
	struct state_op *op = arg;
	struct toy *t = op->m->toy;

	if (result == STORE_DURABLE) {
		if (op->state > op->m->row->state_acked)
			op->m->row->state_acked = op->state;
		t->ledger->states++;
	}
	op->m->finishing = false;
	if (t->sleeps)
		toy_maybe_sleep(t, op->m);
	mem_free(op);
	answered(t, result);
}

static void
on_done(void *arg, enum store_result result)
{
	struct toy_message *m = arg;
	struct toy *t = m->toy;

	if (result == STORE_DURABLE) {
		m->row->done_acked = true;
		t->ledger->dones++;
		toy_message_free(m);
	} else {
		m->finishing = false;
	}
	answered(t, result);
}

static int
large_write(struct toy *t, struct toy_message *m)
{
	struct err err;
	int fd = store_large_create(t->store, m->row->id, &err), rc;

	if (fd == -1)
		return -1;
	rc = fd_write_all(fd, m->content, m->row->len);
	fd_close(&fd);
	return rc;
}

static struct toy_message *
message_make(struct toy *t, struct store_put *put)
{
	struct toy_message *m;
	struct row *row;
	uint64_t id;

	if (store_next_ids(t->store, 1, &id) == -1 || (row = ledger_add(t->ledger, id)) == NULL)
		return NULL;
	row->large = t->larges != 0 && toy_random(t) % t->larges == 0;
	row->len = (uint32_t)(toy_random(t) % (2 * t->size)) + (row->large ? 300000 : 0);
	m = toy_message_new(t, row);
	m->content = mem_alloc(row->len + 1u);
	toy_content(id, m->content, row->len);
	toy_envelope(m);
	*put = (struct store_put){ .id = id, .large = row->large, .envelope = slice_of(m->envelope, m->envelope_len) };
	if (row->large) {
		put->large_size = row->len;
		put->large_crc = crc32c(0, m->content, row->len);
	} else {
		put->content = slice_of(m->content, row->len);
	}
	return m;
}

static bool
do_put(struct toy *t)
{
	struct store_put put;
	struct toy_message *m = message_make(t, &put);
	struct change *c;

	if (m == NULL)
		return false;
	if (put.large && large_write(t, m) == -1) {
		toy_message_free(m);
		return false;
	}
	c = change_new(t->store, t->put_class, on_put, m);
	m->row->put_asked = true;
	m->stored = change_put(c, &put, m);
	store_commit(t->store, &c, 0);
	return true;
}

static bool
do_state(struct toy *t, struct toy_message *m)
{
	char delta[400];
	struct state_op *op = mem_alloc(sizeof(*op));
	struct change *c;

	op->m = m;
	op->state = ++m->state;
	m->row->state_asked = m->state;
	m->finishing = true;
	memset(delta, 'd', sizeof(delta));
	memcpy(delta, &m->state, 4);
	c = change_new(t->store, STORE_STATE, on_state, op);
	(void)change_state(c, m->stored, slice_of(delta, 4 + toy_random(t) % 396));
	store_commit(t->store, &c, toy_random(t) % 2 == 0 ? 3 : 0);
	return true;
}

static bool
do_done(struct toy *t, struct toy_message *m)
{
	struct change *c = change_new(t->store, STORE_DONE, on_done, m);

	m->finishing = true;
	m->row->done_asked = true;
	(void)change_done(c, m->stored);
	store_commit(t->store, &c, toy_random(t) % 4 == 0 ? 3 : 0);
	return true;
}

static void
on_woken(void *arg, const struct store_woken *w)
{
	struct toy *t = arg;

	(void)w;
	answered(t, STORE_DURABLE);
}

static bool
do_wake(struct toy *t)
{
	char name[16];

	switch (toy_random(t) % 4) {
	case 0:
		return store_wake_look(t->store, 3, on_woken, t) == 0;
	case 1:
		return store_wake(t->store, t->ledger->rows[toy_random(t) % t->ledger->n].id, on_woken, t) == 0;
	default:
		return store_wake_due(t->store, toy_destination(toy_random(t), name), 4, on_woken, t) == 0;
	}
}

static bool
do_something(struct toy *t)
{
	struct toy_message *m = t->nlive == 0 ? NULL : t->live[toy_random(t) % t->nlive];
	uint64_t dice = toy_random(t) % 100;

	if (t->puts_only)
		return do_put(t);
	if (t->sleeps && t->ledger->n > 0 && toy_random(t) % 100 < (t->asleep > 100 ? 40 : 10))
		return do_wake(t);
	if (m == NULL || (t->nlive < t->target ? dice < 60 : dice < 30))
		return store_has_room(t->store, t->put_class) ? do_put(t) : m != NULL && !m->finishing && do_done(t, m);
	if (m->finishing)
		return do_put(t);
	return dice % 2 == 0 ? do_state(t, m) : do_done(t, m);
}

static void
next(struct toy *t)
{
	while (t->left > 0 && t->in_flight < t->most_in_flight && !t->broken) {
		t->left--;
		if (do_something(t))
			t->in_flight++;
	}
	if (t->in_flight == 0)
		loop_stop(t->loop);
}

static void
begin(void *arg)
{
	next(arg);
}

void
toy_run(struct toy *t, uint64_t operations)
{
	struct hook hook = { 0 };

	t->left = operations;
	loop_at_end(t->loop, &hook, begin, t);
	if (loop_run(t->loop) == -1)
		abort();
}
