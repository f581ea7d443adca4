/*
 * restore — see restore.h; the steps are those of docs/SPOOL.md, restore.
 *
 * Until STORE is there, which comes last, a file RESTORING says that this is no queue yet.
 */
#include "queue/archive/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/privdrop.h"
#include "queue/archive/marker.h"
#include "queue/archive/tree.h"
#include "queue/store/disk.h"
#include "queue/store/ids.h"
#include "queue/store/layout.h"
#include "queue/store/segment.h"

/* The old life may have gone on after the backup: each of its starts took an epoch, and its ids must not come again. */
#define EPOCH_GAP	1000000u

struct restore {
	const char	*path, *from_path;	/* the queue; the backup */
	int		 dir, from, lock;
	struct marker	 marker;
	struct ids	 old, fresh;
	struct tree	 tree;
	int		 to_journal, from_journal;
};

/* --- the backup --------------------------------------------------------------------------------- */

/* docs/SPOOL.md, restore: 1 the backup is whole. */
static int
check_backup(struct restore *r, struct err *err)
{
	struct tree all = { .loose_in = "large" };

	STEP("restore-1");
	if ((r->from = open(r->from_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_sys(err, "%s", r->from_path);
	if (marker_read(r->from, &r->marker, err) == -1)
		return err_wrap(err, "%s", r->from_path);
	if (ids_read(&r->old, r->from, err) != IDS_READ)
		return err_wrap(err, "%s", r->from_path);
	if (strcmp(r->old.text, r->marker.store) != 0 || r->old.epoch != r->marker.epoch)
		return err_set(err, "%s: STORE and BACKUP are not of the same backup", r->from_path);
	if (tree_count(&all, r->from, "journal", err) == -1 || tree_count(&all, r->from, "db", err) == -1 ||
	    tree_count(&all, r->from, "holds", err) == -1 || tree_count(&all, r->from, "spool", err) == -1)
		return err_wrap(err, "%s", r->from_path);
	if (all.files != r->marker.files || all.bytes != r->marker.bytes)
		return err_set(err, "%s is not whole: it has %" PRIu64 " files of %" PRIu64 " bytes, BACKUP says %" PRIu64 " of %" PRIu64,
		    r->from_path, all.files, all.bytes, r->marker.files, r->marker.bytes);
	return 0;
}

/* --- the place ---------------------------------------------------------------------------------- */

static int
must_be_empty(void *arg, const char *name, struct err *err)
{
	struct restore *r = arg;

	if (strcmp(name, "lost+found") == 0 || strcmp(name, "lock") == 0)
		return 0;
	return err_set(err, "%s is not empty: a restore wants an empty queue directory; move what is there away (%s ...)", r->path,
	    name);
}

static int
check_empty(struct restore *r, struct err *err)
{
	if (faccessat(r->dir, "RESTORING", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, "%s holds a restore that was not finished: empty it and try again", r->path);
	return tree_each(r->dir, must_be_empty, r, err);
}

/* Whose the queue is. Root asks the accounts when the directory is its own. */
static int
find_owner(struct restore *r, struct err *err)
{
	struct account queue;
	struct stat st;

	if (fstat(r->dir, &st) == -1)
		return err_sys(err, "%s", r->path);
	if (geteuid() != 0)
		return st.st_uid == geteuid() ? 0 :
		    err_set(err, "%s belongs to uid %u: root or that user may restore it", r->path, (unsigned)st.st_uid);
	queue = (struct account){ .uid = st.st_uid, .gid = st.st_gid };
	if (st.st_uid == 0 && account_find("posthorn-queue", &queue, err) == -1)
		return -1;
	r->tree.given = true;
	r->tree.uid = queue.uid;
	r->tree.gid = queue.gid;
	return 0;
}

/* A lock that was there before is the directory's own, and no other name of somebody's file. */
static int
check_lock(const struct restore *r, struct err *err)
{
	struct stat dir, lock;

	if (fstat(r->dir, &dir) == -1 || fstat(r->lock, &lock) == -1)
		return err_sys(err, "%s/lock", r->path);
	if (!S_ISREG(lock.st_mode) || lock.st_nlink != 1 || (lock.st_uid != dir.st_uid && lock.st_uid != geteuid()))
		return err_set(err, "%s/lock is not the lock of a queue: remove it", r->path);
	return 0;
}

/* docs/SPOOL.md, restore: 2 an empty directory, ours, locked, and a word that it is no queue. */
static int
open_place(struct restore *r, struct err *err)
{
	int fd, rc;

	STEP("restore-2");
	if (mkdir(r->path, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "%s", r->path);
	if ((r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return err_sys(err, "%s", r->path);
	/* Whatever is there may be somebody else's: nothing is made or given away before that is known. */
	if (faccessat(r->dir, "lock", F_OK, AT_SYMLINK_NOFOLLOW) == -1 && check_empty(r, err) == -1)
		return -1;
	if ((r->lock = layout_lock(r->dir, r->path, true, err)) == -1 || check_lock(r, err) == -1 || check_empty(r, err) == -1 ||
	    find_owner(r, err) == -1 || tree_give(&r->tree, r->dir, err) == -1 || tree_give(&r->tree, r->lock, err) == -1)
		return -1;
	if ((fd = disk_open(r->dir, "RESTORING", O_WRONLY | O_CREAT | O_EXCL, err)) == -1)
		return -1;
	rc = tree_give(&r->tree, fd, err) == -1 || disk_sync(fd, err) == -1 ? -1 : disk_sync(r->dir, err);
	fd_close(&fd);
	return rc;
}

/* --- the copy ----------------------------------------------------------------------------------- */

/* The head of a segment says whose it is. One that is damaged stays as it is: its first batch speaks for it. */
static int
copy_segment(void *arg, const char *name, struct err *err)
{
	struct restore *r = arg;
	unsigned char block[SEGMENT_HEAD];
	struct segment_head head;
	enum segment_head_verdict verdict;
	struct stat st;
	int fd = disk_open(r->from_journal, name, O_RDONLY, err), rc;

	if (fd == -1)
		return -1;
	rc = fstat(fd, &st) == -1 ? err_sys(err, "%s", name) : disk_read(fd, block, sizeof(block), 0, err);
	fd_close(&fd);
	if (rc == -1)
		return -1;
	verdict = segment_head_get(slice_of((const char *)block, sizeof(block)), &head);
	if (verdict == SEGMENT_HEAD_NEWER)
		return err_set(err, "journal/%s was written by a newer posthorn: use that one", name);
	if (verdict == SEGMENT_HEAD_WHOLE) {
		memcpy(head.store, r->fresh.store, sizeof(head.store));
		segment_head_put(block, &head);
	}
	return tree_copy_part(&r->tree, r->from_journal, r->to_journal, name, (uint64_t)st.st_size, (uint64_t)st.st_size, block,
	    sizeof(block), err);
}

static int
copy_ring(struct restore *r, struct err *err)
{
	int rc = -1;

	if ((r->from_journal = disk_open(r->from, "journal", O_RDONLY | O_DIRECTORY, err)) == -1)
		return -1;
	if ((r->to_journal = tree_make_folder(&r->tree, r->dir, "journal", err)) != -1)
		rc = tree_each(r->from_journal, copy_segment, r, err);
	fd_close(&r->from_journal);
	fd_close(&r->to_journal);
	return rc == 0 ? 0 : err_wrap(err, "journal");
}

/* docs/SPOOL.md, restore: 3 all files, 4 on disk. */
static int
copy_all(struct restore *r, struct err *err)
{
	STEP("restore-3");
	ids_draw(&r->fresh, r->dir);
	if (copy_ring(r, err) == -1 || tree_copy(&r->tree, r->from, r->dir, "spool", err) == -1 ||
	    tree_copy(&r->tree, r->from, r->dir, "db", err) == -1 || tree_copy(&r->tree, r->from, r->dir, "holds", err) == -1)
		return -1;
	STEP("restore-4");
	return disk_sync_system(r->dir, err);
}

/* docs/SPOOL.md, restore: 5 STORE, by its own steps: from here on it is a queue; 6 the word goes. From here on root is not
 * needed either. */
static int
make_it_a_queue(struct restore *r, struct err *err)
{
	const struct account queue = { .uid = r->tree.uid, .gid = r->tree.gid };

	if (r->old.epoch > UINT32_MAX - EPOCH_GAP - 1)
		return err_set(err, "the epochs of this store are used up");
	if (r->tree.given && privdrop(&queue, NULL, NULL, err) == -1)
		return -1;
	r->fresh.epoch = r->old.epoch + EPOCH_GAP;
	STEP("restore-5");
	if (ids_raise(&r->fresh, err) == -1)
		return -1;
	STEP("restore-6");
	if (disk_unlink(r->dir, "RESTORING", err) == -1)
		return -1;
	return disk_sync(r->dir, err);
}

/* --- in order ----------------------------------------------------------------------------------- */

static void
say_done(const struct restore *r)
{
	time_t then = (time_t)r->marker.time;
	struct tm tm = { 0 };
	char at[32];

	(void)localtime_r(&then, &tm);
	(void)strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s: %" PRIu64 " messages of %s are back.\n"
	    "Whatever was delivered after that time is delivered again, and mail that came later is not here.\n", r->path,
	    r->marker.messages, at);
}

int
restore(int argc, char **argv)
{
	struct restore r = { .path = argv[0], .from_path = argv[1], .dir = -1, .from = -1, .lock = -1 };
	struct err err = { 0 };
	bool began = false;
	int rc = -1;

	(void)argc;
	if (check_backup(&r, &err) == 0 && open_place(&r, &err) == 0) {
		began = true;
		rc = copy_all(&r, &err) == -1 ? -1 : make_it_a_queue(&r, &err);
	}
	tree_show_end(&r.tree);
	if (rc == 0)
		say_done(&r);
	else
		(void)fprintf(stderr, "posthorn: nothing was restored: %s%s%s\n", err.text,
		    began ? "; before another try, empty " : "", began ? r.path : "");
	fd_close(&r.lock);
	fd_close(&r.dir);
	fd_close(&r.from);
	return rc == 0 ? EX_OK : began ? EX_IOERR : EX_DATAERR;
}
