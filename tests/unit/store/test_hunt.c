/* hunt: what the ring knows is left over, what the catalog knows stays, everything else is mail and comes back. */
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "mail/queue_id.h"
#include "queue/store/database.h"
#include "queue/store/holds.h"
#include "queue/store/hunt.h"
#include "queue/store/post.h"

static char directory[64], db[80];
static int queue_dir;
static struct spool spool;
static struct holds holds;
static struct catalog *catalog;
static struct post post;
static struct hunt hunt;
static struct err err;
static uint32_t epoch;

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

/* Another start: what was written so far is of an earlier epoch. `known`: what the ring of that start holds. */
static void
start(const uint64_t *known, size_t count)
{
	hunt_fini(&hunt);
	spool_close(&spool);
	assert_int_equal(spool_open(&spool, queue_dir, ++epoch, &err), 0);
	hunt_init(&hunt, catalog, &spool, &holds, &post, queue_dir);
	if (count > 0) {
		assert_non_null(hunt.ids = mem_dup(known, count * sizeof(*known)));
		hunt.count = count;
	}
}

static int
setup(void **state)
{

	(void)state;
	log_sink_set(no_log, NULL);
	database_forgive();
	snprintf(directory, sizeof(directory), "/tmp/test-hunt-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(db, sizeof(db), "%s/db", directory);
	assert_int_not_equal(queue_dir = open(directory, O_RDONLY | O_DIRECTORY), -1);
	assert_true(mkdirat(queue_dir, "spool", 0700) == 0 && mkdirat(queue_dir, "spool/large", 0700) == 0 &&
	    mkdirat(queue_dir, "db", 0700) == 0 && mkdirat(queue_dir, "holds", 0700) == 0 && mkdirat(queue_dir, "corrupt", 0700) == 0);
	epoch = 1;
	assert_int_equal(spool_open(&spool, queue_dir, epoch, &err), 0);
	assert_int_equal(catalog_open(&catalog, db, &err), 0);
	assert_int_equal(holds_open(&holds, queue_dir, &err), 0);
	assert_int_equal(post_open(&post, &err), 0);
	hunt = (struct hunt){ 0 };
	hunt_init(&hunt, catalog, &spool, &holds, &post, queue_dir);
	return 0;
}

static int
teardown(void **state)
{
	struct post_list list;

	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	post_take(&post, &list);
	post_close(&post);
	hunt_fini(&hunt);
	holds_close(&holds);
	spool_close(&spool);
	catalog_close(&catalog);
	fd_close(&queue_dir);
	tempdir_remove(directory);
	return 0;
}

/* --- small hands --------------------------------------------------------------------------------- */

static uint64_t
file(uint64_t id, bool large)
{
	struct record r = { .type = RECORD_PUT, .large = large, .id = id, .version = 5, .envelope = SLICE_LIT("envelope"),
	    .content = large ? slice_of("", 0) : SLICE_LIT("hello"), .content_size = large ? 70000 : 5 };
	struct spool_file f;

	r.content_crc = crc32c(0, r.content.p, r.content.len);
	assert_int_equal(spool_write(&spool, &r, &f, &err), 0);
	assert_int_equal(spool_sync(&spool, &f, 1, &err), 0);
	return f.folder;
}

static void
record(uint64_t id, uint64_t folder)
{
	assert_int_equal(catalog_begin(catalog, &err), 0);
	assert_int_equal(catalog_put(catalog, &(struct catalog_record){ .id = id, .version = 9, .folder = folder, .size = 5,
	    .envelope = SLICE_LIT("newer") }, slice_of("", 0), &err), 0);
	assert_int_equal(catalog_commit(catalog, 1, &err), 0);
}

static void
damage_file(uint64_t folder, uint64_t id)
{
	char path[128], name[QUEUE_ID_LEN + 1];
	int fd;

	queue_id_print(id, name);
	if (folder == SPOOL_LARGE)
		snprintf(path, sizeof(path), "spool/large/%s.env", name);
	else
		snprintf(path, sizeof(path), "spool/%08x.%04x/%s", (unsigned)(folder >> 32), (unsigned)folder, name);
	assert_int_not_equal(fd = openat(queue_dir, path, O_WRONLY), -1);
	assert_int_equal(pwrite(fd, "x", 1, 50), 1);
	fd_close(&fd);
}

/* `pattern` has the id where its % stands. */
static bool
is_there(const char *pattern, uint64_t id)
{
	size_t before = strcspn(pattern, "%");
	char path[128], name[QUEUE_ID_LEN + 1];

	snprintf(path, sizeof(path), "%.*s%s%s", (int)before, pattern, queue_id_print(id, name), pattern + before + 1);
	return faccessat(queue_dir, path, F_OK, 0) == 0;
}

static struct catalog_record found;

static enum catalog_found
get(uint64_t id)
{
	return catalog_get(catalog, id, &found, &err);
}

/* --- what becomes of a file ---------------------------------------------------------------------- */

static void
test_verdicts(void **state)
{
	static const uint64_t known[] = { 2, 4, 6 };
	uint64_t folders[9] = { 0 };
	uint64_t ids[3];
	struct catalog_ids all = { ids, 3, NULL, NULL };
	int64_t next;

	(void)state;
	for (uint64_t id = 1; id <= 4; id++)
		folders[id] = file(id, false);
	folders[5] = file(5, true);
	folders[6] = file(6, true);
	record(1, folders[1]);				/* named */
	record(2, folders[2]);				/* named, and the ring knows it, too */
	record(3, folders[3] + 77);			/* it lies elsewhere: this copy is a leftover */
	start(known, 3);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(hunt.seen == 6 && hunt.removed == 3 && hunt.adopted == 1 && !hunt.stopped);
	assert_true(spool_holds(&spool, folders[1], 1) && spool_holds(&spool, folders[2], 2));
	assert_false(spool_holds(&spool, folders[3], 3));
	assert_false(spool_holds(&spool, folders[4], 4));	/* its PUT or DONE is in the ring */
	assert_true(spool_holds(&spool, SPOOL_LARGE, 5));
	assert_false(spool_holds(&spool, SPOOL_LARGE, 6));
	assert_int_equal(get(1), CATALOG_FOUND);
	assert_true(found.version == 9 && !found.maybe);
	assert_int_equal(get(4), CATALOG_ABSENT);
	assert_int_equal(get(5), CATALOG_FOUND);
	assert_true(found.version == 5 && found.maybe && found.large && found.size == 70000 && found.folder == SPOOL_LARGE);
	assert_slice(found.envelope, "envelope");
	/* Nobody knows its way: the destination without a name has it, at once. */
	assert_int_equal(catalog_due(catalog, slice_of("", 0), 0, &all, &next, &err), 0);
	assert_true(all.count == 1 && ids[0] == 5);
	/* A second run finds all in order. */
	start(known, 3);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(hunt.seen == 3 && hunt.removed == 0 && hunt.adopted == 0);
}

/* The file was written before somebody held the message. */
static void
test_held_comes_back_held(void **state)
{
	(void)state;
	(void)file(1, false);
	(void)file(2, false);
	assert_int_equal(holds_note(&holds, 2, true), 0);
	start(NULL, 0);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(get(1) == CATALOG_FOUND && found.maybe && !found.held);
	assert_true(get(2) == CATALOG_FOUND && found.maybe && found.held);
}

static void
test_damaged_files_are_kept(void **state)
{
	uint64_t small = file(1, false), fine = file(2, false);
	char path[128], name[QUEUE_ID_LEN + 1];
	int fd;

	(void)state;
	(void)file(3, true);
	(void)file(4, true);
	snprintf(path, sizeof(path), "spool/large/%s", queue_id_print(3, name));
	assert_int_not_equal(fd = openat(queue_dir, path, O_CREAT | O_WRONLY, 0600), -1);
	fd_close(&fd);
	damage_file(small, 1);
	damage_file(SPOOL_LARGE, 3);
	damage_file(SPOOL_LARGE, 4);		/* there is no content beside it */
	start(NULL, 0);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_int_equal(hunt.adopted, 1);
	assert_false(spool_holds(&spool, small, 1));
	assert_true(is_there("corrupt/spool-%", 1) && is_there("corrupt/spool-%.reason", 1));
	assert_true(is_there("corrupt/spool-%", 3) && is_there("corrupt/content-%", 3) && !is_there("spool/large/%", 3));
	assert_true(is_there("corrupt/spool-%", 4) && !is_there("corrupt/content-%", 4));
	assert_int_equal(get(1), CATALOG_ABSENT);
	assert_int_equal(get(2), CATALOG_FOUND);
	assert_int_equal(found.folder, fine);
}

/* What cannot be read at all stays where it is, and does not keep the others from coming back. */
static void
test_what_cannot_be_read_stays(void **state)
{
	uint64_t folder = file(2, false);
	char path[128], name[QUEUE_ID_LEN + 1];

	(void)state;
	snprintf(path, sizeof(path), "spool/%08x.%04x/%s", (unsigned)(folder >> 32), (unsigned)folder, queue_id_print(1, name));
	assert_int_equal(mkfifoat(queue_dir, path, 0600), 0);
	start(NULL, 0);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(hunt.seen == 2 && hunt.adopted == 1);
	assert_int_equal(faccessat(queue_dir, path, F_OK, 0), 0);
	assert_int_equal(get(2), CATALOG_FOUND);
}

/* --- many, with others in between ---------------------------------------------------------------- */

static uint32_t pauses, pauses_most;

/* Nothing is half done: others may begin a transaction. */
static bool
between(void *arg)
{
	assert_ptr_equal(arg, &pauses);
	record(1000000 + pauses, 1);
	return ++pauses < pauses_most;
}

static void
test_many(void **state)
{

	(void)state;
	for (uint64_t id = 1; id <= 300; id++)
		(void)file(id, false);
	start(NULL, 0);
	hunt.between = between;
	hunt.arg = &pauses;
	pauses = 0;
	pauses_most = 2;
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(hunt.stopped && hunt.seen == 128 && hunt.adopted == 127);
	pauses_most = 99;
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_true(!hunt.stopped && hunt.seen == 300 && hunt.adopted == 173);
	assert_int_equal(catalog_totals(catalog).messages, 300 + pauses);
	/* Without pauses they are adopted in transactions of 256. */
	catalog_close(&catalog);
	tempdir_remove(db);
	assert_int_equal(mkdirat(queue_dir, "db", 0700), 0);
	assert_int_equal(catalog_open(&catalog, db, &err), 0);
	start(NULL, 0);
	assert_int_equal(hunt_run(&hunt, &err), 0);
	assert_int_equal(hunt.adopted, 300);
	assert_int_equal(catalog_totals(catalog).messages, 300);
}

/* --- failing calls ------------------------------------------------------------------------------- */

#ifdef POSTHORN_FAULTS

/* The n-th call of each kind fails: no file of mail is gone for it, and the next run ends as it should. */
static void
test_failing_calls(void **state)
{
	static const struct { const char *point, *error; bool blames_catalog; } rows[] = {
		{ "catalog-begin", "ENOSPC", true }, { "catalog-commit", "ENOSPC", true }, { "catalog-change", "ENOSPC", true },
		{ "catalog-read", "ENOMEM", true }, { "store-open", "EMFILE", false }, { "store-read", "EIO", false },
		{ "store-write", "ENOSPC", false }, { "store-rename", "EIO", false }, { "store-unlink", "EIO", false },
		{ "alloc", "ENOMEM", false },
	};
	static const uint64_t known[] = { 3 };
	char plan[64], name[QUEUE_ID_LEN + 1], path[128];
	uint32_t failed = 0;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int n = 1, more = 1; more != 0 && n < 120; n++) {
			uint64_t a = file(1, false), b = file(3, false), c = file(4, false);
			int rc;

			(void)file(5, true);
			(void)file(6, true);
			snprintf(path, sizeof(path), "spool/large/%s", queue_id_print(6, name));
			assert_int_not_equal(fd = openat(queue_dir, path, O_CREAT | O_WRONLY, 0600), -1);
			fd_close(&fd);
			damage_file(c, 4);
			damage_file(SPOOL_LARGE, 6);
			start(known, 1);
			snprintf(plan, sizeof(plan), "%s:%d:%s", rows[i].point, n, rows[i].error);
			ROW(n, plan);
			fault_plan(plan);
			rc = hunt_run(&hunt, &err);
			more = fault_count(rows[i].point) >= n;
			fault_plan(NULL);
			if (rc == -1 && rows[i].blames_catalog)
				assert_true(hunt.catalog_failed);
			failed += rc == -1;
			assert_true(spool_holds(&spool, a, 1) && spool_holds(&spool, SPOOL_LARGE, 5));
			assert_true(spool_holds(&spool, c, 4) || is_there("corrupt/spool-%", 4));
			assert_true(is_there("spool/large/%", 6) || is_there("corrupt/content-%", 6));
			assert_int_equal(hunt_run(&hunt, &err), 0);
			assert_false(spool_holds(&spool, b, 3));
			assert_int_equal(get(1), CATALOG_FOUND);
			assert_int_equal(found.folder, a);
			assert_int_equal(get(5), CATALOG_FOUND);
			assert_false(spool_holds(&spool, c, 4));
			assert_true(is_there("corrupt/spool-%", 4) && is_there("corrupt/spool-%", 6) && is_there("corrupt/content-%", 6));
			/* All of it goes, for the next row. */
			assert_int_equal(catalog_begin(catalog, &err), 0);
			assert_int_equal(catalog_forget(catalog, 1, &err), 0);
			assert_int_equal(catalog_forget(catalog, 5, &err), 0);
			assert_int_equal(catalog_commit(catalog, 1, &err), 0);
			assert_int_equal(spool_remove(&spool, a, 1, &err), 0);
			assert_int_equal(spool_remove(&spool, SPOOL_LARGE, 5, &err), 0);
			assert_int_equal(spool_settle(&spool, &err), 0);
		}
	assert_true(failed > 10);
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_verdicts), T(test_held_comes_back_held),
		T(test_damaged_files_are_kept), T(test_what_cannot_be_read_stays), T(test_many),
#ifdef POSTHORN_FAULTS
		T(test_failing_calls),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
