/*
 * store_toy — see store_toy.h.
 */
#include "tests/crash/store_toy.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define ENVELOPE_FIXED	20u

void *
toy_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

struct ledger *
ledger_new(void)
{
	return toy_shared(sizeof(struct ledger));
}

void
ledger_reset(struct ledger *l)
{
	memset(l->slots, 0, sizeof(l->slots));
	memset(l->rows, 0, (size_t)l->n * sizeof(l->rows[0]));
	l->n = 0;
	l->tolerant = false;
}

static uint32_t *
ledger_slot(struct ledger *l, uint64_t id)
{
	uint32_t at = (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % (LEDGER_MAX * 2);

	while (l->slots[at] != 0 && l->rows[l->slots[at] - 1].id != id)
		at = (at + 1) % (LEDGER_MAX * 2);
	return &l->slots[at];
}

static struct row *
ledger_find(struct ledger *l, uint64_t id)
{
	uint32_t *slot = ledger_slot(l, id);

	return *slot == 0 ? NULL : &l->rows[*slot - 1];
}

static struct row *
ledger_add(struct ledger *l, uint64_t id)
{
	uint32_t *slot = ledger_slot(l, id);

	if (*slot != 0 || l->n == LEDGER_MAX)
		return NULL;
	l->rows[l->n] = (struct row){ .id = id };
	*slot = ++l->n;
	return &l->rows[*slot - 1];
}

static void
violation(struct ledger *l, const char *what, uint64_t id)
{
	l->violations++;
	printf("VIOLATION: %s %llx\n", what, (unsigned long long)id);
	fflush(stdout);
}

/* A broken promise; after damage on purpose it is a loss, and has to be told by the store. */
static void
broken(struct ledger *l, const char *what, uint64_t id)
{
	if (l->tolerant)
		l->losses++;
	else
		violation(l, what, id);
}

uint64_t
toy_random(struct toy *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

/* The content of a message follows from its id alone. */
static void
content_fill(uint64_t id, char *p, uint32_t len)
{
	uint64_t x = id * UINT64_C(0x9e3779b97f4a7c15) | 1;

	for (uint32_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p[i] = (char)(x >> (i % 8 * 8));
	}
}

static void
envelope_put(struct toy_message *m)
{
	uint32_t filler = (uint32_t)(m->row->id % 300);

	memcpy(m->envelope, &m->row->id, 8);
	memcpy(m->envelope + 8, &m->row->len, 4);
	memcpy(m->envelope + 12, &m->state, 4);
	memcpy(m->envelope + 16, &filler, 4);
	memset(m->envelope + ENVELOPE_FIXED, 'e', filler);
	m->envelope_len = ENVELOPE_FIXED + filler;
}

static struct toy_message *
message_new(struct toy *t, struct row *row)
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

static void
live_add(struct toy *t, struct toy_message *m)
{
	if (t->nlive == t->cap) {
		t->cap *= 2;
		t->live = mem_grow(t->live, t->cap, sizeof(*t->live));
	}
	m->place = t->nlive;
	t->live[t->nlive++] = m;
}

static void
message_free(struct toy_message *m)
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

static void check_live(struct toy *, struct toy_message *);

static void *
on_found(void *arg, struct stored *stored, const struct store_put *put)
{
	struct toy *t = arg;
	struct row *row = ledger_find(t->ledger, put->id);
	struct toy_message *m;

	if (row == NULL || !row->put_asked) {
		violation(t->ledger, "phantom, never put:", put->id);
		if (row == NULL && (row = ledger_add(t->ledger, put->id)) == NULL)
			return NULL;
	}
	m = message_new(t, row);
	m->stored = stored;
	m->maybe = put->maybe;
	if (put->maybe && is_kept(put->id) && !put->held)
		broken(t->ledger, "made anew, and not held any more:", put->id);
	if (put->envelope.len < ENVELOPE_FIXED || memcmp(put->envelope.p, &put->id, 8) != 0 ||
	    memcmp(put->envelope.p + 8, &row->len, 4) != 0)
		violation(t->ledger, "not the envelope that was put:", put->id);
	else
		memcpy(&m->state, put->envelope.p + 12, 4);
	if (put->large != row->large)
		violation(t->ledger, "large or not, it changed:", put->id);
	live_add(t, m);
	if (t->opened) {
		t->ledger->woke++;
		t->asleep -= t->asleep > 0;
		check_live(t, m);
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
	envelope_put(m);
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

static struct slice
destination_of(uint64_t id, char out[16])
{
	return slice_of(out, (size_t)snprintf(out, 16, "d%u", (unsigned)(id % DESTINATIONS)));
}

static void
on_plan(void *arg, void *owner, int64_t now, struct plan *plan)
{
	struct toy_message *m = owner;
	char name[16];

	(void)arg;

	plan_row(plan, destination_of(m->row->id, name), m->row->id % 2 == 0 ? PLAN_MAIL : PLAN_NOTICE, now);
	if (m->row->id % 7 == 0)
		plan_row(plan, SLICE_LIT("another"), PLAN_MAIL, now + (int64_t)(m->row->id % 100));
	plan_look(plan, now + (int64_t)(m->row->id % 50));
	plan_domain(plan, SLICE_LIT("Example.ORG"));
	if (is_kept(m->row->id))
		plan_hold(plan);
}

static void
maybe_sleep(struct toy *t, struct toy_message *m)
{
	if (m->finishing || !stored_is_spooled(m->stored) || toy_random(t) % 4 == 0)
		return;
	(void)stored_sleep(m->stored);
}

static void
on_spooled(void *arg, void *owner)
{
	maybe_sleep(arg, owner);
}

static bool
on_asleep(void *arg, void *owner)
{
	struct toy *t = arg;
	struct toy_message *m = owner;

	if (m->finishing || toy_random(t) % 16 == 0)
		return false;
	message_free(m);
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

/* --- what was found against what was promised --- */

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
	content_fill(m->row->id, want, m->row->len);
	if (same && stored_read(m->stored, 0, got, m->row->len, &err) == 0)
		same = memcmp(got, want, m->row->len) == 0;
	else
		same = same && err.code != 0;
	if (!same)
		broken(t->ledger, "another content:", m->row->id);
	mem_free(got);
	mem_free(want);
}

static void
check_live(struct toy *t, struct toy_message *m)
{
	struct row *row = m->row;

	if (row->gone && !row->done_acked && t->ledger->tolerant) {
		t->ledger->missing--;		/* behind business the hunt found its file */
	} else if (row->done_acked || row->gone) {
		broken(t->ledger, "finished, and came back:", row->id);
		t->ledger->back++;
	}
	if (m->state < row->state_acked && !m->maybe)
		broken(t->ledger, "a state older than acknowledged:", row->id);
	if (m->state > row->state_asked)
		violation(t->ledger, "a state that nobody asked for:", row->id);
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
		violation(t->ledger, "phantom in the catalog:", put->id);
		return;
	}
	memcpy(&state, put->envelope.p + 12, 4);
	row->seen = true;
	t->asleep++;
	if (row->done_acked || row->gone) {
		broken(t->ledger, "finished, and came back asleep:", row->id);
		t->ledger->back++;
	}
	if (state < row->state_acked && !put->maybe)
		broken(t->ledger, "asleep with a state older than acknowledged:", row->id);
	if (put->large_size != row->len)
		broken(t->ledger, "asleep with another size:", row->id);
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

static void
check_all(struct toy *t)
{
	struct ledger *l = t->ledger;

	for (uint32_t i = 0; i < l->n; i++)
		l->rows[i].seen = false;
	for (uint32_t i = 0; i < t->nlive; i++) {
		t->live[i]->row->seen = true;
		check_live(t, t->live[i]);
	}
	if (t->sleeps)
		look_at_sleepers(t);
	for (uint32_t i = 0; i < l->n && !t->broken; i++) {
		struct row *row = &l->rows[i];

		if (row->seen)
			continue;
		if (row->put_acked && !row->done_asked && !row->gone) {
			broken(l, "lost:", row->id);
			l->missing++;
		}
		row->gone = true;
	}
}

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
	check_all(t);
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
		message_free(t->live[t->nlive - 1]);
	mem_free(t->live);
	t->live = NULL;
	if (t->loop != NULL)
		loop_free(t->loop);
	t->loop = NULL;
}

/* --- operations --- */

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
		live_add(t, m);
	} else {
		if (m->row->large)
			store_large_drop(t->store, m->row->id);
		message_free(m);
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
		maybe_sleep(t, op->m);
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
		message_free(m);
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
	m = message_new(t, row);
	m->content = mem_alloc(row->len + 1u);
	content_fill(id, m->content, row->len);
	envelope_put(m);
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
		message_free(m);
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
		return store_wake_due(t->store, destination_of(toy_random(t), name), 4, on_woken, t) == 0;
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

/* --- directories and children --- */

void
scratch_make(char path[64])
{
	const char *base = getenv("TMPDIR");

	snprintf(path, 64, "%s/store-XXXXXX", base != NULL && strlen(base) < 40 ? base : "/tmp");
	if (mkdtemp(path) == NULL)
		abort();
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
scratch_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
child_run(void (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == -1)
		abort();
	if (pid == 0) {
		fn(arg);
		fflush(NULL);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

static void
drop_line(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

void
quiet(void)
{
	if (getenv("STORE_LOG") == NULL)
		log_sink_set(drop_line, NULL);
}
