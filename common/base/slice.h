#ifndef BASE_SLICE_H
#define BASE_SLICE_H
/*
 * slice — borrowed bytes: a pointer, a length, and no promise of a NUL.
 *
 * Whoever makes a slice says how long the bytes beneath it live. Comparison without regard
 * to case folds ASCII only, as RFC 5321 2.4 means it; the locale is never asked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char	*p;
	size_t		 len;
};

#define SLICE_LIT(s)	((struct slice){ (s), sizeof(s) - 1 })
/* for printf: "%.*s", SLICE_FMT(s) */
#define SLICE_FMT(s)	(int)(s).len, (s).p

static inline struct slice
slice_of(const void *p, size_t len)
{
	return (struct slice){ p, len };
}

static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, s == NULL ? 0 : strlen(s) };
}

/* Takes n bytes off the front; n must not exceed the length. */
static inline void
slice_drop(struct slice *s, size_t n)
{
	if (n == 0)
		return;		/* an empty slice may have no pointer, and C forbids even to add 0 to that */
	s->p += n;
	s->len -= n;
}

bool		 slice_eq(struct slice, struct slice);
bool		 slice_caseeq(struct slice, struct slice);
bool		 slice_starts(struct slice, struct slice prefix);
bool		 slice_casestarts(struct slice, struct slice prefix);
struct slice	 slice_trim(struct slice);		/* spaces and tabs, both ends */
/* The part before the first `c`; *rest is what follows it (p == NULL when `c` is not there). */
struct slice	 slice_split(struct slice, char c, struct slice *rest);
/* Gives a NUL-terminated copy (free with mem_free); NULL without memory or when a NUL is inside. */
char		*slice_dup(struct slice);
char		 ascii_lower(char);
char		 ascii_upper(char);

#endif
