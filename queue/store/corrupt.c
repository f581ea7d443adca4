/*
 * corrupt — see corrupt.h. The name says where the bytes came from, so a second start over the
 * same damage changes nothing.
 */
#include "queue/store/corrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "queue/store/disk.h"

/* Written anew even if it is there: an earlier try may have died half way. */
static int
write_file(int dir, const char *name, struct slice bytes, struct err *err)
{
	int fd = disk_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC, err), rc = -1;

	if (fd == -1)
		return -1;
	if (disk_write(fd, bytes.p, bytes.len, 0, err) == 0 && disk_sync(fd, err) == 0)
		rc = 0;
	fd_close(&fd);
	return rc;
}

/* docs/SPOOL.md, corrupt: 1 the bytes, synced; 2 the reason, synced; 3 the directory. */
int
corrupt_set_aside(int queue_dir, const char *name, struct slice bytes, const char *reason, struct err *err)
{
	char file[96], text[512];
	int dir = disk_open(queue_dir, "corrupt", O_RDONLY | O_DIRECTORY, err), rc = -1, n;

	if (dir == -1)
		return -1;
	n = snprintf(text, sizeof(text), "%s\n%zu bytes, set aside at %lld (seconds since 1970)\n", reason, bytes.len,
	    (long long)clock_wall());
	snprintf(file, sizeof(file), "%s.reason", name);
	STEP("corrupt-1");
	if (write_file(dir, name, bytes, err) == -1)
		goto out;
	STEP("corrupt-2");
	if (write_file(dir, file, slice_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1), err) == -1)
		goto out;
	STEP("corrupt-3");
	rc = disk_sync(dir, err);
out:
	fd_close(&dir);
	return rc == 0 ? 0 : err_wrap(err, "corrupt/%s", name);
}
