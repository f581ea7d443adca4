/* rundir — folders and the lock. */
#include "control/supervisor/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "proc/privdrop.h"

#define TRY_AGAIN_MS	50

static int
make_folder(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return chmod(path, mode) == 0 ? 0 : err_sys(err, "%s", path);	/* whatever the umask is */
	if (errno != EEXIST)
		return err_sys(err, "cannot make the folder %s", path);
	if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		return err_set(err, "%s is in the way and no folder", path);
	return 0;
}

/* Folders above it are made, too: /run/posthorn's are there, but a private posthorn may live anywhere. */
static int
make_path(const char *path, mode_t mode, struct err *err)
{
	char part[4096];

	if (strlcpy(part, path, sizeof(part)) >= sizeof(part))
		return err_set(err, "a path of %zu bytes", strlen(path));
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) == -1 && errno != EEXIST)
			return err_sys(err, "cannot make the folder %s", part);
		*slash = '/';
	}
	return make_folder(part, mode, err);
}

/* What root opens and removes in a folder, others must not be able to replace: neither in it, nor the way to it. */
static int
check_roots_own(const char *path, struct err *err)
{
	char part[4096];
	struct stat st;
	size_t len = strlcpy(part, path, sizeof(part));

	if (len >= sizeof(part))
		return err_set(err, "a path of %zu bytes", len);
	for (bool whole = true; part[0] != '\0'; whole = false) {
		if (stat(part, &st) == -1)
			return err_sys(err, "%s", part);
		if (st.st_uid != 0 || ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (whole || (st.st_mode & S_ISVTX) == 0)))
			return err_set(err, "%s: %s must be root's, and nobody else may write to it", path, part);
		*strrchr(part, '/') = '\0';
	}
	return 0;
}

static bool
is_empty_folder(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own == -1 ? NULL : fdopendir(own);
	unsigned entries = 0;

	if (dir == NULL) {
		fd_close(&own);
		return false;
	}
	while (entries < 3 && readdir(dir) != NULL)
		entries++;
	(void)closedir(dir);
	return entries == 2;		/* . and .. */
}

/* Only an empty folder of root's changes hands: one with something in it was somebody's. */
static int
give_queue(const char *path, int fd, const struct account *queue, struct err *err)
{
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_sys(err, "%s", path);
	if (st.st_uid == queue->uid)
		return 0;
	if (st.st_uid != 0 || !is_empty_folder(fd))
		return err_set(err, "%s belongs to uid %u; if it is posthorn's, say: chown -R posthorn-queue: %s", path,
		    (unsigned)st.st_uid, path);
	return fchown(fd, queue->uid, queue->gid) == 0 ? 0 : err_sys(err, "cannot give %s to posthorn-queue", path);
}

static int
prepare_queue(const char *path, struct err *err)
{
	struct account queue;
	int fd, result;

	if (make_path(path, 0700, err) == -1)
		return -1;
	if (geteuid() != 0)
		return 0;
	if (account_find("posthorn-queue", &queue, err) == -1)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	result = give_queue(path, fd, &queue, err);
	fd_close(&fd);
	return result;
}

int
rundir_prepare(const struct conf *conf, struct err *err)
{
	char empty[4096];

	(void)snprintf(empty, sizeof(empty), "%s/empty", conf->run_directory);
	if (make_path(conf->run_directory, 0755, err) == -1 ||
	    (geteuid() == 0 && check_roots_own(conf->run_directory, err) == -1) || make_folder(empty, 0555, err) == -1)
		return -1;
	return prepare_queue(conf->queue.directory, err);
}

static int
take(int fd, int64_t until)
{
	const struct timespec pause = { 0, TRY_AGAIN_MS * 1000000L };

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_mono_ms() >= until)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/* For people: nobody trusts the number. */
static int
write_pid(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), result;
	char pid[32];

	if (fd == -1)
		return -1;
	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	result = ftruncate(fd, 0) == -1 || fd_pwrite_all(fd, pid, strlen(pid), 0) == -1 ? -1 : 0;
	fd_close(&fd);
	return result;
}

/* Opened for reading only, because every child inherits it: to lock does not need more. */
int
rundir_lock(const char *directory, int64_t wait_ms, struct err *err)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return err_sys(err, "cannot open %s", path);
	if (take(fd, clock_mono_ms() + wait_ms) == -1) {
		fd_close(&fd);
		return err_set(err, "another posthorn, or what is left of one, holds %s", path);
	}
	if (write_pid(path) == -1) {
		(void)err_sys(err, "cannot write %s", path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}
