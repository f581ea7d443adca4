#ifndef STORE_CORRUPT_H
#define STORE_CORRUPT_H
/* corrupt — what failed a checksum is kept, whole, with its reason; nothing is ever deleted
 * there. */
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* Makes corrupt/NAME and corrupt/NAME.reason durable. 0 also when they are there already. */
int	corrupt_set_aside(int queue_dir, const char *name, struct slice bytes, const char *reason, struct err *);
/* The same for a file, whatever its size: `file` in `from_dir` gets a second name there, and keeps its first. What changes in one
 * changes in the other. */
int	corrupt_link(int queue_dir, const char *name, int from_dir, const char *file, uint64_t size, const char *reason,
	    struct err *);

#endif
