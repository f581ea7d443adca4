#ifndef BOUNCE_WRAP_H
#define BOUNCE_WRAP_H
/*
 * wrap — foreign text into lines: escaped (base/fmt.h), broken at spaces, and inside a word that is longer than
 * a line may be.
 *
 * Every line after the first begins with a space or a tab, so the same function folds header fields (RFC 5322 2.2.3).
 */
#include "base/buf.h"

#define WRAP_COLUMN	76	/* where lines end when there is a space to end them at */
#define WRAP_WORD_MAX	400	/* the longest piece without a space */

/* Appends `text` behind what already stands in the current line (`column` characters of it), at most `most`
 * characters after escaping, and ends the line with CRLF. `indent` begins each further line. */
void	wrap_put(struct buf *, size_t column, const char *indent, struct slice text, size_t most);

#endif
