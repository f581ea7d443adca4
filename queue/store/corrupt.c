/*
 * corrupt — see corrupt.h. The name says where the bytes came from, so a second start over the
 * same damage changes nothing.
 */
#include "queue/store/corrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* docs/SPOOL.md, corrupt: 2 the reason, synced; 3 the directory. */
static int
explain(int dir, const char *name, uint64_t size, const char *reason, struct err *err)
{
	char file[96], text[512];
	int n;

	n = snprintf(text, sizeof(text), "%s\n%" PRIu64 " bytes, set aside at %lld (seconds since 1970)\n", reason, size,
	    (long long)clock_wall());
	snprintf(file, sizeof(file), "%s.reason", name);
	STEP("corrupt-2");
	if (write_file(dir, file, slice_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1), err) == -1)
		return -1;
	STEP("corrupt-3");
	return disk_sync(dir, err);
}

/* docs/SPOOL.md, corrupt: 1 the bytes, synced. */
int
corrupt_set_aside(int queue_dir, const char *name, struct slice bytes, const char *reason, struct err *err)
{
	int dir = disk_open(queue_dir, "corrupt", O_RDONLY | O_DIRECTORY, err), rc = -1;

	if (dir == -1)
		return -1;
	STEP("corrupt-1");
	if (write_file(dir, name, bytes, err) == 0)
		rc = explain(dir, name, bytes.len, reason, err);
	fd_close(&dir);
	return rc == 0 ? 0 : err_wrap(err, "corrupt/%s", name);
}

/* docs/SPOOL.md, corrupt: 1 the bytes, which were synced when the file was accepted. */
int
corrupt_link(int queue_dir, const char *name, int from_dir, const char *file, uint64_t size, const char *reason, struct err *err)
{
	int dir = disk_open(queue_dir, "corrupt", O_RDONLY | O_DIRECTORY, err), rc = -1;
	struct err why = { 0 };

	if (dir == -1)
		return -1;
	STEP("corrupt-1");
	if (disk_link(from_dir, file, dir, name, &why) == 0 || why.code == EEXIST)
		rc = explain(dir, name, size, reason, &why);
	fd_close(&dir);
	return rc == 0 ? 0 : err_set(err, "corrupt/%s: %s", name, why.text);
}
