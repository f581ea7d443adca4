#ifndef MAIL_EXTENSION_H
#define MAIL_EXTENSION_H
/*
 * extension — the service extensions that a server of ours offers (RFC 5321 2.2), by the keyword that EHLO's answer names each with.
 */
#include <stdint.h>

#include "base/slice.h"

enum extension {
	EXTENSION_NONE,
	EXTENSION_PIPELINING,		/* RFC 2920 */
	EXTENSION_SIZE,			/* RFC 1870 */
	EXTENSION_ETRN,			/* RFC 1985 */
	EXTENSION_STARTTLS,		/* RFC 3207 */
	EXTENSION_XCLIENT,		/* Postfix's XCLIENT_README */
	EXTENSION_XFORWARD,		/* Postfix's XFORWARD_README */
	EXTENSION_8BITMIME,		/* RFC 6152 */
	EXTENSION_AUTH,			/* RFC 4954 */
	EXTENSION_DSN,			/* RFC 3461 */
	EXTENSION_SMTPUTF8,		/* RFC 6531 */
	EXTENSION_CHUNKING,		/* RFC 3030 */
	EXTENSION_LIMITS,		/* RFC 9422 */
	EXTENSION_REQUIRETLS,		/* RFC 8689 */
	EXTENSION_VRFY,			/* RFC 5321 3.5 */
	EXTENSION_ENHANCEDSTATUSCODES,	/* RFC 2034 */
	EXTENSION_COUNT
};

#define EXTENSION_BIT(e)	(UINT32_C(1) << (e))

struct slice	extension_name(enum extension);		/* "PIPELINING" */
enum extension	extension_named(struct slice);		/* in any case; EXTENSION_NONE: none of ours */

#endif
