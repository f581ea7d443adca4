/* store: a ring that fills, turns, grows, rots and fails under its owner. */
#include "tests/unit/store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "queue/store/ids.h"
#include "queue/store/ring.h"

/* Nobody delivers: clients are refused at about half, states and completions go on, and room
 * returns when mail leaves. */
static void
test_full_and_free_again(void **state)
{
	static char content[100000];
	uint32_t taken = 0, n;

	(void)state;
	while (full == 0 && taken < 200) {
		put(STORE_CLIENT, "e", content, sizeof(content));
		wait_answers(1);
		taken += full == 0;
	}
	assert_int_equal(full, 1);
	nmails--;
	assert_true(taken >= 20 && taken <= 50);	/* of 8 MiB: 2 to 5 MiB */
	assert_false(store_has_room(store, STORE_CLIENT));
	assert_true(store_has_room(store, STORE_DONE));
	state_of(&mails[0], "s", 1, 0);
	wait_answers(1);
	n = durable;
	for (uint32_t i = 0; i < taken; i++) {
		done(&mails[i]);
		wait_answers(1);
	}
	assert_int_equal(durable, n + taken);
	while (!store_has_room(store, STORE_CLIENT)) {
		put(STORE_DONE, "e", "c", 1);
		wait_answers(1);
		assert_true(answers < 2000);
	}
	assert_true(rooms_closed >= 1 && rooms_opened >= 1);
	put(STORE_CLIENT, "e", content, sizeof(content));
	wait_answers(1);
	assert_int_equal(full, 1);
}

/* Single completions of a ring full of small mail, each in a batch of its own: there is always
 * space for the next. */
static void
test_completions_never_starve(void **state)
{
	static char content[3000];

	(void)state;
	while (full == 0 && nmails < MANY) {
		for (int i = 0; i < 30; i++)
			put(STORE_CLIENT, "e", content, sizeof(content));
		wait_answers(30);
	}
	for (uint32_t i = 0; i < durable; i++) {
		done(&mails[i]);
		answers = failures = 0;
		full = 0;
		wait_answers(1);
		assert_int_equal(full + failures, 0);
		durable--;
	}
}

/* One message outlives many turns of the ring. */
static void
test_copy_forward(void **state)
{
	static char content[60000], got[60000];
	struct store_figures f;
	struct mail *old;
	struct err err;
	uint64_t id;

	(void)state;
	memset(content, 'o', sizeof(content));
	old = put(STORE_CLIENT, "the old one", content, sizeof(content));
	wait_answers(1);
	state_of(old, "s", 1, 0);
	wait_answers(1);
	for (int i = 0; i < 500; i++) {
		struct mail *m = put(STORE_CLIENT, "e", content, 50000);

		wait_answers(1);
		done(m);
		wait_answers(1);
		nmails = 1;
	}
	assert_int_equal(durable, 1002);
	store_figures(store, &f);
	assert_true(f.copied >= 2);
	assert_true(f.bytes > 20 * MIB);
	assert_int_equal(stored_read(old->stored, 0, got, sizeof(got), &err), 0);
	assert_memory_equal(got, content, sizeof(got));
	id = old->id;
	reopen();
	assert_int_equal(nmails, 1);
	assert_true(mails[0].id == id);
	assert_int_equal(mails[0].version, 2);
	assert_int_equal(mails[0].deltas, 0);		/* folded in */
	assert_string_equal(mails[0].envelope, "the old one");
}

/* A large content whose file is gone, a state or an envelope that cannot be read: set aside,
 * told, not back at the next start. */
static void
test_set_aside(void **state)
{
	struct store_figures f;

	(void)state;
	put_large("four", 4, crc32c(0, "four", 4));
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	state_of(&mails[1], "s", 1, 0);
	wait_answers(1);
	close_store();
	empty_folder("spool/large");
	refuse_deltas = true;
	open_store();
	store_figures(store, &f);
	assert_int_equal(nmails, 0);
	assert_int_equal(f.damaged, 2);
	assert_int_equal(files_in("corrupt"), 4);	/* each with its reason */
	refuse_deltas = false;
	reopen();
	store_figures(store, &f);
	assert_int_equal(nmails, 0);
	assert_int_equal(f.damaged, 0);
	put(STORE_CLIENT, "unreadable", "c", 1);
	wait_answers(1);
	refuse_envelopes = true;
	reopen();
	assert_int_equal(nmails, 0);
	assert_int_equal(files_in("corrupt"), 6);
	refuse_envelopes = false;
	reopen();
	assert_int_equal(nmails, 0);
}

/* A byte of one message in a batch of three: the others are salvaged, it is set aside, all is
 * counted. */
static void
test_salvage(void **state)
{
	struct store_figures f;

	(void)state;
	put(STORE_CLIENT, "one", "first", 5);
	put(STORE_CLIENT, "two", "second", 6);
	put(STORE_CLIENT, "three", "third", 5);
	wait_answers(3);
	close_store();
	flip(0, 4096 + 64 + (48 + 3 + 5) + 48 + 3);	/* in "second" */
	open_store();
	store_figures(store, &f);
	assert_int_equal(nmails, 2);
	assert_string_equal(mails[0].envelope, "one");
	assert_string_equal(mails[1].envelope, "three");
	assert_int_equal(f.damaged, 1);
	assert_int_equal(f.salvaged, 2);
	assert_int_equal(files_in("corrupt"), 2);
	reopen();		/* the same damage again: nothing new */
	assert_int_equal(nmails, 2);
	assert_int_equal(files_in("corrupt"), 2);
}

/* The last batch of one segment is damaged and only the next segment's numbers tell: salvaged
 * and set aside, not taken for a torn tail. */
static void
test_damage_at_a_segments_end(void **state)
{
	static char content[600000];
	struct store_figures f;

	(void)state;
	put(STORE_CLIENT, "one", content, sizeof(content));
	wait_answers(1);
	put(STORE_CLIENT, "two", "a", 1);
	put(STORE_CLIENT, "three", "b", 1);
	wait_answers(2);
	put(STORE_CLIENT, "next segment", content, sizeof(content));
	wait_answers(1);
	close_store();
	flip(0, 4096 + 602112 + 64 + 48 + 3);		/* the content of "two" */
	open_store();
	store_figures(store, &f);
	assert_int_equal(nmails, 3);
	assert_int_equal(f.damaged, 1);
	assert_int_equal(f.salvaged, 1);
	assert_int_equal(files_in("corrupt"), 2);
}

/* Segments leave strictly oldest first: the second one is empty long before the first, but holds
 * the DONEs of its messages. */
static void
test_ring_order(void **state)
{
	static char content[50000], filler[600000];

	(void)state;
	close_store();
	conf.segments = 16;		/* so many that nothing is copied forward yet */
	open_store();
	put(STORE_CLIENT, "stays", content, sizeof(content));
	for (int i = 0; i < 15; i++)
		put(STORE_CLIENT, "goes", content, sizeof(content));
	wait_answers(16);
	for (int i = 1; i < 16; i++) {
		put(STORE_CLIENT, "goes, too", content, sizeof(content));
		done(&mails[i]);
		wait_answers(2);
	}
	put(STORE_CLIENT, "next segment", filler, sizeof(filler));
	wait_answers(1);
	for (int i = 16; i < 31; i++) {
		done(&mails[i]);
		wait_answers(1);
	}
	reopen();
	assert_int_equal(nmails, 2);
}

/* A segment whose head was written and whose first batch was torn is wiped out of turn; that
 * must not say that older ones have left. */
static void
test_torn_open(void **state)
{
	unsigned char block[SEGMENT_HEAD];
	struct segment_head head;
	char path[128];
	int fd;

	(void)state;
	put(STORE_CLIENT, "here", "c", 1);
	wait_answers(1);
	close_store();
	snprintf(path, sizeof(path), "%s/journal/000.seg", directory);
	fd = open(path, O_RDONLY);
	assert_int_equal(fd_pread_full(fd, block, sizeof(block), 0), sizeof(block));
	fd_close(&fd);
	assert_int_equal(segment_head_get(slice_of(block, sizeof(block)), &head), SEGMENT_HEAD_WHOLE);
	head.sequence++;
	head.nonce++;
	segment_head_put(block, &head);
	snprintf(path, sizeof(path), "%s/journal/005.seg", directory);
	fd = open(path, O_WRONLY);
	assert_int_equal(fd_pwrite_all(fd, block, sizeof(block), 0), 0);
	fd_close(&fd);
	for (int i = 0; i < 3; i++) {
		open_store();
		assert_int_equal(nmails, 1);
		close_store();
	}
}

/* While the store runs: a content that rots is set aside when it is read, and the segment can
 * leave without it. */
static void
test_rot(void **state)
{
	char got[100000];
	struct store_figures f;
	struct err err;

	(void)state;
	memset(got, 'r', sizeof(got));
	put(STORE_CLIENT, "e", got, sizeof(got));
	wait_answers(1);
	flip(0, 4096 + 64 + 48 + 1 + 50000);
	assert_int_equal(stored_read(mails[0].stored, 10, got, 5, &err), -1);
	assert_non_null(strstr(err.text, "checksum"));
	assert_int_equal(files_in("corrupt"), 2);
	assert_int_equal(stored_read(mails[0].stored, 0, got, 5, &err), -1);
	done(&mails[0]);
	wait_answers(1);
	store_figures(store, &f);
	assert_int_equal(f.live, 0);
	assert_int_equal(f.live_bytes, 0);
	assert_int_equal(durable, 2);
}

static void
test_ring_grows_and_shrinks(void **state)
{
	struct store_figures f;
	char path[128];
	int fd;


	(void)state;
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	conf.segments = 12;
	open_store();
	store_figures(store, &f);
	assert_int_equal(nmails, 1);
	assert_int_equal(f.segments, 12);
	assert_int_equal(files_in("journal"), 12);
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	conf.segments = 9;
	conf.segment_size = 2 * MIB;		/* the ones that hold mail stay, the others are made anew */
	/* Not a name of ours, though numbers are read from it. */
	snprintf(path, sizeof(path), "%s/journal/+50.seg", directory);
	assert_int_not_equal(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	fd_close(&fd);
	open_store();
	assert_int_equal(unlink(path), 0);
	assert_int_equal(nmails, 2);
	assert_int_equal(files_in("journal"), 9);
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	reopen();
	assert_int_equal(nmails, 3);
	conf.segment_size = 1000;
	close_store();
	assert_null(store_open(NULL, &conf, &ops, NULL, NULL));
}

/* A ring is looked at without a store: nothing is made, and what is no segment of it is an error. */
static void
test_look(void **state)
{
	static const unsigned char nobody[16] = { 1 };
	struct ring_found *found = NULL;
	struct err err = { 0 };
	struct ring ring;
	struct ids ids;
	char path[128];
	int dir;

	(void)state;
	put(STORE_CLIENT, "here", "c", 1);
	wait_answers(1);
	close_store();
	assert_int_not_equal(dir = open(directory, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(ids_read(&ids, dir, &err), IDS_READ);
	snprintf(path, sizeof(path), "%s/journal/003.seg", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ring_look(&ring, dir, ids.store, &found, &err), 0);
	assert_int_equal(ring.n, 7);
	assert_int_equal(found[0].verdict, SEGMENT_HEAD_WHOLE);
	assert_int_equal(found[0].head.use, SEGMENT_USE_MAIL);
	ring_close(&ring);
	mem_free(found);
	assert_int_equal(ring_look(&ring, dir, nobody, &found, &err), -1);
	assert_non_null(strstr(err.text, "another store"));
	ring_close(&ring);
	mem_free(found);
	snprintf(path, sizeof(path), "%s/journal/900.seg", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(ring_look(&ring, dir, ids.store, &found, &err), -1);
	ring_close(&ring);
	mem_free(found);
	assert_int_equal(rmdir(path), 0);
	fd_close(&dir);
	open_store();
	assert_int_equal(files_in("journal"), 8);
}

#ifdef POSTHORN_FAULTS
/* One sync fails: the batch goes to the next segment. Both fail: nobody hears yes, the owner is
 * told to stop. */
static void
test_sync_fails(void **state)
{
	(void)state;
	put(STORE_CLIENT, "before", "c", 1);
	wait_answers(1);
	fault_plan("store-sync:1:EIO");
	put(STORE_CLIENT, "kept", "c", 1);
	wait_answers(1);
	assert_int_equal(durable, 2);
	fault_plan("store-sync:1+:EIO");
	put(STORE_CLIENT, "refused", "c", 1);
	wait_answers(1);
	assert_int_equal(failures, 1);
	assert_int_equal(broken_told, 1);
	fault_plan(NULL);
	put(STORE_CLIENT, "and after it", "c", 1);
	wait_answers(1);
	assert_int_equal(failures, 2);
	assert_int_equal(broken_told, 1);
	assert_false(store_has_room(store, STORE_DONE));
	reopen();
	assert_true(nmails >= 2 && nmails <= 3);	/* the refused one may be there: its answer was not no such mail but try again */
	assert_string_equal(mails[0].envelope, "before");
	assert_string_equal(mails[1].envelope, "kept");
}

/* A segment that cannot be wiped leaves by the word of later batches; what it held does not come
 * back. */
static void
test_wipe_fails(void **state)
{
	static char content[200000];
	char plan[32];

	(void)state;
	for (int n = 1; n < 12; n++) {
		/* The plan counts writes and syncs of batches, too: one of these n is the wipe's
		 * own. */
		snprintf(plan, sizeof(plan), "store-%s:%d:EIO", n % 2 ? "sync" : "write", n / 2 + 1);
		for (int i = 0; i < 30; i++) {
			struct mail *m = put(STORE_CLIENT, "e", content, sizeof(content));

			wait_answers(1);
			done(m);
			if (i == 15)
				fault_plan(plan);
			wait_answers(1);
			nmails = 0;
		}
		fault_plan(NULL);
		assert_int_equal(durable, 60);
		reopen();
		assert_int_equal(nmails, 0);
	}
}

/* The n-th allocation fails, for every n: refused or done, never anything else. */
static void
test_no_memory(void **state)
{
	struct store_put p = { .envelope = SLICE_LIT("e"), .content = SLICE_LIT("c") };
	char plan[32], delta[500] = { 0 };

	(void)state;
	for (int n = 1; n < 400; n++) {
		struct loop *l;
		struct store *s;
		struct err err;
		struct change *c;
		struct stored *stored = NULL;

		close_store();
		nmails = 0;
		l = loop = loop_new(&err);
		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
		fault_plan(plan);
		s = store = store_open(l, &conf, &ops, NULL, &err);
		if (s != NULL && (c = change_new(s, STORE_CLIENT, on_answer, NULL)) != NULL) {
			(void)store_next_ids(s, 1, &p.id);
			stored = change_put(c, &p, &mails[MANY - 1]);
			if (stored != NULL) {
				store_commit(s, &c, 0);
				wait_answers(1);
			}
			change_drop(&c);
		}
		if (s != NULL && stored != NULL && (c = change_new(s, STORE_DONE, on_answer, NULL)) != NULL) {
			if (change_state(c, stored, slice_of(delta, sizeof(delta))) == 0 && change_done(c, stored) == 0) {
				store_commit(s, &c, 0);
				wait_answers(1);
			}
			change_drop(&c);
		}
		n = fault_count("alloc") < n ? 1000 : n;
		fault_plan(NULL);
		store_close(&store);
		loop_free(loop);
		open_store();
	}
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_full_and_free_again), T(test_completions_never_starve), T(test_copy_forward),
		T(test_set_aside), T(test_salvage), T(test_damage_at_a_segments_end), T(test_ring_order), T(test_torn_open), T(test_look),
		T(test_rot), T(test_ring_grows_and_shrinks),
#ifdef POSTHORN_FAULTS
		T(test_sync_fails), T(test_wipe_fails), T(test_no_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
