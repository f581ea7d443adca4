#ifndef BASE_BUF_H
#define BASE_BUF_H
/*
 * buf — growing bytes with a limit, cheap to fill at the end and to empty from the front.
 *
 * The limit is part of the object, so a buffer that a peer fills cannot outgrow what its owner
 * meant (CVE-2005-1513: a limit that lives in an assumption is no limit). A failed append leaves
 * the contents as they were and sets a flag that stays until buf_reset: a writer may append
 * twenty times and ask once, at the end.
 */
#include <stdarg.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
	char	*mem;		/* NULL while empty */
	size_t	 start, end;	/* the contents are mem[start .. end) */
	size_t	 cap;
	size_t	 max;		/* never more than this many bytes of contents */
	bool	 failed;
	bool	 secret;	/* what is dropped, cut or moved is overwritten where it was; set behind buf_init */
};

void		 buf_init(struct buf *, size_t max);
void		 buf_fini(struct buf *);		/* frees; the buf may be initialised again */
void		 buf_wipe(struct buf *);		/* the same, and its bytes are nowhere in the heap */
void		 buf_reset(struct buf *);		/* empty and not failed; keeps the memory */
void		 buf_shrink(struct buf *);		/* gives the memory back when empty */

/* 0, or -1: limit or memory. */
int		 buf_append(struct buf *, const void *, size_t);
int		 buf_puts(struct buf *, const char *);
int		 buf_putc(struct buf *, char);
int		 buf_put_slice(struct buf *, struct slice);
int		 buf_printf(struct buf *, const char *, ...) __attribute__((format(printf, 2, 3)));
int		 buf_vprintf(struct buf *, const char *, va_list) __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at the end, to be filled and
 * then claimed with buf_added; NULL: limit or memory. */
char		*buf_room(struct buf *, size_t n);
void		 buf_added(struct buf *, size_t n);
int		 buf_insert(struct buf *, size_t at, struct slice);	/* in front of byte `at`; as buf_append */
void		 buf_drop(struct buf *, size_t n);	/* from the front */
void		 buf_cut(struct buf *, size_t len);	/* keeps the first len bytes */

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_of(b->mem == NULL ? "" : b->mem + b->start, buf_len(b));
}

/* The contents as a C string, borrowed until the next change; NULL without memory. */
const char	*buf_cstr(struct buf *);

#endif
