#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H
/*
 * fields — the field's values on wires and on disk: status, outcome, envelope. One codec for all of them.
 *
 * Every get_ is total: it takes whatever bytes a broken-into peer or a damaged disk may hold,
 * bounds each field, allocates no more than the bytes at hand justify, and leaves the reader bad
 * when anything is wrong. Slices are borrowed from the frame unless a comment says otherwise. A
 * put_ cuts texts for people to their maximum, so that a long reply never costs a wire; it never
 * cuts an address, a name or content.
 */
#include "ipc/reader.h"
#include "ipc/writer.h"
#include "mail/envelope.h"

#define MTA_NAME_MAX		512
#define ADDRESS_FIELD_MAX	512	/* canonical or original; quotes may double a local-part */
#define NEXTHOP_MAX		300
#define CONTENT_INLINE_MAX	(256 * 1024)	/* content above this travels by file */
/* The end of year 9999: no sum of two such times can wrap. */
#define TIME_MS_MAX		INT64_C(253402300799999)

/* What lookup gives for a login, and queue knows it by: random, guessed by nobody. Zero: none. */
struct auth_token {
	uint64_t	high, low;
};

static inline bool
token_is_set(const struct auth_token *t)
{
	return (t->high | t->low) != 0;
}

static inline bool
token_eq(const struct auth_token *a, const struct auth_token *b)
{
	/* No early end, so that time tells nothing about how much of it was right. */
	return ((a->high ^ b->high) | (a->low ^ b->low)) == 0;
}

void		put_token(struct buf *, const struct auth_token *);
void		get_token(struct reader *, struct auth_token *);

void		put_status(struct buf *, struct status);
struct status	get_status(struct reader *);			/* class 0, 2, 4 or 5 */
void		put_outcome(struct buf *, const struct outcome *);
void		get_outcome(struct reader *, struct outcome *);	/* slices borrowed from the frame */
void		put_fate(struct buf *, const struct fate *);
void		get_fate(struct reader *, struct fate *);

uint32_t	get_notify(struct reader *);			/* put_u8: NOTIFY_ bits that may stand together */

/* A wall clock time or a duration: 0 .. TIME_MS_MAX.
 * put_time_ms moves what is outside to the nearer end. */
void		put_time_ms(struct buf *, int64_t);
int64_t		get_time_ms(struct reader *);
/* put_slice of the first `max` bytes: for texts that a person will read. */
void		put_text(struct buf *, struct slice, size_t max);
/* A slice that will become a C string: refuses a NUL inside. */
struct slice	get_text(struct reader *, size_t max);

/* The whole envelope with all fates. The reader's array and slices live in the arena, so the frame
 * may go. What may follow the envelope is left in the reader: reader_end is the caller's. A
 * recipient that was never tried costs 5 bytes beside its address. */
void		put_envelope(struct buf *, const struct envelope *);
int		get_envelope(struct reader *, struct arena *, struct envelope *);	/* -1: bad, or arena full */
/* How many bytes put_envelope will append: whether a frame (ipc/channel.h, FRAME_MAX) can hold it. */
size_t		envelope_size(const struct envelope *);

#endif
