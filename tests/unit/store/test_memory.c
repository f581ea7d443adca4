/* store: the n-th allocation or call fails, while it opens and while it works; nothing is lost by it. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "queue/store/inside.h"

#ifdef POSTHORN_FAULTS

#define MAILS	7u

static char large[300000];

/* Mail of every kind: in the spool asleep, large and asleep, awake with and without a state; in the ring with and without
 * one, empty, large. What was finished is not among them. */
static void
make_world(void)
{
	struct mail *gone;

	put(STORE_CLIENT, "d1 example.org", "content", 7);
	put(STORE_CLIENT, "d1 example.org", "content", 7);
	put(STORE_CLIENT, "d2 example.net", "content", 7);
	wait_answers(3);
	put_large(large, sizeof(large), crc32c(0, large, sizeof(large)));
	leave_ring();
	assert_int_equal(nmails, 4);
	sleep_well(&mails[0]);
	sleep_well(&mails[3]);
	state_of(&mails[1], "a state", 7, 0);
	put(STORE_CLIENT, "d3", "content", 7);
	put(STORE_CLIENT, "d3", "", 0);
	gone = put(STORE_CLIENT, "d5", "content", 7);
	wait_answers(4);
	state_of(&mails[4], "another", 7, 0);
	done(gone);
	wait_answers(2);
	put_large(large, sizeof(large), crc32c(0, large, sizeof(large)));
	close_store();
}

static bool
has(uint64_t id)
{
	for (uint32_t i = 0; i < npaged; i++)
		if (paged[i].id == id)
			return true;
	return false;
}

/* All of it is there, awake or asleep, and its contents are whole. */
static void
check_world(void)
{
	static char got[sizeof(large)];
	uint32_t all;
	struct err err;

	page("", 0, 99);
	assert_false(paged_failed);
	all = npaged;
	for (uint32_t i = 0; i < nmails; i++) {
		all += !has(mails[i].id);
		assert_int_equal(stored_read(mails[i].stored, 0, got, stored_size(mails[i].stored), &err), 0);
		assert_memory_equal(got, stored_is_large(mails[i].stored) ? large : "content", stored_size(mails[i].stored));
	}
	assert_int_equal(all, MAILS);
}

/* The n-th call fails while the store opens: it opens or says why not, and the next opening finds everything. */
static void
open_failing(const char *point, const char *error, int most)
{
	char plan[64];
	int n, refused = 0;
	bool more = true;

	make_world();
	for (n = 1; n < most && more; n += n < 60 ? 1 : 7) {
		snprintf(plan, sizeof(plan), "%s:%d:%s", point, n, error);
		ROW(n, plan);
		if (open_with(plan)) {
			more = fault_count(point) >= n;
			fault_plan(NULL);
			close_store();
		} else {
			refused++;
		}
		fault_plan(NULL);
		open_store();
		check_world();
		close_store();
	}
	assert_true(refused > 0);
}

static void
test_open_without_memory(void **state)
{
	(void)state;
	open_failing("alloc", "ENOMEM", 400);
}

static void
test_open_without_descriptors(void **state)
{
	(void)state;
	open_failing("store-open", "EMFILE", 60);
}

static void
test_open_with_a_full_disk(void **state)
{
	(void)state;
	open_failing("store-write", "ENOSPC", 60);
}

static void
test_open_unsynced(void **state)
{
	(void)state;
	open_failing("store-mkdir", "ENOSPC", 20);
}

/* --- while it works ------------------------------------------------------------------------------ */

static uint32_t answers_before;

static bool
has_answer(void *arg)
{
	(void)arg;
	return answers > answers_before;
}

static void
commit_and_wait(struct change **c)
{
	answers_before = answers;
	store_commit(store, c, 0);
	wait_until(has_answer, NULL);
}

/* The content into a file of its own; false: there was no memory for it. */
static bool
make_large(struct store_put *p)
{
	struct err err;
	int fd = store_large_create(store, p->id, &err);

	if (fd == -1)
		return false;
	assert_int_equal(write(fd, large, sizeof(large)), sizeof(large));
	close(fd);
	p->large = true;
	p->large_size = sizeof(large);
	p->large_crc = crc32c(0, large, sizeof(large));
	p->content = slice_of("", 0);
	return true;
}

/* True: its PUT was answered durable. */
static bool
put_one(struct mail *m, bool as_large)
{
	struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
	struct store_put p = { .content = SLICE_LIT("content") };

	if (c == NULL)
		return false;
	assert_int_equal(store_next_ids(store, 1, &p.id), 0);
	if (as_large && !make_large(&p)) {
		change_drop(&c);
		return false;
	}
	snprintf(m->envelope, sizeof(m->envelope), "d1 example.org");
	p.envelope = slice_str(m->envelope);
	m->id = p.id;
	if ((m->stored = change_put(c, &p, m)) == NULL) {
		change_drop(&c);
	} else {
		nmails++;
		commit_and_wait(&c);
		if (durable > 0)
			return true;
		nmails--;
	}
	if (as_large)
		store_large_drop(store, p.id);
	return false;
}

static void
state_one(struct mail *m)
{
	struct change *c = change_new(store, STORE_STATE, on_answer, NULL);
	static char delta[500];

	if (c == NULL)
		return;
	if (change_state(c, m->stored, slice_of(delta, sizeof(delta))) == -1)
		change_drop(&c);
	else
		commit_and_wait(&c);
}

static void
done_one(struct mail *m)
{
	struct change *c = change_new(store, STORE_DONE, on_answer, NULL);

	if (c == NULL)
		return;
	if (change_done(c, m->stored) == -1) {
		change_drop(&c);
		return;
	}
	commit_and_wait(&c);
	assert_int_equal(failures, 0);
	nmails--;
}

/* One life of a message without the n-th allocation. What was answered durable is there, and nothing else counts. */
static void
one_life(bool as_large)
{
	struct mail *m = &mails[nmails];

	if (!put_one(m, as_large))
		return;
	durable = 0;
	state_one(m);
	done_one(m);
}

static void
test_work_without_memory(void **state)
{
	uint32_t left;
	char plan[32];

	(void)state;
	for (int as_large = 0; as_large < 2; as_large++)
		for (int n = 1, more = 1; more != 0 && n < 60; n++) {
			snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
			ROW(n, plan);
			reopen();			/* nothing is cached */
			left = nmails;
			durable = 0;
			fault_plan(plan);
			one_life(as_large != 0);
			more = fault_count("alloc") >= n;
			fault_plan(NULL);
			assert_int_equal(broken_told, 0);
			left = nmails;
			reopen();
			assert_int_equal(nmails, left);
			for (uint32_t i = 0; i < nmails; i++)
				done(&mails[i]);
			if (nmails > 0)
				wait_answers(nmails);
		}
}

static bool
spool_is_empty(void *arg)
{
	(void)arg;
	return spool_files() == 0;
}

/* The n-th allocation fails while mail leaves the ring: it leaves later, and is whole. */
static void
test_leave_without_memory(void **state)
{
	struct err err;
	char plan[32], got[7];

	(void)state;
	for (int n = 1; n < 60; n += n < 24 ? 1 : 5) {
		struct mail *m = put(STORE_CLIENT, "d1 example.org", "content", 7);

		wait_answers(1);
		(void)m;
		reopen();
		assert_int_equal(nmails, 1);
		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
		ROW(n, plan);
		fault_plan(plan);
		turn_until(is_spooled, &mails[0]);
		fault_plan(NULL);
		assert_int_equal(broken_told, 0);
		assert_int_equal(stored_read(mails[0].stored, 0, got, 7, &err), 0);
		assert_memory_equal(got, "content", 7);
		done(&mails[0]);
		wait_answers(1);
		turn_until(spool_is_empty, NULL);
	}
}
#endif

int
main(void)
{
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
#ifdef POSTHORN_FAULTS
		P(test_open_without_memory), P(test_open_without_descriptors), P(test_open_with_a_full_disk), P(test_open_unsynced),
		P(test_work_without_memory), P(test_leave_without_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
