/* store: starts over what is damaged, though calls fail meanwhile; the mail that can be served is. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "mail/queue_id.h"

static char big[600000];

static bool
has(const char *envelope)
{
	for (uint32_t i = 0; i < nmails; i++)
		if (mails[i].stored != NULL && strcmp(mails[i].envelope, envelope) == 0)
			return true;
	return false;
}

#define SECOND	(4096 + 64 + (48 + 3 + 5) + 48 + 3)	/* the content of "two" */

/* A damaged message in the first batch, a segment without its head, the last batch torn: all but "two" can be saved. */
static void
make_damage(void)
{
	put(STORE_CLIENT, "one", "first", 5);
	put(STORE_CLIENT, "two", "second", 6);
	put(STORE_CLIENT, "three", "third", 5);
	wait_answers(3);
	for (int i = 0; i < 4; i++) {
		put(STORE_CLIENT, i == 0 ? "big 0" : i == 1 ? "big 1" : i == 2 ? "big 2" : "big 3", big, sizeof(big));
		wait_answers(1);
	}
	close_store();
	flip(0, SECOND);
	flip(1, 16);
}

static void
test_damage(void **state)
{
	struct store_figures f;

	(void)state;
	make_damage();
	open_store();
	store_figures(store, &f);
	assert_int_equal(nmails, 6);
	assert_true(!has("two") && has("one") && has("three") && has("big 3"));
	assert_int_equal(f.salvaged, 2);
	reopen();
	assert_int_equal(nmails, 6);
}

/* Neither its head nor its first batch: what it held is kept, counted and said; the others are served. */
static void
test_lost_segment(void **state)
{
	struct store_figures f;

	(void)state;
	make_damage();
	flip(1, 4096 + 8);
	open_store();
	store_figures(store, &f);
	assert_true(has("one") && has("three") && has("big 3"));
	assert_true(nmails == 5 && f.damaged >= 2);
	assert_true(files_in("corrupt") >= 4);
	reopen();
	assert_true(has("one") && has("big 3"));
}

/* A large content of another size than was acknowledged. */
static void
test_large_of_another_size(void **state)
{
	struct store_figures f;
	char path[200], name[48], id[QUEUE_ID_LEN + 1];

	(void)state;
	put_large("four", 4, crc32c(0, "four", 4));
	close_store();
	snprintf(name, sizeof(name), "spool/large/%s", queue_id_print(mails[0].id, id));
	path_of(path, name);
	assert_int_equal(truncate(path, 3), 0);
	open_store();
	store_figures(store, &f);
	assert_true(nmails == 0 && f.damaged == 1);
	assert_int_equal(files_in("corrupt"), 2);
}

/* Of a message in the spool the newest state cannot be read, or its envelope: aside with it, the others are served. */
static void
test_unreadable_in_the_spool(void **state)
{
	for (int envelope = 0; envelope < 2; envelope++) {
		if (envelope > 0)
			again(state);
		put(STORE_CLIENT, "d1", "content", 7);
		put(STORE_CLIENT, "d1", "content", 7);
		wait_answers(2);
		leave_ring();
		sleep_well(&mails[0]);
		state_of(&mails[1], "s", 1, 0);
		wait_answers(1);
		if (envelope > 0)
			refuse_envelopes = true;
		else
			refuse_deltas = true;
		reopen();
		assert_int_equal(nmails, 0);
		refuse_envelopes = refuse_deltas = false;
		assert_int_equal(files_in("corrupt"), 2);
		wake_due("d1", 9);
		assert_int_equal(woken.count, 1);
		/* Its owner has no memory at a start: the start fails, and says so. */
		state_of(&mails[0], "s", 1, 0);
		wait_answers(1);
		close_store();
		no_memory = true;
		assert_false(open_with(NULL));
		no_memory = false;
		open_store();
		assert_int_equal(nmails, 1);
	}
}

/* Garbage where the catalog was: aside with it, whole, and all mail is there again. */
static void
test_catalog_is_garbage(void **state)
{
	char garbage[8192], path[200];

	(void)state;
	memset(garbage, 0x5a, sizeof(garbage));
	one_asleep();
	close_store();
	change_bytes("db/catalog.db", 0, garbage, sizeof(garbage));
	/* Some were set aside in this epoch already. */
	for (unsigned i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "%s/corrupt/catalog-of-epoch-%u-1-files", directory, i);
		(void)mkdir(path, 0700);
		snprintf(path, sizeof(path), "corrupt/catalog-of-epoch-%u-1-files/x", i);
		make_file(path, "x");
	}
	/* The entry of what is set aside has no bytes of its own; whatever comes of that, a start later all is well. */
	if (!open_with(NULL))
		open_store();
	page("", 0, 9);
	assert_int_equal(npaged, 1);
	assert_true(paged[0].maybe);
	wake_due("", 9);
	assert_int_equal(woken.count, 1);
}

#ifdef POSTHORN_FAULTS

/* --- calls that fail meanwhile ------------------------------------------------------------------- */

static const struct { const char *point, *error; int step; } failing[] = {
	{ "alloc", "ENOMEM", 2 }, { "store-read", "EIO", 1 }, { "store-write", "EIO", 1 }, { "store-open", "EMFILE", 3 },
	{ "store-sync", "EIO", 1 },
};

/* Over a damaged ring: it starts or says why not, and once nothing fails all that can be saved is there. */
static void
test_damage_and_failing_calls(void **state)
{
	char plan[64];

	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++)
		for (int n = 1, more = 1; more != 0 && n < 60; n += failing[i].step) {
			again(state);
			make_damage();
			snprintf(plan, sizeof(plan), "%s:%d:%s", failing[i].point, n, failing[i].error);
			ROW(n, plan);
			if (open_with(plan)) {
				more = fault_count(failing[i].point) >= n;
				fault_plan(NULL);
				close_store();
			}
			fault_plan(NULL);
			open_store();
			assert_true(has("one") && has("three") && has("big 0") && has("big 3"));
		}
}

/* A segment that cannot be read as a whole is read block by block; one that can be read not at all takes nothing else along. */
static void
test_unreadable_blocks(void **state)
{
	(void)state;
	put(STORE_CLIENT, "one", "first", 5);
	wait_answers(1);
	close_store();
	/* Heads are read first, then whole segments. */
	for (int n = 1; n < 24; n++) {
		char plan[64];

		snprintf(plan, sizeof(plan), "store-read:%d:EIO", n);
		if (open_with(plan))
			close_store();
		fault_plan(NULL);
		open_store();
		ROW(n, plan);
		assert_true(has("one"));
		close_store();
	}
	open_store();
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		T(test_damage), T(test_lost_segment), T(test_large_of_another_size), P(test_unreadable_in_the_spool),
		P(test_catalog_is_garbage),
#ifdef POSTHORN_FAULTS
		T(test_damage_and_failing_calls), T(test_unreadable_blocks),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
