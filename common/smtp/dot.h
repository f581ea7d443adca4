#ifndef SMTP_DOT_H
#define SMTP_DOT_H
/*
 * dot — the transparency of DATA, both ways (RFC 5321 4.5.2), without copying; and what BDAT shares of it.
 *
 * Both directions take input in pieces of any size and hand out *runs*: bytes that pass as they are, borrowed from the
 * input (or static), in order. A CR or LF that stands alone is refused in both directions, so neither we nor the next hop
 * can see an end of data that the other does not (CVE-2023-51764 and its family).
 */
#include "base/slice.h"

enum dot_result {
	DOT_NONE,
	DOT_RUN,	/* *run holds bytes; ask again */
	DOT_MORE,	/* all of *in is used; *run is empty */
	DOT_END,	/* reader: CRLF.CRLF seen; *in begins behind it */
	DOT_BARE	/* a CR or LF that stands alone; the stream is of no use any more */
};

struct dot_reader {
	int	state;		/* zero: at the beginning of the data */
};

/* Server side: from the wire to content. The content ends with CRLF or is empty. */
enum dot_result	dot_read(struct dot_reader *, struct slice *in, struct slice *run);

/*
 * Both sides of BDAT (RFC 3030), whose bytes are counted: a dot means nothing, and line ends are held to the same rule, so that no
 * content can be taken in here that DATA could not carry on. DOT_MORE: all of `in` is fine so far; DOT_BARE.
 */
enum dot_result	dot_pass(struct dot_reader *, struct slice in);
/* Behind the last byte. DOT_END: it ends with CRLF or is empty; DOT_MORE: its last line has no CRLF; DOT_BARE. */
enum dot_result	dot_pass_end(const struct dot_reader *);

struct dot_writer {
	int	state;		/* zero: at the beginning of the content */
};

/* Client side: from content to the wire. Gives DOT_RUN, DOT_MORE or DOT_BARE. */
enum dot_result	dot_write(struct dot_writer *, struct slice *in, struct slice *run);
/* What ends the data: ".CRLF", with a CRLF in front when the content's last line had none; p is NULL when the content
 * ended with a bare CR. Static text. */
struct slice	dot_write_end(const struct dot_writer *);

#endif
