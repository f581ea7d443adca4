#ifndef SMTP_XCLIENT_H
#define SMTP_XCLIENT_H
/*
 * xclient — the argument of XCLIENT, Postfix's extension by which a proxy or a test says for whom it speaks, and of XFORWARD, by which a
 * filter says from whom it got a message: attributes NAME=value with values in xtext (smtp/xtext.h). Grammar only; what an address or a
 * name may be is the reader's question.
 */
#include "base/slice.h"

#define XCLIENT_VALUE_MAX	255

enum xclient_attribute {
	XCLIENT_NONE, XCLIENT_NAME, XCLIENT_ADDR, XCLIENT_PORT, XCLIENT_PROTO, XCLIENT_HELO,
	XCLIENT_IDENT,		/* XFORWARD's: the queue id there */
	XCLIENT_SOURCE,		/* and LOCAL or REMOTE */
	XCLIENT_COUNT
};

#define XCLIENT_BIT(a)	(1u << (a))

struct xclient_value {
	bool	given;
	bool	known;		/* false: the proxy does not know it, [UNAVAILABLE] or [TEMPUNAVAIL] */
	size_t	len;
	char	text[XCLIENT_VALUE_MAX + 1];	/* decoded; no control characters */
};

struct xclient {
	struct xclient_value	values[XCLIENT_COUNT];
};

/* attributes: bits of those that may come. -1: *which is what is wrong: no attribute of these, one that comes twice, or no value. */
int		 xclient_parse(struct slice argument, unsigned attributes, struct xclient *out, struct slice *which);

#endif
