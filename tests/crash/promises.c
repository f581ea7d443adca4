/*
 * promises — what a toy has found in its store, against what the ledger says was promised.
 */
#include "tests/crash/toy_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A read that fails with an errno (a planned one) says nothing; wrong bytes or a bad checksum
 * do. */
static void
check_content(struct toy *t, struct toy_message *m)
{
	char *got = mem_alloc(m->row->len + 1u), *want = mem_alloc(m->row->len + 1u);
	bool same = stored_size(m->stored) == m->row->len;
	struct err err = { 0 };

	if (got == NULL || want == NULL)
		abort();
	toy_content(m->row->id, want, m->row->len);
	if (same && stored_read(m->stored, 0, got, m->row->len, &err) == 0)
		same = memcmp(got, want, m->row->len) == 0;
	else
		same = same && err.code != 0;
	if (!same)
		ledger_broken(t->ledger, "another content:", m->row->id);
	mem_free(got);
	mem_free(want);
}

void
toy_check(struct toy *t, struct toy_message *m)
{
	struct row *row = m->row;

	if (row->gone && !row->done_acked && t->ledger->tolerant) {
		t->ledger->missing--;		/* behind business the hunt found its file */
	} else if (row->done_acked || row->gone) {
		ledger_broken(t->ledger, "finished, and came back:", row->id);
		t->ledger->back++;
	}
	if (m->state < row->state_acked && !m->maybe)
		ledger_broken(t->ledger, "a state older than acknowledged:", row->id);
	if (m->state > row->state_asked)
		ledger_violation(t->ledger, "a state that nobody asked for:", row->id);
	check_content(t, m);
	/* What recovery has shown once must be so for ever. */
	row->put_acked = true;
	row->done_asked = row->done_acked = false;
	row->state_acked = row->state_asked = m->state;
}

/* One that sleeps: its record is looked at, its content when it wakes. */
static void
check_asleep(void *arg, const struct store_put *put)
{
	struct toy *t = arg;
	struct row *row = ledger_find(t->ledger, put->id);
	uint32_t state = 0;

	if (row != NULL && row->seen)
		return;
	if (put->awake)
		return;		/* finished, and not forgotten yet */
	if (row == NULL || !row->put_asked || put->envelope.len < ENVELOPE_FIXED) {
		ledger_violation(t->ledger, "phantom in the catalog:", put->id);
		return;
	}
	memcpy(&state, put->envelope.p + 12, 4);
	row->seen = true;
	t->asleep++;
	if (row->done_acked || row->gone) {
		ledger_broken(t->ledger, "finished, and came back asleep:", row->id);
		t->ledger->back++;
	}
	if (state < row->state_acked && !put->maybe)
		ledger_broken(t->ledger, "asleep with a state older than acknowledged:", row->id);
	if (put->large_size != row->len)
		ledger_broken(t->ledger, "asleep with another size:", row->id);
	row->put_acked = true;
	row->done_asked = row->done_acked = false;
	row->state_acked = row->state_asked = state;
}

static void look_on(struct toy *, uint64_t);

static void
on_page(void *arg, uint64_t last, bool trouble)
{
	struct toy *t = arg;

	if (trouble)
		t->broken = true;	/* planned: nothing is known, so nothing may be concluded */
	if (last != 0 && !trouble) {
		look_on(t, last);
		return;
	}
	t->paged = true;
	loop_stop(t->loop);
}

static void
look_on(struct toy *t, uint64_t after)
{
	if (store_page(t->store, slice_of("", 0), after, 64, check_asleep, on_page, t) == 0)
		return;
	t->broken = true;
	loop_stop(t->loop);
}

static void
look_at_sleepers(struct toy *t)
{
	look_on(t, 0);
	while (!t->paged && !t->broken)
		if (loop_run(t->loop) == -1)
			abort();
}

void
toy_check_all(struct toy *t)
{
	struct ledger *l = t->ledger;

	for (uint32_t i = 0; i < l->n; i++)
		l->rows[i].seen = false;
	for (uint32_t i = 0; i < t->nlive; i++) {
		t->live[i]->row->seen = true;
		toy_check(t, t->live[i]);
	}
	if (t->sleeps)
		look_at_sleepers(t);
	for (uint32_t i = 0; i < l->n && !t->broken; i++) {
		struct row *row = &l->rows[i];

		if (row->seen)
			continue;
		if (row->put_acked && !row->done_asked && !row->gone) {
			ledger_broken(l, "lost:", row->id);
			l->missing++;
		}
		row->gone = true;
	}
}
