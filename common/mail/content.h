#ifndef MAIL_CONTENT_H
#define MAIL_CONTENT_H
/*
 * content — a message's content as a job brought it: bytes in memory, or a file that is read piece by piece.
 *
 * A file may have slept on a disk for days. Its checksum is compared while it is read, and its last piece is given out only when
 * the whole is right: whoever passes the pieces on never completes a damaged message.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct content {
	const char	*bytes;		/* NULL: in the file */
	int		 fd;		/* -1: in memory; borrowed from the job */
	uint32_t	 size;
	uint32_t	 crc;		/* crc32c of a file; nobody looks at it for bytes in memory */
};

struct content_reader {			/* one way through the content; all zero: at its beginning */
	uint32_t	at;		/* bytes read */
	uint32_t	crc;		/* of them */
};

enum content_result {
	CONTENT_NONE,
	CONTENT_GOOD,
	CONTENT_UNREADABLE,		/* our trouble, or the disk's: another try may succeed */
	CONTENT_DAMAGED			/* shorter than it was, or not what it was */
};

/* The next piece, at most `most` bytes; from a file they are read into `room`, which holds that many. What is not good comes with
 * err, and instead of a piece. */
enum content_result	content_next(const struct content *, struct content_reader *, size_t most, char *room, struct slice *out,
			    struct err *);
/* Reads what is left, of which only the checksum is wanted. */
enum content_result	content_rest(const struct content *, struct content_reader *, size_t most, char *room, struct err *);

#endif
