#ifndef MDA_CONTENT_H
#define MDA_CONTENT_H
/* content — a message's content as a job brought it:
 * bytes in memory, or a file that is read piece by piece. */
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct content {
	const char	*bytes;		/* NULL: in the file */
	int		 fd;		/* -1: in memory; borrowed from the job */
	uint32_t	 size;
};

/* At most `most` bytes from `offset` on; from a file they are read into
 * `room`, which holds that many. -1: err. An empty piece before the end
 * of `size` is an error: the file is shorter than was promised. */
int	content_piece(const struct content *, uint32_t offset, size_t most, char *room, struct slice *out, struct err *);

#endif
