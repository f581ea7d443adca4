/*
 * fd — what is done with descriptors everywhere.
 */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
fd_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
fd_write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_pwrite_all(int fd, const void *p, size_t len, off_t offset)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		offset += n;
		len -= (size_t)n;
	}
	return 0;
}

/* From `offset` on, or with -1 from where the descriptor stands. */
static ssize_t
read_until_full(int fd, char *p, size_t len, off_t offset)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = offset == -1 ? read(fd, p + got, len - got) :
		    pread(fd, p + got, len - got, offset + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

ssize_t
fd_read_full(int fd, void *p, size_t len)
{
	return read_until_full(fd, p, len, -1);
}

ssize_t
fd_pread_full(int fd, void *p, size_t len, off_t offset)
{
	assert(offset >= 0);
	return read_until_full(fd, p, len, offset);
}

int
fd_sealed(const char *name, const void *p, size_t len, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return err_sys(err, "memfd_create");
	if (fd_pwrite_all(fd, p, len, 0) == -1) {
		(void)err_sys(err, "writing %zu bytes to a memfd", len);
		goto close_fd;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) {
		(void)err_sys(err, "sealing a memfd");
		goto close_fd;
	}
	return fd;

close_fd:
	fd_close(&fd);
	return -1;
}
