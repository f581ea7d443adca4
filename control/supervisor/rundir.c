/* rundir — folders and the lock. */
#include "control/supervisor/rundir.h"

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

static int
prepare_queue(const char *path, struct err *err)
{
	struct account queue;
	struct stat st;

	if (make_path(path, 0700, err) == -1)
		return -1;
	if (geteuid() != 0)
		return 0;
	if (account_find("posthorn-queue", &queue, err) == -1)
		return -1;
	if (lstat(path, &st) == -1)
		return err_sys(err, "%s", path);
	if (st.st_uid == queue.uid)
		return 0;
	/* Only an empty folder changes hands: one with mail in it was somebody's. */
	if (st.st_uid != 0 || st.st_nlink > 2)
		return err_set(err, "%s belongs to uid %u; if it is posthorn's, say: chown -R posthorn-queue: %s", path,
		    (unsigned)st.st_uid, path);
	if (lchown(path, queue.uid, queue.gid) == -1)
		return err_sys(err, "cannot give %s to posthorn-queue", path);
	return 0;
}

int
rundir_prepare(const struct conf *conf, struct err *err)
{
	char empty[4096];

	(void)snprintf(empty, sizeof(empty), "%s/empty", conf->run_directory);
	if (make_path(conf->run_directory, 0755, err) == -1 || make_folder(empty, 0555, err) == -1)
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

int
rundir_lock(const char *directory, int64_t wait_ms, struct err *err)
{
	char path[4096], pid[32];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return err_sys(err, "cannot open %s", path);
	if (take(fd, clock_mono_ms() + wait_ms) == -1) {
		fd_close(&fd);
		return err_set(err, "another posthorn, or what is left of one, holds %s", path);
	}
	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == -1 || fd_pwrite_all(fd, pid, strlen(pid), 0) == -1) {
		(void)err_sys(err, "cannot write %s", path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}
