/* store: what is put, found, read, finished; as its owner sees it. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"

static void
test_put_and_find(void **state)
{
	static char content[10000], got[10000];
	struct mail *m;
	struct err err;
	uint64_t id;

	(void)state;
	memset(content, 'c', sizeof(content));
	m = put(STORE_CLIENT, "envelope one", content, sizeof(content));
	assert_int_equal(stored_read(m->stored, 0, got, 1, &err), -1);	/* not on disk yet: the owner has it */
	wait_answers(1);
	assert_int_equal(durable, 1);
	assert_int_equal(stored_read(m->stored, 0, got, sizeof(got), &err), 0);
	assert_memory_equal(got, content, sizeof(got));
	assert_int_equal(stored_read(m->stored, 9990, got, 10, &err), 0);
	assert_int_equal(stored_read(m->stored, 9990, got, 11, &err), -1);
	assert_int_equal(stored_read(m->stored, UINT64_MAX, got, 1, &err), -1);
	state_of(m, "state", 5, 0);
	state_of(m, content, 3000, 0);
	wait_answers(2);
	id = m->id;
	reopen();
	assert_int_equal(nmails, 1);
	assert_true(mails[0].id == id && stored_id(mails[0].stored) == id);
	assert_string_equal(mails[0].envelope, "envelope one");
	assert_int_equal(mails[0].deltas, 2);
	assert_int_equal(mails[0].version, 3);
	assert_int_equal(mails[0].delta_bytes, 3005);
	assert_int_equal(stored_size(mails[0].stored), sizeof(content));
	assert_int_equal(stored_read(mails[0].stored, 5000, got, 5000, &err), 0);
	assert_memory_equal(got, content, 5000);
	done(&mails[0]);
	wait_answers(1);
	reopen();
	assert_int_equal(nmails, 0);
}

static void
test_identity(void **state)
{
	char before[33];
	uint32_t epoch = store_epoch(store);
	uint64_t a, b;

	(void)state;
	snprintf(before, sizeof(before), "%s", store_identity(store));
	assert_int_equal(strlen(before), 32);
	assert_int_equal(store_next_ids(store, 5, &a), 0);
	assert_int_equal(store_next_ids(store, 1, &b), 0);
	assert_true(b == a + 5 && a >> 32 == epoch && epoch > 0);
	reopen();
	assert_string_equal(store_identity(store), before);
	assert_true(store_epoch(store) > epoch);
}

/* What one round commits is one batch and one sync. */
static void
test_group_commit(void **state)
{
	struct store_figures before, after;

	(void)state;
	store_figures(store, &before);
	for (int i = 0; i < 50; i++)
		put(STORE_CLIENT, "e", "content", 7);
	wait_answers(50);
	store_figures(store, &after);
	assert_int_equal(durable, 50);
	assert_int_equal(after.batches - before.batches, 1);
	assert_int_equal(after.syncs - before.syncs, 1);
	assert_int_equal(after.records - before.records, 50);
	assert_int_equal(after.live, 50);
}

/* The patient ride with who cannot wait; alone they go when their time is up. */
static void
test_patience(void **state)
{
	struct store_figures before, after;
	struct mail *m = put(STORE_CLIENT, "e", "c", 1);

	(void)state;
	wait_answers(1);
	store_figures(store, &before);
	state_of(m, "s", 1, 100000);
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(2);
	store_figures(store, &after);
	assert_int_equal(after.batches - before.batches, 1);
	state_of(m, "s", 1, 5);
	wait_answers(1);
	store_figures(store, &before);
	assert_int_equal(before.batches - after.batches, 1);
	/* Closing waits for nobody's patience. */
	state_of(m, "last", 4, 100000);
	reopen();
	assert_int_equal(nmails, 2);
	assert_int_equal(mails[0].deltas + mails[1].deltas, 3);
}

static void
test_drop(void **state)
{
	struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
	struct store_put p = { .id = 77, .envelope = SLICE_LIT("e"), .content = SLICE_LIT("c") };
	struct mail *m;
	static char big[STORE_CHANGE_MAX];

	(void)state;
	assert_non_null(change_put(c, &p, &p));
	change_drop(&c);
	assert_null(c);
	change_drop(&c);
	c = change_new(store, STORE_CLIENT, on_answer, NULL);
	p.content = slice_of(big, sizeof(big));
	assert_null(change_put(c, &p, &p));		/* too long */
	change_drop(&c);
	m = put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	c = change_new(store, STORE_DONE, on_answer, NULL);
	assert_int_equal(change_done(c, m->stored), 0);
	assert_int_equal(change_done(c, m->stored), -1);	/* once is enough */
	change_drop(&c);
	done(m);
	wait_answers(1);
	reopen();
	assert_int_equal(nmails, 0);
}

static void
test_large(void **state)
{
	static char content[400000], got[1000];
	uint32_t crc;
	struct err err;
	int fd;

	(void)state;
	memset(content, 'L', sizeof(content));
	crc = crc32c(0, content, sizeof(content));
	put_large(content, sizeof(content), crc);
	assert_int_equal(durable, 1);
	assert_true(stored_is_large(mails[0].stored));
	assert_int_equal(stored_read(mails[0].stored, 399000, got, 1000, &err), 0);
	fd = stored_open_large(mails[0].stored, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "x", 1), -1);
	fd_close(&fd);
	reopen();
	assert_int_equal(nmails, 1);
	assert_int_equal(mails[0].size, sizeof(content));
	assert_int_equal(stored_read(mails[0].stored, 0, got, 1000, &err), 0);
	done(&mails[0]);
	wait_answers(1);
	reopen();
	assert_int_equal(nmails, 0);
	assert_int_equal(files_in("spool/large"), 0);
}

static void
test_large_liar_and_orphans(void **state)
{
	struct err err;
	uint64_t id;
	int fd;

	(void)state;
	put_large("four", 4, 12345);
	assert_int_equal(failures, 1);
	assert_int_equal(files_in("spool/large"), 0);
	assert_int_equal(store_next_ids(store, 1, &id), 0);
	fd = store_large_create(store, id, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(store_large_create(store, id, &err), -1);
	fd_close(&fd);
	assert_int_equal(files_in("spool/large"), 1);
	reopen();
	assert_int_equal(nmails, 0);
	assert_int_equal(files_in("spool/large"), 0);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_put_and_find), T(test_identity), T(test_group_commit), T(test_patience),
		T(test_drop), T(test_large), T(test_large_liar_and_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
