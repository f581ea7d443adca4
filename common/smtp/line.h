#ifndef SMTP_LINE_H
#define SMTP_LINE_H
/*
 * line — takes one command line off the front of what a client sent.
 *
 * CRLF ends a line and nothing else does: two servers that disagree about a bare LF disagree about where a message
 * ends (SMTP smuggling). Keeps no state: the caller's buffer is the state, so any split of the input gives the same lines.
 */
#include "base/slice.h"

#define AUTH_LINE_MAX		12290	/* of AUTH and what is said within it: RFC 4954 4, and CRLF */
#define COMMAND_LINE_MAX	2048	/* CRLF included; RFC 5321 4.5.3.1.4 asks for 512 and room for extensions */

enum line_result {
	LINE_NONE,
	LINE_READY,	/* *out is the line without its CRLF, borrowed from *in, which now begins behind it */
	LINE_MORE,	/* no end of line yet */
	LINE_TOO_LONG,	/* more than max bytes, CRLF included */
	LINE_BROKEN	/* a CR or LF that stands alone */
};

enum line_result	line_next(struct slice *in, size_t max, struct slice *out);

#endif
