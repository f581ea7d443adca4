/*
 * files — see files.h.
 */
#include "proc/files.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

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
		char *room = buf_room(out, FILE_BLOCK);
		ssize_t n = room == NULL ? -1 : pread(fd, room, FILE_BLOCK, at);

		if (room == NULL)
			return err_set(err, "larger than %zu KiB", (out->max - FILE_BLOCK) / 1024);
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

static int
find(const struct files *files, enum passed kind, uint32_t number)
{
	for (uint32_t i = 0; i < files->count; i++)
		if (files->v[i].kind == kind && files->v[i].number == number)
			return files->v[i].fd;
	return -1;
}

bool
files_have(const struct files *files, enum passed kind, uint32_t number)
{
	return find(files, kind, number) != -1;
}

int
files_read(const struct files *files, enum passed kind, uint32_t number, struct buf *out, struct err *err)
{
	int fd = find(files, kind, number);

	return fd == -1 ? err_set(err, "posthornd did not pass it on") : read_whole(fd, out, err);
}
