/* spool: files come whole or not at all, names of strangers are no mail, and what is read is checked. */
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
#include "mail/queue_id.h"
#include "queue/store/spool.h"

#define EPOCH	42u

static char directory[64];
static int queue_dir;
static struct spool spool;
static struct err err;

static void
open_spool(uint32_t epoch)
{
	assert_int_equal(spool_open(&spool, queue_dir, epoch, &err), 0);
}

static void
again(uint32_t epoch)
{
	spool_close(&spool);
	open_spool(epoch);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test-spool-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_not_equal(queue_dir = open(directory, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(mkdirat(queue_dir, "spool", 0700), 0);
	assert_int_equal(mkdirat(queue_dir, "spool/large", 0700), 0);
	open_spool(EPOCH);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	spool_close(&spool);
	fd_close(&queue_dir);
	tempdir_remove(directory);
	return 0;
}

/* --- small hands --------------------------------------------------------------------------------- */

static struct record
record_of(uint64_t id, bool large)
{
	struct record r = { .type = RECORD_PUT, .large = large, .id = id, .version = 3, .envelope = SLICE_LIT("envelope"),
	    .content = large ? slice_of("", 0) : SLICE_LIT("Subject: hello\n\nhello\n"), .content_size = large ? 99999 : 22 };

	r.content_crc = crc32c(0, r.content.p, r.content.len);
	return r;
}

static int
write_one(uint64_t id, bool large, struct spool_file *out)
{
	struct record r = record_of(id, large);

	return spool_write(&spool, &r, out, &err);
}

/* Durable; returns its folder. */
static uint64_t
store_one(uint64_t id, bool large)
{
	struct spool_file f;

	assert_int_equal(write_one(id, large, &f), 0);
	assert_int_equal(f.id, id);
	assert_int_equal(spool_sync(&spool, &f, 1, &err), 0);
	assert_int_equal(f.fd, -1);
	return f.folder;
}

static int
read_one(uint64_t folder, uint64_t id)
{
	struct record r = { 0 };
	struct buf bytes;
	int rc;

	buf_init(&bytes, 4u << 20);
	rc = spool_read(&spool, folder, id, &bytes, &r, &err);
	if (rc == 0) {
		assert_true(r.id == id && r.version == 3);
		assert_slice(r.envelope, "envelope");
		if (!r.large)
			assert_slice(r.content, "Subject: hello\n\nhello\n");
	}
	buf_fini(&bytes);
	return rc;
}

static uint32_t walked;
static uint64_t walked_ids;		/* their sum */
static int answer_with;

static int
each(void *arg, uint64_t folder, uint64_t id, struct err *e)
{
	(void)arg;
	(void)folder;
	walked++;
	walked_ids += id;
	return answer_with == -1 ? err_set(e, "enough") : answer_with;
}

static int
walk(int answer)
{
	walked = 0;
	walked_ids = 0;
	answer_with = answer;
	return spool_walk(&spool, each, NULL, &err);
}

static void
path_in(char out[128], uint64_t folder, uint64_t id)
{
	char name[QUEUE_ID_LEN + 1];

	queue_id_print(id, name);
	if (folder == SPOOL_LARGE)
		snprintf(out, 128, "spool/large/%s.env", name);
	else
		snprintf(out, 128, "spool/%08x.%04x/%s", (unsigned)(folder >> 32), (unsigned)folder, name);
}

static uint32_t
entries(const char *name)
{
	int fd = openat(queue_dir, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint32_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* --- writing and removing ------------------------------------------------------------------------ */

static void
test_a_life(void **state)
{
	char text[22];
	struct spool_file f;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(write_one(7, false, &f), 0);
	assert_int_equal(f.folder, (uint64_t)EPOCH << 32 | 1);
	assert_int_equal(f.place, RECORD_PUT_HEAD + 8);
	assert_int_equal(spool_sync(&spool, &f, 1, &err), 0);
	assert_int_not_equal(fd = spool_read_open(&spool, f.folder, 7, &err), -1);
	assert_int_equal(pread(fd, text, sizeof(text), f.place), 22);	/* an editor shows the mail */
	assert_memory_equal(text, "Subject: hello\n\nhello\n", 22);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd_close(&fd);
	assert_int_equal(read_one(f.folder, 7), 0);
	assert_true(spool_holds(&spool, f.folder, 7));
	assert_false(spool_holds(&spool, f.folder, 8));
	assert_false(spool_holds(&spool, 77, 7));
	assert_int_equal(walk(0), 0);
	assert_int_equal(walked, 0);			/* a hunt looks at earlier epochs only */
	again(EPOCH + 1);
	assert_int_equal(read_one(f.folder, 7), 0);
	assert_int_equal(walk(0), 0);
	assert_true(walked == 1 && walked_ids == 7);
	assert_int_equal(spool_remove(&spool, f.folder, 7, &err), 0);
	assert_int_equal(spool_remove(&spool, f.folder, 7, &err), 0);	/* gone already */
	assert_int_equal(spool_remove(&spool, 99, 7, &err), 0);		/* and so is its folder */
	assert_int_equal(entries("spool"), 2);
	assert_int_equal(spool_settle(&spool, &err), 0);
	assert_int_equal(entries("spool"), 1);			/* the empty folder went, too */
	assert_false(spool_holds(&spool, f.folder, 7));
}

static void
test_large_records(void **state)
{
	(void)state;
	assert_int_equal(store_one(9, true), SPOOL_LARGE);
	assert_int_equal(store_one(9, true), SPOOL_LARGE);	/* a try before came to nothing */
	assert_int_equal(read_one(SPOOL_LARGE, 9), 0);
	assert_int_equal(entries("spool"), 1);
	assert_int_equal(spool_remove(&spool, SPOOL_LARGE, 9, &err), 0);
	assert_int_equal(spool_settle(&spool, &err), 0);
	assert_int_equal(entries("spool"), 1);			/* large/ stays */
	assert_int_equal(entries("spool/large"), 0);
}

/* A small file is never written over: another folder takes the new one. */
static void
test_a_name_in_the_way(void **state)
{
	uint64_t first = store_one(7, false), second = store_one(7, false);

	(void)state;
	assert_int_not_equal(first, second);
	assert_int_equal(read_one(first, 7), 0);
	assert_int_equal(read_one(second, 7), 0);
	/* And if the next one has that name as well: an error, and both stay what they were. */
	spool.next--;
	spool.current = first;
	assert_int_equal(write_one(7, false, &(struct spool_file){ 0 }), -1);
	assert_int_equal(read_one(first, 7), 0);
	assert_int_equal(read_one(second, 7), 0);
}

/* More folders than are kept open, and a folder that is full. */
static void
test_many_folders(void **state)
{
	uint64_t folders[3 * SPOOL_CACHE];

	(void)state;
	for (uint64_t i = 0; i < 3 * SPOOL_CACHE; i++) {
		folders[i] = store_one(100 + i, false);
		spool.in_current = 4096;
	}
	assert_int_equal(entries("spool"), 3 * SPOOL_CACHE + 1);
	for (uint64_t i = 0; i < 3 * SPOOL_CACHE; i++) {
		assert_int_equal(read_one(folders[i], 100 + i), 0);
		assert_int_equal(spool_remove(&spool, folders[i], 100 + i, &err), 0);
	}
	assert_int_equal(spool_settle(&spool, &err), 0);
	assert_int_equal(entries("spool"), 2);		/* large/, and the one that takes new files */
}

/* A queue on a file system of its own is synced by one call. */
static void
test_alone(void **state)
{
	struct spool_file f[3];

	(void)state;
	spool.alone = true;
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(write_one(i + 1, false, &f[i]), 0);
	assert_int_equal(spool_sync(&spool, f, 3, &err), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(read_one(f[i].folder, i + 1), 0);
	assert_int_equal(spool_sync(&spool, f, 0, &err), 0);		/* nothing to do is fine */
}

static void
test_no_spool(void **state)
{
	struct spool other;

	(void)state;
	assert_int_equal(unlinkat(queue_dir, "spool/large", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(queue_dir, "spool", AT_REMOVEDIR), 0);
	assert_int_equal(spool_open(&other, queue_dir, 1, &err), -1);
	spool_close(&other);
	assert_int_equal(mkdirat(queue_dir, "spool", 0700), 0);
	again(EPOCH);
	assert_int_equal(write_one(1, true, &(struct spool_file){ 0 }), -1);	/* nobody made large/ */
}

/* --- reading ------------------------------------------------------------------------------------- */

static void
test_what_is_read_is_checked(void **state)
{
	static const struct {
		const char	*what;
		off_t		 cut;		/* 0: it keeps its length */
		off_t		 flip;		/* -1: none */
		int		 rc;
	} rows[] = {
		{ "as it was", 0, -1, 0 },
		{ "its type", 0, 0, 1 },		{ "its length", 0, 4, 1 },	{ "its id", 0, 8, 1 },
		{ "its version", 0, 16, 1 },		{ "a checksum", 0, 20, 1 },	{ "the head's checksum", 0, 28, 1 },
		{ "the size of the content", 0, 40, 1 },	{ "the envelope", 0, 50, 1 },	{ "the last byte", 0, 77, 1 },
		{ "a head cut short", 31, -1, 1 },	{ "a body cut short", 60, -1, 1 },	{ "one byte short", 77, -1, 1 },
		{ "one byte more", 79, -1, 1 },		{ "a block of zeros behind it", 4096, -1, 1 },
		{ "far too long", 3 << 20, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t folder = store_one(i + 1, false);
		char path[128], byte;
		int fd;

		path_in(path, folder, i + 1);
		assert_int_not_equal(fd = openat(queue_dir, path, O_RDWR), -1);
		if (rows[i].cut != 0)
			assert_int_equal(ftruncate(fd, rows[i].cut), 0);
		if (rows[i].flip != -1) {
			assert_int_equal(pread(fd, &byte, 1, rows[i].flip), 1);
			byte = (char)(byte ^ 4);
			assert_int_equal(pwrite(fd, &byte, 1, rows[i].flip), 1);
		}
		fd_close(&fd);
		ROW(i, rows[i].what);
		assert_int_equal(read_one(folder, i + 1), rows[i].rc);
	}
}

/* What lies there is not what it is called, or no file at all. None of it may stop who reads. */
static void
test_what_is_no_mail(void **state)
{
	uint64_t folder = store_one(1, false);
	char path[128], other[128];
	int fd;

	(void)state;
	path_in(path, folder, 1);
	path_in(other, folder, 2);
	assert_int_equal(linkat(queue_dir, path, queue_dir, other, 0), 0);
	assert_int_equal(read_one(folder, 2), 1);			/* another's file */
	path_in(other, folder, 3);
	assert_int_equal(symlinkat(path, queue_dir, other), 0);
	assert_int_equal(read_one(folder, 3), -1);
	path_in(other, folder, 4);
	assert_int_equal(mkfifoat(queue_dir, other, 0600), 0);
	assert_int_equal(read_one(folder, 4), -1);
	path_in(other, folder, 5);
	assert_int_equal(mkdirat(queue_dir, other, 0700), 0);
	assert_int_equal(read_one(folder, 5), -1);
	assert_int_equal(spool_remove(&spool, folder, 5, &err), -1);
	assert_int_equal(spool_remove(&spool, folder, 5, NULL), -1);
	path_in(other, folder, 6);
	assert_int_not_equal(fd = openat(queue_dir, other, O_CREAT | O_WRONLY, 0600), -1);
	fd_close(&fd);
	assert_int_equal(read_one(folder, 6), 1);			/* empty */
	assert_int_equal(read_one(folder, 7), -1);			/* not there */
	/* A folder that is a file. */
	assert_int_not_equal(fd = openat(queue_dir, "spool/00000063.0001", O_CREAT | O_WRONLY, 0600), -1);
	fd_close(&fd);
	assert_int_equal(spool_remove(&spool, UINT64_C(0x63) << 32 | 1, 1, &err), -1);
	assert_int_equal(spool_remove(&spool, UINT64_C(0x63) << 32 | 1, 1, NULL), -1);
}

/* --- the walk ------------------------------------------------------------------------------------ */

static void
test_walk(void **state)
{
	static const char *const folders[] = { "strange", "0000002A.0001", "0000002a.1", "0000002a.00001", "0000002a.0001x", "2a.0001",
	    "0000002a-0001", "         0.0001", "+000002a.0001", "ffffffff.ffffffff" };
	char path[160], id[QUEUE_ID_LEN + 1];
	struct stat st;
	int fd;

	(void)state;
	store_one(1, false);
	store_one(2, false);
	store_one(4, true);
	queue_id_print(64, id);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "spool/%s", folders[i]);
		assert_int_equal(mkdirat(queue_dir, path, 0700), 0);
		if (i + 1 == sizeof(folders) / sizeof(folders[0]))
			break;		/* the last one is a name of ours, and stays empty */
		snprintf(path, sizeof(path), "spool/%s/%s", folders[i], id);
		assert_int_not_equal(fd = openat(queue_dir, path, O_CREAT | O_WRONLY, 0600), -1);
		fd_close(&fd);
	}
	/* A content, and names that are no ids, in folders of ours. */
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), i == 0 ? "spool/large/%s" : i == 1 ? "spool/large/%s.en" : i == 2 ? "spool/large/x%s.env" :
		    "spool/0000002a.0001/%s.env", id);
		assert_int_not_equal(fd = openat(queue_dir, path, O_CREAT | O_WRONLY, 0600), -1);
		fd_close(&fd);
	}
	assert_int_not_equal(fd = openat(queue_dir, "spool/large/env", O_CREAT | O_WRONLY, 0600), -1);
	fd_close(&fd);
	assert_int_not_equal(fd = openat(queue_dir, "spool/0000002b.0001", O_CREAT | O_WRONLY, 0600), -1);	/* no folder */
	fd_close(&fd);
	assert_int_equal(symlinkat("0000002a.0001", queue_dir, "spool/0000002c.0001"), 0);
	assert_int_equal(fstatat(queue_dir, "spool/0000002c.0001", &st, 0), 0);
	again(EPOCH + 100);
	assert_int_equal(walk(0), 0);
	assert_int_equal(walked_ids, 7);
	assert_int_equal(walked, 3);
	assert_int_equal(walk(1), 0);			/* it has seen enough */
	assert_int_equal(walked, 1);
	assert_int_equal(walk(-1), -1);
	assert_int_equal(walked, 1);
	assert_string_equal(err.text, "enough");
}

/* --- failing calls ------------------------------------------------------------------------------- */

#ifdef POSTHORN_FAULTS

/* All that is done to the spool, until something fails. */
static int
work(void)
{
	struct spool_file f = { .fd = -1 }, g = { .fd = -1 };
	int rc = -1;

	if (write_one(1, false, &f) == 0 && write_one(2, true, &g) == 0) {
		struct spool_file both[2] = { f, g };

		rc = spool_sync(&spool, both, 2, &err);
		f.fd = g.fd = -1;
		if (rc == 0 && (read_one(f.folder, 1) != 0 || spool_remove(&spool, f.folder, 1, &err) == -1 ||
		    spool_remove(&spool, SPOOL_LARGE, 2, &err) == -1 || spool_settle(&spool, &err) == -1))
			rc = -1;
	}
	fd_close(&f.fd);
	fd_close(&g.fd);
	return rc;
}

/* The n-th call of each kind fails: said so; and what is tried again goes well. */
static void
test_failing_calls(void **state)
{
	static const char *const points[] = { "store-open", "store-mkdir", "store-write", "store-sync", "store-unlink", "store-read", "alloc" };
	uint32_t epoch = EPOCH;
	char plan[64];

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		for (int n = 1, more = 1; more != 0 && n < 40; n++) {
			int rc;

			again(++epoch);
			snprintf(plan, sizeof(plan), "%s:%d:EIO", points[i], n);
			ROW(n, plan);
			fault_plan(plan);
			rc = work();
			more = fault_count(points[i]) >= n;
			fault_plan(NULL);
			assert_int_equal(rc, more ? -1 : 0);
			assert_int_equal(work(), 0);
		}
}

/* After -1 nothing is left behind, and a folder whose sync failed takes no other file. */
static void
test_a_failed_write_leaves_nothing(void **state)
{
	struct spool_file f;

	(void)state;
	fault_plan("store-write:1:ENOSPC");
	assert_int_equal(write_one(1, false, &f), -1);
	assert_int_equal(err.code, ENOSPC);
	assert_int_equal(entries("spool/0000002a.0001"), 0);
	fault_plan("store-write:1:ENOSPC");
	assert_int_equal(write_one(1, true, &f), -1);
	assert_int_equal(entries("spool/large"), 0);
	for (int alone = 0; alone < 2; alone++)
		for (int n = 1; n <= 3 - alone; n++) {
			uint64_t folder;
			char plan[32];

			spool.alone = alone != 0;
			fault_plan(NULL);
			spool.current = 0;
			assert_int_equal(write_one(10 + (uint64_t)n, false, &f), 0);
			folder = f.folder;
			snprintf(plan, sizeof(plan), "store-sync:%d:EIO", n);
			ROW(n, plan);
			fault_plan(plan);
			assert_int_equal(spool_sync(&spool, &f, 1, &err), -1);
			assert_int_equal(f.fd, -1);
			fault_plan(NULL);
			assert_int_not_equal(store_one(20 + (uint64_t)n, false), folder);
		}
}

static void
test_failing_walk(void **state)
{
	(void)state;
	store_one(1, false);
	again(EPOCH + 1);
	for (int n = 1; n <= 3; n++) {
		char plan[32];

		snprintf(plan, sizeof(plan), "store-open:%d:EMFILE", n);
		fault_plan(plan);
		assert_int_equal(walk(0), -1);
		assert_int_equal(err.code, EMFILE);
		fault_plan(NULL);
	}
	/* The record could not be opened for the sake of something else than its absence. */
	fault_plan("store-open:1:EACCES");
	assert_int_equal(spool_remove(&spool, (uint64_t)EPOCH << 32 | 1, 1, &err), -1);
	assert_int_equal(err.code, EACCES);
	fault_plan(NULL);
	assert_true(spool_holds(&spool, (uint64_t)EPOCH << 32 | 1, 1));
}

/* The folder that has to go from the cache has not been synced, and that fails: who wants another one hears it. */
static void
test_cache_of_unsynced_folders(void **state)
{
	struct spool_file f[SPOOL_CACHE];

	(void)state;
	for (uint64_t i = 0; i < SPOOL_CACHE; i++) {
		assert_int_equal(write_one(i + 1, false, &f[i]), 0);
		spool.in_current = 4096;
	}
	fault_plan("store-sync:1:EIO");
	assert_int_equal(write_one(99, false, &(struct spool_file){ 0 }), -1);
	fault_plan(NULL);
	for (uint64_t i = 0; i < SPOOL_CACHE; i++)
		fd_close(&f[i].fd);
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_life), T(test_large_records), T(test_a_name_in_the_way), T(test_many_folders), T(test_alone), T(test_no_spool),
		T(test_what_is_read_is_checked), T(test_what_is_no_mail), T(test_walk),
#ifdef POSTHORN_FAULTS
		T(test_failing_calls), T(test_a_failed_write_leaves_nothing), T(test_failing_walk), T(test_cache_of_unsynced_folders),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
