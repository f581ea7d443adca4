#ifndef SMTP_BASE64_H
#define SMTP_BASE64_H
/*
 * base64 — RFC 4648 4, as AUTH uses it: one encoding for each value, and no other is taken.
 *
 * No line breaks, no spaces, padding only where it belongs, unused bits zero: two programs that read the same text differently
 * could disagree about who logs in.
 */
#include "base/slice.h"

#define BASE64_ENCODED(n)	(((n) + 2) / 3 * 4)	/* bytes that n bytes become, exactly */
#define BASE64_DECODED(n)	((n) / 4 * 3)		/* most bytes that a text of n becomes */

/* Writes BASE64_ENCODED(in.len) bytes and no NUL; gives that number. */
size_t	base64_encode(struct slice in, char *out);
/* Writes at most BASE64_DECODED(in.len) bytes; `out` may be the place of `in`. -1: not the encoding of anything. */
int	base64_decode(struct slice in, char *out, size_t *len);

#endif
