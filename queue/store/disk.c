/*
 * disk — see disk.h. Messages name the operation; callers put the file's name in front.
 */
#include "queue/store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char zeros[64 * 1024];

/* A planned failure looks like the call's own. */
static bool
planned(const char *point)
{
	int e = fault_at(point);

	if (e != 0)
		errno = e;
	return e != 0;
}

int
disk_open(int dir, const char *name, int flags, struct err *err)
{
	int fd;

	if (planned("store-open"))
		return err_sys(err, "open %s", name);
	do
		fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd == -1 && errno == EINTR);
	if (fd == -1)
		return err_sys(err, "open %s", name);
	return fd;
}

int
disk_mkdir(int dir, const char *name, struct err *err)
{
	if (planned("store-mkdir") || (mkdirat(dir, name, 0700) == -1 && errno != EEXIST))
		return err_sys(err, "make directory %s", name);
	return 0;
}

int
disk_write(int fd, const void *p, size_t len, uint64_t at, struct err *err)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };

	return disk_writev(fd, &iov, 1, at, err);
}

/* Takes n written bytes off the front of a window of pieces. */
static void
pieces_drop(struct iovec *iov, size_t *first, size_t count, size_t n)
{
	while (*first < count && n >= iov[*first].iov_len) {
		n -= iov[*first].iov_len;
		(*first)++;
	}
	if (*first < count && n > 0) {
		iov[*first].iov_base = (char *)iov[*first].iov_base + n;
		iov[*first].iov_len -= n;
	}
}

static int
write_window(int fd, struct iovec *iov, size_t count, uint64_t *at, struct err *err)
{
	size_t first = 0;
	ssize_t n;

	pieces_drop(iov, &first, count, 0);	/* nothing to write is no failure */
	while (first < count) {
		if (planned("store-write"))
			return err_sys(err, "write");
		n = pwritev(fd, iov + first, (int)(count - first), (off_t)*at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return err_sys(err, "write");
		}
		*at += (uint64_t)n;
		pieces_drop(iov, &first, count, (size_t)n);
	}
	return 0;
}

int
disk_writev(int fd, const struct iovec *iov, size_t n, uint64_t at, struct err *err)
{
	struct iovec window[IOV_MAX];
	size_t count;

	while (n > 0) {
		count = n < IOV_MAX ? n : IOV_MAX;
		memcpy(window, iov, count * sizeof(*iov));
		if (write_window(fd, window, count, &at, err) == -1)
			return -1;
		iov += count;
		n -= count;
	}
	return 0;
}

int
disk_read(int fd, void *p, size_t len, uint64_t at, struct err *err)
{
	char *to = p;
	ssize_t n;

	while (len > 0) {
		n = planned("store-read") ? -1 : pread(fd, to, len, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, "read");
		if (n == 0)
			return err_set(err, "read: the file is too short");
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
disk_zero(int fd, uint64_t from, uint64_t to, struct err *err)
{
	size_t n;

	for (; from < to; from += n) {
		n = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		if (disk_write(fd, zeros, n, from, err) == -1)
			return -1;
	}
	return 0;
}

int
disk_sync_data(int fd, struct err *err)
{
	int plan = fault_at("store-sync");

	/* Not even after EINTR a second time: what the first call saw is not seen again. */
	if (plan > 0 || (plan != FAULT_SKIP && fdatasync(fd) == -1))
		return err_sys(err, "fdatasync");
	return 0;
}

int
disk_sync(int fd, struct err *err)
{
	int plan = fault_at("store-sync");

	if (plan > 0 || (plan != FAULT_SKIP && fsync(fd) == -1))
		return err_sys(err, "fsync");
	return 0;
}

int
disk_sync_system(int fd, struct err *err)
{
	if (planned("store-sync") || syncfs(fd) == -1)
		return err_sys(err, "syncfs");
	return 0;
}

void
disk_start_writing(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int
disk_rename(int dir, const char *from, const char *to, struct err *err)
{
	if (planned("store-rename") || renameat(dir, from, dir, to) == -1)
		return err_sys(err, "rename %s to %s", from, to);
	return 0;
}

int
disk_unlink(int dir, const char *name, struct err *err)
{
	if (planned("store-unlink") || unlinkat(dir, name, 0) == -1)
		return err_sys(err, "unlink %s", name);
	return 0;
}

int
disk_link(int from_dir, const char *from, int dir, const char *name, struct err *err)
{
	if (planned("store-link") || linkat(from_dir, from, dir, name, 0) == -1)
		return err_sys(err, "link %s as %s", from, name);
	return 0;
}
