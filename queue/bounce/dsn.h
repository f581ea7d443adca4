#ifndef BOUNCE_DSN_H
#define BOUNCE_DSN_H
/*
 * dsn — a notification about recipients of one message, as the bytes of a message (RFC 3464 in RFC 6522).
 *
 * Three parts: words for people (notice.c), message/delivery-status for programs, and the original's header.
 * Pure: the times, the ids and the random number come from the caller. Everything that strangers wrote is made
 * 7-bit, bounded and unable to end a line or a part. Whether there is anybody to notify (never for <>) is the
 * caller's decision.
 */
#include "base/buf.h"
#include "mail/outcome.h"
#include "mail/queue_id.h"

/* With these two a notification always is shorter than CONTENT_INLINE_MAX. More recipients need more
 * notifications. */
#define DSN_RECIPIENTS_MAX	40
#define DSN_HEADER_MAX		(16 * 1024)	/* of the original's header, whole lines */

enum dsn_kind { DSN_NONE, DSN_FAILURE, DSN_DELAY };

struct dsn_recipient {
	struct slice	address;		/* canonical, final */
	struct slice	original;		/* as RCPT named it, or empty */
	struct outcome	outcome;		/* of the last attempt; the reported action follows from the kind */
	int64_t		last_attempt_ms;	/* wall clock; 0: never tried */
};

struct dsn {
	enum dsn_kind	 kind;
	bool		 to_postmaster;		/* about a message that came from <>: for postmaster's eyes */
	struct slice	 hostname;
	queue_id	 id;			/* of the original */
	queue_id	 own_id;		/* of this notification: makes its Message-Id */
	uint64_t	 random;		/* makes the boundary hard to guess */
	struct slice	 reverse_path;		/* of the original; may be empty */
	struct slice	 to;			/* where the notification goes: the reverse-path, or postmaster */
	struct slice	 postmaster;		/* whom to ask for help: an address */
	int64_t		 now_ms, arrival_ms;	/* wall clock */
	int64_t		 expiry_ms;		/* DSN_DELAY: Will-Retry-Until */
	struct slice	 message_id;		/* the original's, with its angle brackets; empty: it had none */
	/* The original's first bytes, at least the header if it is short; may be cut, may go on into the body. */
	struct slice	 header;
	uint32_t	 count;			/* 1 .. DSN_RECIPIENTS_MAX */
	const struct dsn_recipient *recipients;
};

/* Appends the whole message, CRLF lines, none longer than 998. -1: the buf's limit or memory; nothing was
 * appended. */
int	dsn_build(const struct dsn *, struct buf *out);

#endif
