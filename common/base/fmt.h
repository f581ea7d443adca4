#ifndef BASE_FMT_H
#define BASE_FMT_H
/*
 * fmt — the one way out for text that strangers wrote: printable ASCII stays, `\` is doubled,
 * everything else becomes \xHH, and the length has an end.
 */
#include "base/buf.h"

void		 fmt_escape(struct buf *, struct slice, size_t most);	/* cuts with "..." */
/* The same into a caller's array, NUL-terminated; returns `out`. */
const char	*fmt_escaped(char *out, size_t size, struct slice);
/* Back to what it was, for files of our own. -1: nothing is printed like that, or it does not fit. */
int		 fmt_unescape(struct slice, char *out, size_t size, size_t *len);

/* For logs and terminals, which people read: the same, but UTF-8 that shows as itself (utf8_is_plain) stays, too. */
void		 fmt_show(struct buf *, struct slice, size_t most);
const char	*fmt_shown(char *out, size_t size, struct slice);

#endif
