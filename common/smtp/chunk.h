#ifndef SMTP_CHUNK_H
#define SMTP_CHUNK_H
/*
 * chunk — what stands behind BDAT (RFC 3030 2): chunk-size [SP "LAST"].
 *
 * The bytes behind the command line are counted by it, so a size that cannot be relied on is another thing than a bad marker behind a
 * good one: after the former nobody knows where the next command begins.
 */
#include <stdint.h>

#include "base/slice.h"

enum chunk_result {
	CHUNK_NONE,
	CHUNK_GOOD,
	CHUNK_ODD,	/* the size is good and *out is filled in, what follows it is not LAST */
	CHUNK_LOST	/* no size, or one beyond CHUNK_SIZE_MAX */
};

#define CHUNK_SIZE_MAX	INT64_MAX	/* sums of two cannot wrap */

struct chunk {
	uint64_t	size;
	bool		last;
};

enum chunk_result	chunk_parse(struct slice argument, struct chunk *out);

#endif
