/* content — pieces of it. */
#include "mda/content.h"

#include "base/fault.h"
#include "base/fd.h"

int
content_piece(const struct content *content, uint32_t offset, size_t most, char *room, struct slice *out, struct err *err)
{
	size_t left = content->size - offset;
	ssize_t got;

	if (left > most)
		left = most;
	if (content->bytes != NULL) {
		*out = slice_of(content->bytes + offset, left);
		return 0;
	}
	got = fault_at("mda-read") != 0 ? -1 : fd_pread_full(content->fd, room, left, offset);
	if (got == -1)
		return err_sys(err, "reading the message");
	if ((size_t)got != left)
		return err_set(err, "the message's file is shorter than it should be");
	*out = slice_of(room, left);
	return 0;
}
