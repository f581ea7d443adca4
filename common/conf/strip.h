#ifndef CONF_STRIP_H
#define CONF_STRIP_H
/*
 * strip — blanks comments out of a configuration's text; lines and columns stay where they are. And
 * finds what is opened and never closed, which libconfuse forgives. Pure.
 *
 * libconfuse counts lines wrongly behind a comment (one too many for each "#" line, and for each C
 * comment), so every place that `posthorn check` names would be off. Text without comments is
 * counted right.
 */
#include <stddef.h>

/* The index of a comment that is never closed (the parser would take the rest of the file for
 * it), or len. */
size_t	strip_comments(char *text, size_t len);

/* The index of a brace that is never closed (the parser would let the end of the file close it), or
 * len. For text without comments. */
size_t	unclosed_brace(const char *text, size_t len);

#endif
