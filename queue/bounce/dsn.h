#ifndef BOUNCE_DSN_H
#define BOUNCE_DSN_H
/*
 * dsn — a notification about recipients of one message, as the bytes of a message (RFC 3464 in RFC 6522).
 *
 * Three parts: words for people (notice.c), message/delivery-status for programs, and the original's header, or all of it.
 * Pure: the times, the ids and the random number come from the caller. Everything that strangers wrote is made
 * 7-bit (but for a message that is returned as it was, and names in one that is `utf8`), bounded and unable to end a line or a part. Whether there is anybody to notify (never for <>) is the
 * caller's decision.
 */
#include "base/buf.h"
#include "mail/envelope.h"
#include "mail/queue_id.h"

/* With these two a notification always is shorter than CONTENT_INLINE_MAX. More recipients need more
 * notifications. */
#define DSN_RECIPIENTS_MAX	32
#define DSN_HEADER_MAX		(16 * 1024)	/* of the original's header, whole lines */
#define DSN_FULL_MAX	(48 * 1024)	/* of a message that is returned whole: no more than such a header coded */

enum dsn_kind { DSN_NONE, DSN_FAILURE, DSN_DELAY, DSN_SUCCESS };

struct dsn_recipient {
	struct slice	address;		/* canonical, final */
	struct slice	original;		/* as RCPT named it, or empty */
	struct slice	orcpt;			/* as the sender named it, "type;address" (RFC 3461 4.2), or empty */
	struct outcome	outcome;		/* of the last attempt; the reported action follows from the kind */
	int64_t		last_attempt_ms;	/* wall clock; 0: never tried */
};

struct dsn {
	enum dsn_kind	 kind;
	bool		 utf8;			/* it travels with SMTPUTF8, and is made of UTF-8 (RFC 6533): `to` is outside ASCII */
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
	struct slice	 envid;			/* the sender's name for the message (RFC 3461 4.4), or empty */
	struct slice	 message_id;		/* the original's, with its angle brackets; empty: it had none */
	/* The original's first bytes, at least the header if it is short; may be cut, may go on into the body. */
	struct slice	 header;
	bool		 full;			/* `header` is the whole message, DSN_FULL_MAX at most, and goes back if its lines may */
	uint32_t	 count;			/* 1 .. DSN_RECIPIENTS_MAX */
	const struct dsn_recipient *recipients;
};

/* Appends the whole message, CRLF lines, none longer than 998. -1: the buf's limit or memory; nothing was
 * appended. */
int		dsn_build(const struct dsn *, struct buf *out);
enum body_type	dsn_body(const struct dsn *);	/* what those bytes are */
/* For notice.c: somebody's name, as it is where UTF-8 may be, else escaped. */
void		dsn_put_name(struct buf *, const struct dsn *, struct slice name);

#endif
