#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H
/*
 * header — one pass over a message's header, in pieces of any size (RFC 5322 2.2).
 *
 * Tells the fields that the house cares about, each once it is complete, unfolded and trimmed; counts Received; knows
 * where the header ends: behind its empty line, or in front of the first line that is no field. Changes nothing, allocates nothing.
 */
#include <stdint.h>

#include "base/slice.h"

#define HEADER_VALUE_MAX	998	/* a longer value is cut (scan->cut); a well-made one of ours is never that long */

enum header_field {
	HEADER_OTHER,			/* not told */
	HEADER_RECEIVED, HEADER_MESSAGE_ID, HEADER_RESENT_MESSAGE_ID, HEADER_DELIVERED_TO, HEADER_RETURN_PATH, HEADER_DATE, HEADER_FROM,
	HEADER_SUBJECT, HEADER_AUTO_SUBMITTED, HEADER_TLS_REQUIRED,
	HEADER_FIELD_COUNT
};

enum header_result { HEADER_NONE, HEADER_MORE, HEADER_DONE, HEADER_TOO_LONG };

/* The value lives until the function returns. */
typedef void header_field_fn(void *arg, enum header_field, struct slice value);

struct header_scan {
	size_t		 max;			/* most bytes of header */
	header_field_fn	*fn;			/* may be NULL */
	void		*arg;
	size_t		 size;			/* bytes of header so far; final once done: body begins there */
	uint32_t	 counts[HEADER_FIELD_COUNT];	/* counts[HEADER_RECEIVED] is the number of hops */
	enum header_result result;
	bool		 begun;			/* a first field has been seen */
	bool		 closed;		/* it ended with its empty line */
	bool		 cut;			/* the field being gathered or told is longer than what is kept of it */
	enum header_field field;		/* the one being gathered */
	size_t		 line_size;		/* bytes of the line that is not complete yet; may be more than `len` holds */
	size_t		 len, value_len;
	char		 line[HEADER_VALUE_MAX + 2];
	char		 value[HEADER_VALUE_MAX];
};

void			header_scan_init(struct header_scan *, size_t max, header_field_fn *, void *arg);
/* After DONE or TOO_LONG further pieces are ignored and the answer stays. */
enum header_result	header_scan_feed(struct header_scan *, struct slice piece);
/* There is no more content: a header without body ends here. */
enum header_result	header_scan_end(struct header_scan *);

#endif
