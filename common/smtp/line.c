/*
 * line — see line.h: CRLF or nothing.
 */
#include "smtp/line.h"

enum line_result
line_next(struct slice *in, size_t max, struct slice *out)
{
	const char *lf = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;
	size_t len = lf != NULL ? (size_t)(lf - in->p) + 1 : in->len;

	if (len > max)
		return LINE_TOO_LONG;
	if (lf == NULL)
		return LINE_MORE;
	if (len < 2 || memchr(in->p, '\r', len) != lf - 1)
		return LINE_BROKEN;
	*out = slice_of(in->p, len - 2);
	slice_drop(in, len);
	return LINE_READY;
}
