/* store: starts over what is damaged, strange or full, and over calls that fail meanwhile; the mail that can be served is. */
#include "tests/unit/store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "mail/queue_id.h"
#include "queue/store/bytes.h"
#include "queue/store/inside.h"

static char big[600000];
static struct err err;

/* Without the fixture's insistence. */
static bool
open_with(const char *plan)
{
	nmails = 0;
	memset(mails, 0, sizeof(mails));
	err = (struct err){ 0 };
	loop = loop_new(&err);
	assert_non_null(loop);
#ifdef POSTHORN_FAULTS
	fault_plan(plan);
#endif
	(void)plan;
	store = store_open(loop, &conf, plans ? &plan_ops : &ops, NULL, &err);
	if (store != NULL)
		return true;
	assert_true(strlen(err.text) > 0);
	loop_free(loop);
	loop = NULL;
	return false;
}

static bool
try_open(void)
{
	return open_with(NULL);
}

static void
again(void **state)
{
	bool was = plans;

	assert_int_equal(teardown(state), 0);
	assert_int_equal(setup(state), 0);
	plans = was;
	reopen();
}

static void
change_bytes(const char *name, off_t at, const void *p, size_t len)
{
	char path[200];
	int fd;

	path_of(path, name);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(pwrite(fd, p, len, at), (ssize_t)len);
	fd_close(&fd);
}

static void
make_file(const char *name, const char *text)
{
	char path[200];
	int fd;

	path_of(path, name);
	assert_int_not_equal(fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), -1);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static bool
has(const char *envelope)
{
	for (uint32_t i = 0; i < nmails; i++)
		if (mails[i].stored != NULL && strcmp(mails[i].envelope, envelope) == 0)
			return true;
	return false;
}

/* --- configuration and directory ----------------------------------------------------------------- */

static void
test_configuration(void **state)
{
	static const struct { const char *what; uint32_t segments; uint64_t size; } rows[] = {
		{ "too few", STORE_SEGMENTS_MIN - 1, MIB }, { "too many", STORE_SEGMENTS_MAX + 1, MIB },
		{ "too small", 8, MIB - 4096 }, { "none", 8, 0 }, { "too large", 8, STORE_SEGMENT_SIZE_MAX + UINT64_C(4096) },
		{ "no whole blocks", 8, MIB + 512 },
	};

	(void)state;
	close_store();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		conf = (struct store_conf){ directory, rows[i].segments, rows[i].size };
		ROW(i, rows[i].what);
		assert_false(try_open());
	}
	conf = (struct store_conf){ directory, 8, MIB };
	open_store();
}

/* A directory that others may write, that somebody uses, or that is something else. */
static void
test_directory(void **state)
{
	char path[200], other[200];
	struct store *second;
	struct err why = { 0 };

	(void)state;
	second = store_open(loop, &conf, &ops, NULL, &why);
	assert_null(second);
	assert_non_null(strstr(why.text, "in use"));
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	assert_int_equal(chmod(directory, 0777), 0);
	assert_false(try_open());
	assert_int_equal(chmod(directory, 0700), 0);
	/* STORE is gone, the mail is there. */
	path_of(path, "STORE");
	path_of(other, "corrupt/STORE");
	assert_int_equal(rename(path, other), 0);
	assert_false(try_open());
	assert_non_null(strstr(err.text, "STORE is missing"));
	/* A stranger's directory. */
	make_file("stranger\n", "x");
	assert_false(try_open());
	assert_non_null(strstr(err.text, "stranger"));
	path_of(path, "stranger\n");
	assert_int_equal(unlink(path), 0);
	path_of(path, "STORE");
	assert_int_equal(rename(other, path), 0);
	open_store();
	assert_int_equal(nmails, 1);
	close_store();
	conf.directory = "/tmp/there is no such directory";
	assert_false(try_open());
	conf.directory = "/dev/null";
	assert_false(try_open());
	conf.directory = directory;
	open_store();
}

static void
test_last_epoch(void **state)
{
	char text[256];
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "posthorn-store 1\nid %s\nepoch %u\n", store_identity(store), UINT32_MAX);
	snprintf(text + n, sizeof(text) - (size_t)n, "check %08x\n", crc32c(0, text, (size_t)n));
	close_store();
	make_file("STORE", text);
	assert_false(try_open());		/* no id is ever given out twice */
}

/* --- segments that are not ours ------------------------------------------------------------------ */

static void
put_head(const char *name, const unsigned char id[16], uint32_t version, uint32_t use)
{
	unsigned char block[SEGMENT_HEAD];
	struct segment_head head = { .use = use, .sequence = use == SEGMENT_USE_FREE ? 0 : 5, .nonce = 7, .size = MIB };

	memcpy(head.store, id, sizeof(head.store));
	segment_head_put(block, &head);
	bytes_put32(block + 8, version);
	bytes_put32(block + 60, crc32c(0, block, 60));
	change_bytes(name, 0, block, sizeof(block));
}

static void
test_strange_segments(void **state)
{
	unsigned char id[16], other[16] = "another store!!";
	char path[200];

	(void)state;
	memcpy(id, store->ids.store, sizeof(id));
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	put_head("journal/005.seg", id, 2, SEGMENT_USE_MAIL);
	assert_false(try_open());
	assert_non_null(strstr(err.text, "newer posthorn"));
	put_head("journal/005.seg", other, 1, SEGMENT_USE_FREE);
	assert_false(try_open());
	assert_non_null(strstr(err.text, "another store"));
	put_head("journal/005.seg", id, 1, SEGMENT_USE_FREE);
	/* Names that are none of ours stay what they are. */
	make_file("journal/notes", "x");
	make_file("journal/010.segment", "x");
	make_file("journal/0010.seg", "x");
	make_file("journal/1.seg", "x");
	open_store();
	assert_int_equal(nmails, 1);
	assert_int_equal(files_in("journal"), 12);
	close_store();
	/* Larger than any segment, and no file at all. */
	path_of(path, "journal/005.seg");
	assert_int_equal(truncate(path, (off_t)STORE_SEGMENT_SIZE_MAX + 4096), 0);
	assert_false(try_open());
	assert_int_equal(truncate(path, (off_t)MIB), 0);
	open_store();
	assert_int_equal(nmails, 1);
}

/* --- damage -------------------------------------------------------------------------------------- */

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
		assert_false(try_open());
		no_memory = false;
		open_store();
		assert_int_equal(nmails, 1);
	}
}

/* --- the catalog --------------------------------------------------------------------------------- */

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
	if (!try_open())
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

static bool
has_hunted(void *arg)
{
	bool hunted;

	(void)arg;
	pthread_mutex_lock(&store->evacuator.lock);
	hunted = store->evacuator.hunted;
	pthread_mutex_unlock(&store->evacuator.lock);
	return hunted;
}

/* The ring is full: a start has to make room first, whatever fails while it does. */
static void
full_ring(const char *point, const char *error)
{
	uint32_t all = 0, found;
	char plan[64];

	fault_plan("catalog-commit:1+:ENOSPC");	/* nothing leaves the ring */
	for (int i = 0; i < 3; i++) {
		reopen();
		while (full == 0) {
			put(STORE_DONE, "d1", big, sizeof(big) / 2);
			wait_answers(1);
		}
		all += durable;
	}
	close_store();
	fault_plan(NULL);
	for (int n = 1, more = 1; more != 0 && n < 40; n++) {
		snprintf(plan, sizeof(plan), "%s:%d:%s", point, n, error);
		ROW(n, plan);
		if (open_with(plan)) {
			more = fault_count(point) >= n;
			fault_plan(NULL);
			close_store();
		}
		fault_plan(NULL);
	}
	open_store();
	npaged = 0;
	if (plans) {
		wait_until(has_hunted, NULL);
		page("", 0, 200);
		assert_false(paged_failed);
	}
	found = npaged;
	for (uint32_t i = 0; i < nmails; i++) {
		bool twice = false;

		for (uint32_t k = 0; k < npaged; k++)
			twice = twice || paged[k].id == mails[i].id;
		found += !twice;
	}
	assert_int_equal(found, all);
}

static void
test_full_ring_without_memory(void **state)
{
	/* Copied forward, each failing start takes of what is left of the ring; the spool gives it back. */
	if (plans) {
		full_ring("alloc", "ENOMEM");
		again(state);
	}
	full_ring("store-write", "EIO");
	again(state);
	full_ring("store-sync", "EIO");
}

/* Killed when the catalog knew and the ring did not: the record of a file that is gone counts for nothing. */
static void
evacuate_first(void)
{
	run_minutes(100);
}

static void
test_record_without_a_file(void **state)
{
	static const char *const plans_of_failure[] = { "", "catalog-begin:1:ENOSPC", "catalog-change:1:ENOSPC", "catalog-commit:1:ENOSPC" };
	char path[200], content[7];

	for (size_t i = 0; i < sizeof(plans_of_failure) / sizeof(plans_of_failure[0]); i++) {
		if (i > 0)
			again(state);
		put(STORE_CLIENT, "d1", "content", 7);
		wait_answers(1);
		assert_true(killed_at("step-evacuate-5:1:KILL", evacuate_first));
		assert_true(spool_file_of(mails[0].id, path));
		assert_int_equal(unlink(path), 0);
		if (i > 0) {
			assert_false(open_with(plans_of_failure[i]));
			fault_plan(NULL);
		}
		open_store();
		assert_int_equal(nmails, 1);
		assert_false(stored_is_spooled(mails[0].stored));
		assert_int_equal(stored_read(mails[0].stored, 0, content, 7, &err), 0);
		page("", 0, 9);
		assert_int_equal(npaged, 0);
	}
}

/* Trouble while what cannot be served is set aside, and while a catalog is made anew. */
static void
test_rebuild_and_failing_calls(void **state)
{
	static const struct { const char *point, *error; } rows[] = {
		{ "store-rename", "EIO" }, { "store-mkdir", "ENOSPC" }, { "catalog-begin", "ENOSPC" }, { "catalog-change", "ENOSPC" },
		{ "catalog-commit", "ENOSPC" }, { "catalog-write", "ENOSPC" }, { "store-sync", "EIO" },
	};
	char plan[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int n = 1; n < 5; n++) {
			again(state);
			one_asleep();
			close_store();
			empty_folder("db");
			snprintf(plan, sizeof(plan), "%s:%d:%s", rows[i].point, n, rows[i].error);
			ROW(n, plan);
			if (open_with(plan))
				close_store();
			fault_plan(NULL);
			open_store();
			page("", 0, 9);
			assert_int_equal(npaged, 1);
			wake_id(paged[0].id);
			assert_int_equal(woken.count, 1);
			assert_int_equal(stored_size(mails[0].stored), 7);
		}
}

/* Surplus segments and orphans that cannot be unlinked stop no start. */
static void
test_unlinks_that_fail(void **state)
{
	(void)state;
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	conf.segments = 12;
	open_store();
	close_store();
	make_file("spool/large/00000000000G1", "x");
	conf.segments = 8;
	fault_plan("store-unlink:1+:EIO");
	open_store();
	assert_int_equal(nmails, 1);
	assert_int_equal(files_in("journal"), 12);
	assert_int_equal(files_in("spool/large"), 1);
	close_store();
	fault_plan(NULL);
	open_store();
	assert_int_equal(files_in("journal"), 8);
	assert_int_equal(files_in("spool/large"), 0);
}

/* Copied forward without the n-th allocation: what lives is whole, and the ring goes on turning. */
static void
test_copy_without_memory(void **state)
{
	struct mail *old = put(STORE_CLIENT, "the old one", "old content", 11);
	char plan[32], content[11];

	(void)state;
	wait_answers(1);
	for (int n = 1; n < 60; n++) {
		if (n % 3 == 1) {
			snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
			fault_plan(plan);
		}
		for (int i = 0; i < 3; i++) {
			struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
			struct store_put p = { .envelope = SLICE_LIT("e"), .content = slice_of(big, sizeof(big)) };
			struct stored *s;

			if (c == NULL)
				continue;
			assert_int_equal(store_next_ids(store, 1, &p.id), 0);
			durable = 0;
			if ((s = change_put(c, &p, &mails[MANY - 1])) == NULL) {
				change_drop(&c);
				continue;
			}
			store_commit(store, &c, 0);
			wait_answers(1);
			if (durable == 0)
				continue;
			fault_plan(NULL);
			c = change_new(store, STORE_DONE, on_answer, NULL);
			assert_int_equal(change_done(c, s), 0);
			store_commit(store, &c, 0);
			wait_answers(1);
		}
	}
	fault_plan(NULL);
	assert_int_equal(stored_read(old->stored, 0, content, 11, &err), 0);
	assert_memory_equal(content, "old content", 11);
	reopen();
	assert_int_equal(nmails, 1);
	assert_string_equal(mails[0].envelope, "the old one");
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		T(test_configuration), T(test_directory), T(test_last_epoch), T(test_strange_segments), T(test_damage),
		 T(test_lost_segment), T(test_large_of_another_size), P(test_unreadable_in_the_spool),
		P(test_catalog_is_garbage),
#ifdef POSTHORN_FAULTS
		T(test_damage_and_failing_calls), T(test_unreadable_blocks), T(test_full_ring_without_memory),
		P(test_full_ring_without_memory), P(test_record_without_a_file), P(test_rebuild_and_failing_calls),
		T(test_unlinks_that_fail), T(test_copy_without_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
