#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H
/*
 * reply — reads what a server says (RFC 5321 4.2), for the client side.
 *
 * Total over any bytes and any split: a reply of any length costs the same fixed memory, and what is not a reply is
 * REPLY_BROKEN, never a guess. LF alone ends a line here, too: some servers do that, and no message boundary hangs on it.
 * Text comes out as printable ASCII: whatever else was sent is a '?' (so nothing can be injected into logs or DSNs).
 */
#include "mail/outcome.h"

#define REPLY_LINE_MAX	4096	/* bytes, line end included */
#define REPLY_LINES_MAX	128

enum reply_result {
	REPLY_NONE,
	REPLY_READY,	/* the reply is whole */
	REPLY_MORE,	/* wait for more input */
	REPLY_BROKEN	/* not a reply, or over a cap: close, try later */
};

struct reply {
	uint16_t	code;		/* 200-599; 0: nothing read yet */
	uint16_t	lines;
	bool		whole;
	struct status	status;		/* of the first line that has one of the code's class; class 0: none */
	size_t		len;
	char		text[OUTCOME_TEXT_MAX + 1];	/* "550 5.1.1 no such user", lines joined by a space; NUL-terminated; cut when longer */
};

/* Hears every line's text (the part behind "250-" and behind an enhanced status), first line number 0; for EHLO. */
typedef void reply_line_fn(void *arg, unsigned number, struct slice text);

/* Takes whole lines off *in. Begin with a zeroed struct; after REPLY_READY the next call begins a new reply. `line` may be NULL. */
enum reply_result	reply_take(struct reply *, struct slice *in, reply_line_fn *line, void *arg);
struct slice		reply_text(const struct reply *);
/* The first digit of the code, 2-5. */
unsigned		reply_class(const struct reply *);
/* The status said, or the general one of the code's class (x.0.0) when none was. */
struct status		reply_status(const struct reply *);

#endif
