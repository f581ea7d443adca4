#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H
/*
 * xtext — text as the value of an SMTP parameter (RFC 3461 4): "+" and two hexadecimal digits stand for what may not be there.
 */
#include "base/buf.h"

/* Into `out`. -1: it is no xtext, the text would be longer than `size`, or it holds what no such text may hold: a control
 * character (NUL above all) or a byte above 126. Nothing is told of *len then. */
int	xtext_decode(struct slice in, char *out, size_t size, size_t *len);
/* The same, but bytes above 127 are text, coded or not: the caller must see what they are. */
int	xtext_decode_bytes(struct slice in, char *out, size_t size, size_t *len);
/* Appends the encoding, at most three bytes for each; the buf's flag tells a failure. */
void	xtext_put(struct buf *, struct slice);
/* An address outside ASCII in printable ASCII (RFC 6533 3, utf-8-addr-xtext): "\x{5E74}@example.org". It means the same in ORCPT and in the
 * fields of a notification. At most ten bytes for each code point; what is no UTF-8 becomes U+FFFD. */
void	uxtext_put(struct buf *, struct slice);

#endif
