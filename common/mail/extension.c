/* extension — the table of keywords. */
#include "mail/extension.h"

static const struct slice names[EXTENSION_COUNT] = {
	[EXTENSION_PIPELINING] = SLICE_LIT("PIPELINING"), [EXTENSION_SIZE] = SLICE_LIT("SIZE"), [EXTENSION_ETRN] = SLICE_LIT("ETRN"),
	[EXTENSION_STARTTLS] = SLICE_LIT("STARTTLS"), [EXTENSION_XCLIENT] = SLICE_LIT("XCLIENT"),
	[EXTENSION_XFORWARD] = SLICE_LIT("XFORWARD"), [EXTENSION_8BITMIME] = SLICE_LIT("8BITMIME"), [EXTENSION_AUTH] = SLICE_LIT("AUTH"),
	[EXTENSION_DSN] = SLICE_LIT("DSN"), [EXTENSION_SMTPUTF8] = SLICE_LIT("SMTPUTF8"), [EXTENSION_CHUNKING] = SLICE_LIT("CHUNKING"),
	[EXTENSION_VRFY] = SLICE_LIT("VRFY"), [EXTENSION_ENHANCEDSTATUSCODES] = SLICE_LIT("ENHANCEDSTATUSCODES"),
};

struct slice
extension_name(enum extension e)
{
	return names[e];
}

enum extension
extension_named(struct slice name)
{
	enum extension e = EXTENSION_NONE + 1;

	while (e < EXTENSION_COUNT && !slice_caseeq(name, names[e]))
		e++;
	return e < EXTENSION_COUNT ? e : EXTENSION_NONE;
}
