#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H
/*
 * envelope — what SMTP carries beside the content, and what became of each recipient so far.
 *
 * One struct serves the submit wire (fates untouched) and the store (fates as of a version), so
 * there is one codec (wire/fields.h). Slices live as long as whoever holds the envelope says.
 */
#include <stdint.h>

#include "mail/notify.h"
#include "mail/outcome.h"

#define ENVELOPE_RECIPIENTS_MAX	10000	/* what a record can hold; the setting that clients meet is smaller */

enum body_type { BODY_NONE, BODY_7BIT, BODY_8BITMIME, BODY_COUNT };

/* RFC 8689 4.1: how the sender wants the message handled between hosts. */
enum tls_tag {
	TLS_TAG_NONE,			/* nothing was said */
	TLS_TAG_REQUIRED,		/* REQUIRETLS in MAIL: only through TLS, to hosts that have proved who they are and go on like that */
	TLS_TAG_OPTIONAL,		/* "TLS-Required: No" in the header: rather in clear than not at all */
	TLS_TAG_COUNT
};

enum {
	FATE_HELD  = 1 << 0,		/* an operator said: wait for a person */
	FATE_MAYBE = 1 << 1,		/* an attempt may have got through: look before delivering again */
	FATE_UNKNOWN = 1 << 2,		/* on the ladder of lost final replies */
	FATE_WARNED = 1 << 3,		/* the delay warning has gone out */
	FATE_OWED = 1 << 4,		/* its end has to be told to the sender, and no notification about it is durable yet */
	FATE_ALL = FATE_HELD | FATE_MAYBE | FATE_UNKNOWN | FATE_WARNED | FATE_OWED
};

struct fate {				/* of one recipient; all zero: never tried */
	struct outcome	last;		/* ACTION_NONE: not tried yet */
	uint32_t	attempts;
	int64_t		next_ms;	/* wall clock of the next attempt; 0: at once */
	uint32_t	flags;		/* FATE_ */
};

struct recipient {
	struct slice	address;	/* canonical, where it goes */
	struct slice	original;	/* as RCPT named it, when that differs; else empty */
	struct slice	orcpt;		/* RFC 3461 4.2, decoded: "rfc822;Bob@example.org"; empty: none was given */
	uint32_t	notify;		/* NOTIFY_ */
	struct fate	fate;
};

struct envelope {
	struct slice	 reverse_path;	/* canonical; empty is the null path <> */
	enum body_type	 body;
	bool		 smtputf8;	/* addresses and header may be outside ASCII (RFC 6531) */
	enum tls_tag	 tls;
	enum ret	 ret;		/* how much of the message a notification of failure brings back */
	struct slice	 envid;		/* RFC 3461 4.4, decoded; empty: none was given */
	int64_t		 arrival_ms;	/* wall clock of acceptance */
	uint64_t	 nonce;		/* random; names the message in mail stores (repeat-safe Maildir names) */
	uint32_t	 size;		/* bytes of content, trace header included */
	struct recipient *recipients;
	uint32_t	 count;
};

#endif
