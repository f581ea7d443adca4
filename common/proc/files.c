/*
 * files — see files.h.
 */
#include "proc/files.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

#define BLOCK	4096

int
files_add(struct files *files, const struct control_file *file, int fd)
{
	if (files->count == FILES_MAX) {
		fd_close(&fd);
		return -1;
	}
	files->v[files->count].kind = file->kind;
	files->v[files->count].number = file->number;
	files->v[files->count++].fd = fd;
	return 0;
}

void
files_close(struct files *files)
{
	while (files->count > 0)
		fd_close(&files->v[--files->count].fd);
}

static int
read_whole(int fd, struct buf *out, struct err *err)
{
	off_t at = 0;

	for (;;) {
		char *room = buf_room(out, BLOCK);
		ssize_t n = room == NULL ? -1 : pread(fd, room, BLOCK, at);

		if (room == NULL || at > FILE_BYTES_MAX)
			return err_set(err, "larger than %d KiB", FILE_BYTES_MAX / 1024);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, "read");
		if (n == 0)
			return 0;
		buf_added(out, (size_t)n);
		at += n;
	}
}

int
files_read(const struct files *files, enum passed kind, uint32_t number, struct buf *out, struct err *err)
{
	for (uint32_t i = 0; i < files->count; i++)
		if (files->v[i].kind == kind && files->v[i].number == number)
			return read_whole(files->v[i].fd, out, err);
	return err_set(err, "posthornd did not pass it on");
}
