/*
 * layout — see layout.h.
 */
#include "queue/store/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "queue/store/disk.h"
#include "queue/store/segment.h"

static int
check_directory(int dir, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return err_sys(err, "%s", path);
	if (st.st_uid != geteuid())
		return err_set(err, "%s belongs to user %u, posthorn's queue runs as user %u: chown it", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 022) != 0)
		return err_set(err, "%s can be written by others: chmod 700 %s", path, path);
	return 0;
}

int
layout_lock(int dir, const char *path, bool create, struct err *err)
{
	int lock = disk_open(dir, "lock", create ? O_RDWR | O_CREAT : O_RDONLY, err);

	if (lock == -1 || flock(lock, LOCK_EX | LOCK_NB) == 0)
		return lock;
	if (errno == EWOULDBLOCK)
		err_set(err, "%s is in use by another posthorn or one of its tools", path);
	else
		err_sys(err, "%s/lock", path);
	fd_close(&lock);
	return -1;
}

int
layout_open(const char *path, int *dir, int *lock, struct err *err)
{
	*lock = -1;
	if ((*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_sys(err, "queue directory %s", path);
	if (check_directory(*dir, path, err) == -1)
		goto fail;
	if ((*lock = layout_lock(*dir, path, true, err)) != -1)
		return 0;
fail:
	fd_close(dir);
	return -1;
}

static bool
is_known(const char *name)
{
	static const char *const known[] = { ".", "..", "lock", "STORE.new", "journal", "spool", "db", "ballast",
	    "holds", "corrupt", "logins", "logins.new", "lost+found" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

/* STORE is written last when a store is made; a segment with mail and no STORE means that STORE
 * was lost. */
static int
segment_is_new(int journal, const char *name, struct err *err)
{
	char block[SEGMENT_HEAD], shown[80];
	struct segment_head head;
	ssize_t n;
	int fd;

	if (name[0] == '.')
		return 0;
	if ((fd = disk_open(journal, name, O_RDONLY, err)) == -1)
		return -1;
	n = fd_pread_full(fd, block, sizeof(block), 0);
	fd_close(&fd);
	if (n == -1)
		return err_sys(err, "journal");
	if (segment_head_get(slice_of(block, (size_t)n), &head) == SEGMENT_HEAD_BLANK)
		return 0;
	return err_set(err, "journal/%s holds mail, but STORE is missing: bring STORE back from a backup, or move journal away",
	    fmt_escaped(shown, sizeof(shown), slice_str(name)));
}

static int
known_name(int dir, const char *name, struct err *err)
{
	char shown[80];

	(void)dir;
	if (is_known(name))
		return 0;
	if (strcmp(name, "RESTORING") == 0)
		return err_set(err, "a restore of the queue directory was not finished: empty it, and say posthorn queue restore again");
	return err_set(err, "the queue directory has no STORE but holds \"%s\": give posthorn an empty directory of its own",
	    fmt_escaped(shown, sizeof(shown), slice_str(name)));
}

static int
each_name(int dir, int (*look)(int, const char *, struct err *), struct err *err)
{
	int fd = disk_open(dir, ".", O_RDONLY | O_DIRECTORY, err), rc = 0;
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (d == NULL) {
		fd_close(&fd);
		return -1;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		rc = look(dir, entry->d_name, err);
	closedir(d);
	return rc;
}

int
layout_check_new(int dir, struct err *err)
{
	int journal, rc;

	if (each_name(dir, known_name, err) == -1)
		return -1;
	if ((journal = openat(dir, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return errno == ENOENT ? 0 : err_sys(err, "journal");
	rc = each_name(journal, segment_is_new, err);
	fd_close(&journal);
	return rc;
}

/* docs/SPOOL.md, making a store: 1 the directories, 2 spool's entry synced, 3 the queue
 * directory synced. */
int
layout_make(int dir, struct err *err)
{
	int spool;

	STEP("make-1");
	if (disk_mkdir(dir, "journal", err) == -1 || disk_mkdir(dir, "spool", err) == -1 ||
	    disk_mkdir(dir, "db", err) == -1 || disk_mkdir(dir, "holds", err) == -1 || disk_mkdir(dir, "corrupt", err) == -1)
		return -1;
	if ((spool = disk_open(dir, "spool", O_RDONLY | O_DIRECTORY, err)) == -1)
		return -1;
	if (disk_mkdir(spool, "large", err) == -1)
		goto fail;
	STEP("make-2");
	if (disk_sync(spool, err) == -1)
		goto fail;
	fd_close(&spool);
	STEP("make-3");
	return disk_sync(dir, err);
fail:
	fd_close(&spool);
	return -1;
}
