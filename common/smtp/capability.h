#ifndef SMTP_CAPABILITY_H
#define SMTP_CAPABILITY_H
/*
 * capability — what a server's answer to EHLO offers (RFC 5321 4.1.1.1), for the client side.
 *
 * Unknown keywords and odd parameters are passed over: a keyword counts only when its line is well-formed.
 */
#include <stdint.h>

#include "base/slice.h"

enum {
	CAP_PIPELINING		= 1 << 0,	/* RFC 2920 */
	CAP_SIZE		= 1 << 1,	/* RFC 1870 */
	CAP_8BITMIME		= 1 << 2,	/* RFC 6152 */
	CAP_ENHANCED_STATUS	= 1 << 3,	/* RFC 2034 */
	CAP_STARTTLS		= 1 << 4,	/* RFC 3207 */
	CAP_CHUNKING		= 1 << 5,	/* RFC 3030 */
	CAP_DSN			= 1 << 6,	/* RFC 3461 */
	CAP_SMTPUTF8		= 1 << 7,	/* RFC 6531 */
	CAP_AUTH		= 1 << 8,	/* RFC 4954 */
	CAP_REQUIRETLS		= 1 << 9,	/* RFC 8689 */
	CAP_LIMITS		= 1 << 10	/* RFC 9422 */
};

struct capabilities {
	uint32_t	has;		/* CAP_ bits */
	uint64_t	size;		/* SIZE's limit in bytes; 0: none named */
	/* What LIMITS allows at most; 0: as many as you like. */
	uint32_t	mail_max;		/* transactions of a session */
	uint32_t	rcpt_max;		/* RCPTs of a transaction */
	uint32_t	rcpt_domain_max;	/* domains that the RCPTs of a session name */
};

/* A reply_line_fn: `capabilities` is a struct capabilities, zeroed before the reply. Line 0 is the server's name. */
void	capability_line(void *capabilities, unsigned number, struct slice text);

#endif
