/*
 * marker — see marker.h. BACKUP is text, so that a person can read it:
 *
 *	posthorn-backup 1
 *	store 00112233445566778899aabbccddeeff
 *	epoch 42
 *	time 1764000000
 *	messages 12
 *	files 31
 *	bytes 5623412
 *	check 1a2b3c4d		(crc32c of the lines above)
 */
#include "queue/archive/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "queue/store/disk.h"

#define MARKER_VERSION	1u
#define TEXT_MAX	512u

static size_t
format(const struct marker *m, char out[TEXT_MAX])
{
	int n = snprintf(out, TEXT_MAX, "posthorn-backup %u\nstore %s\nepoch %" PRIu32 "\ntime %" PRIu64 "\nmessages %" PRIu64
	    "\nfiles %" PRIu64 "\nbytes %" PRIu64 "\n", MARKER_VERSION, m->store, m->epoch, m->time, m->messages, m->files, m->bytes);

	return (size_t)(n + snprintf(out + n, TEXT_MAX - (size_t)n, "check %08x\n", crc32c(0, out, (size_t)n)));
}

int
marker_write(int dir, const struct marker *m, struct err *err)
{
	char text[TEXT_MAX];
	size_t len = format(m, text);
	int fd = disk_open(dir, "BACKUP.new", O_WRONLY | O_CREAT | O_TRUNC, err), rc;

	if (fd == -1)
		return -1;
	rc = disk_write(fd, text, len, 0, err) == -1 || disk_sync(fd, err) == -1 ? -1 : 0;
	fd_close(&fd);
	if (rc == -1 || disk_rename(dir, "BACKUP.new", "BACKUP", err) == -1)
		return -1;
	return disk_sync(dir, err);
}

/* Strict: what does not print back as it was read is damaged. */
static int
parse(struct marker *m, const char *text, struct err *err)
{
	char again[TEXT_MAX];
	unsigned version;

	if (sscanf(text, "posthorn-backup %u\n", &version) == 1 && version > MARKER_VERSION)
		return err_set(err, "the backup has format %u, this posthorn knows %u: use the newer one", version, MARKER_VERSION);
	if (sscanf(text, "posthorn-backup %u\nstore %32s\nepoch %" SCNu32 "\ntime %" SCNu64 "\nmessages %" SCNu64 "\nfiles %" SCNu64
	    "\nbytes %" SCNu64, &version, m->store, &m->epoch, &m->time, &m->messages, &m->files, &m->bytes) != 7)
		return err_set(err, "its file BACKUP is damaged");
	format(m, again);
	return strcmp(again, text) == 0 ? 0 : err_set(err, "its file BACKUP is damaged");
}

int
marker_read(int dir, struct marker *m, struct err *err)
{
	char text[TEXT_MAX];
	int fd = disk_open(dir, "BACKUP", O_RDONLY, err);
	ssize_t n;

	*m = (struct marker){ 0 };
	if (fd == -1 && err->code == ENOENT)
		return err_set(err, "no backup, or one that was not finished: it has no file BACKUP");
	if (fd == -1)
		return -1;
	n = fd_pread_full(fd, text, sizeof(text) - 1, 0);
	if (n == -1)
		err_sys(err, "read BACKUP");
	fd_close(&fd);
	if (n == -1)
		return -1;
	text[n] = '\0';
	return parse(m, text, err);
}
