#ifndef STORE_RECORD_H
#define STORE_RECORD_H
/*
 * record — one fact at rest: PUT, STATE or DONE of a message. docs/SPOOL.md has the bytes.
 *
 * The head has its own checksum, so that after damage the lengths of what is whole can be
 * trusted: nothing is ever searched for inside a record, because its content was written by
 * strangers and could look like records.
 */
#include <stdint.h>

#include "base/slice.h"

enum record_type { RECORD_NONE, RECORD_PUT, RECORD_STATE, RECORD_DONE, RECORD_MORE, RECORD_TYPE_COUNT };

#define RECORD_HEAD	32u
#define RECORD_PUT_HEAD	(RECORD_HEAD + 16u)	/* with the lengths of envelope and content */

struct record {
	enum record_type type;
	bool		large;		/* PUT: the content is a file of its own */
	uint64_t	id;
	uint32_t	version;
	struct slice	envelope;	/* PUT: the envelope; STATE: the delta */
	struct slice	content;	/* PUT, inline */
	uint64_t	content_size;	/* PUT, also of a large one */
	uint32_t	content_crc;
};

/* Fills the head (RECORD_PUT_HEAD bytes of room) for what follows it: envelope, then content.
 * Returns its length. */
size_t		record_head_put(unsigned char *, const struct record *);
/* How many bytes it takes, head included. */
size_t		record_size(const struct record *);

/* Takes one record off the front of `in`. 0: out is set, its slices point into `in`. -1: the
 * head is bad or does not fit; nothing behind it can be trusted. *whole says whether the
 * record's own checksums hold; asked only with check. */
int		record_take(struct slice *in, struct record *out, bool check, bool *whole);

#endif
