/*
 * files — names: opened, looked at, made, moved, and ways around them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/evil/attacks.h"

#define PATH_SIZE	4096

static int
do_read(const char *path)
{
	return opened(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

static int
do_write(const char *path)
{
	return opened(open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK));
}

static int
do_create(const char *path)
{
	return opened(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int
do_tmpfile(const char *path)
{
	return opened(open(path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
}

static int
do_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int
do_statx(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &st);
}

static int
do_list(const char *path)
{
	char entries[PATH_SIZE];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n = fd == -1 ? -1 : syscall(SYS_getdents64, fd, entries, sizeof(entries));

	fd_close(&fd);
	return n == -1 ? -1 : 0;
}

/* The file it makes bad use of is put back, so that the next process finds it. */
static int
do_rename(const char *path)
{
	char other[PATH_SIZE];

	(void)snprintf(other, sizeof(other), "%s.evil", path);
	return rename(path, other) == -1 ? -1 : rename(other, path);
}

static int
do_link(const char *path)
{
	char other[PATH_SIZE];

	(void)snprintf(other, sizeof(other), "%s.evil", path);
	return link(path, other) == -1 ? -1 : unlink(other);
}

static int
do_symlink(const char *path)
{
	return symlink("/etc/passwd", path) == -1 ? -1 : unlink(path);
}

static int
do_unlink(const char *path)
{
	return unlink(path);
}

static int
do_mkdir(const char *path)
{
	return mkdir(path, 0700) == -1 ? -1 : rmdir(path);
}

static int
do_fifo(const char *path)
{
	return mkfifo(path, 0600) == -1 ? -1 : unlink(path);
}

static int
do_chmod(const char *path)
{
	return chmod(path, 0644);
}

static int
do_setuid_bit(const char *path)
{
	return chmod(path, 04755) == -1 ? -1 : chmod(path, 0644);
}

static int
do_chown(const char *path)
{
	return chown(path, getuid(), getgid());
}

static int
do_truncate(const char *path)
{
	return truncate(path, 0);
}

static int
do_watch(const char *path)
{
	int fd = inotify_init1(IN_CLOEXEC), result = fd == -1 ? -1 : inotify_add_watch(fd, path, IN_ALL_EVENTS);

	fd_close(&fd);
	return result == -1 ? -1 : 0;
}

/* From every folder that this process has open, and from where it stands, upwards. */
static int
do_climb(const char *path)
{
	char way[PATH_SIZE];
	int fd = -1;

	(void)snprintf(way, sizeof(way), "../../../../../../../../../..%s", path);
	for (int dir = 3; dir < 256 && fd == -1; dir++)
		fd = openat(dir, way, O_RDONLY | O_CLOEXEC);
	return opened(fd == -1 ? openat(AT_FDCWD, way, O_RDONLY | O_CLOEXEC) : fd);
}

static int
do_handle(const char *path)
{
	struct {
		struct file_handle	head;
		unsigned char		bytes[128];
	} handle = { .head = { .handle_bytes = 128 } };
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) == -1)
		return -1;
	return opened(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY | O_CLOEXEC));
}

static int
just_chroot(const char *path)
{
	return chroot(path);
}

static int
do_chroot(const char *path)
{
	return in_child(just_chroot, path);
}

/* A private space of mounts first, so that nothing of the machine changes where this works. */
static int
just_mount(const char *path)
{
	if (unshare(CLONE_NEWNS) == -1 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return -1;
	return mount("none", path, "tmpfs", 0, NULL);
}

static int
do_mount(const char *path)
{
	return in_child(just_mount, path);
}

const struct attack file_attacks[] = {
	{ "read", do_read }, { "write", do_write }, { "create", do_create }, { "tmpfile", do_tmpfile }, { "stat", do_stat },
	{ "statx", do_statx }, { "list", do_list }, { "rename", do_rename }, { "link", do_link }, { "symlink", do_symlink },
	{ "unlink", do_unlink }, { "mkdir", do_mkdir }, { "fifo", do_fifo }, { "chmod", do_chmod }, { "setuid-bit", do_setuid_bit },
	{ "chown", do_chown }, { "truncate", do_truncate }, { "watch", do_watch }, { "climb", do_climb }, { "handle", do_handle },
	{ "chroot", do_chroot }, { "mount", do_mount },
	{ NULL, NULL },
};
