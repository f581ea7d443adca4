/* content — pieces of it, in order. */
#include "mail/content.h"

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"

static enum content_result
damaged(struct err *err, const char *what)
{
	(void)err_set(err, "the message's file %s", what);
	return CONTENT_DAMAGED;
}

static enum content_result
read_piece(const struct content *content, struct content_reader *reader, char *room, size_t len, struct err *err)
{
	ssize_t got = fault_at("content-read") != 0 ? -1 : fd_pread_full(content->fd, room, len, reader->at);

	if (got == -1) {
		(void)err_sys(err, "reading the message");
		return CONTENT_UNREADABLE;
	}
	if ((size_t)got != len)
		return damaged(err, "is shorter than it should be");
	reader->crc = crc32c(reader->crc, room, len);
	if (reader->at + len == content->size && reader->crc != content->crc)
		return damaged(err, "fails its checksum");
	return CONTENT_GOOD;
}

enum content_result
content_next(const struct content *content, struct content_reader *reader, size_t most, char *room, struct slice *out,
    struct err *err)
{
	size_t len = content->size - reader->at;
	enum content_result result = CONTENT_GOOD;

	if (len > most)
		len = most;
	if (content->bytes != NULL)
		*out = slice_of(content->bytes + reader->at, len);
	else if ((result = read_piece(content, reader, room, len, err)) == CONTENT_GOOD)
		*out = slice_of(room, len);
	if (result == CONTENT_GOOD)
		reader->at += (uint32_t)len;
	return result;
}

enum content_result
content_rest(const struct content *content, struct content_reader *reader, size_t most, char *room, struct err *err)
{
	enum content_result result = CONTENT_GOOD;
	struct slice piece;

	while (result == CONTENT_GOOD && content->bytes == NULL && reader->at < content->size)
		result = content_next(content, reader, most, room, &piece, err);
	return result;
}
