#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H
/*
 * command — a client's line taken apart: which verb, and what follows it (RFC 5321 4.1).
 *
 * Grammar only; when a verb is allowed is smtpd's business.
 */
#include "base/slice.h"

enum verb {
	VERB_NONE,
	VERB_HELO, VERB_EHLO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_RSET, VERB_NOOP, VERB_QUIT, VERB_HELP, VERB_VRFY, VERB_EXPN,
	VERB_STARTTLS, VERB_AUTH, VERB_ETRN, VERB_VERB, VERB_XCLIENT, VERB_XFORWARD,
	VERB_UNKNOWN,		/* no verb of ours */
	VERB_FOREIGN,		/* another protocol's (HTTP): a program that does not speak SMTP at all */
	VERB_COUNT
};

struct command {
	enum verb	verb;
	struct slice	word;		/* as the client wrote it */
	struct slice	argument;	/* behind it, spaces trimmed; may be empty */
};

/* Never fails: what is no command is VERB_UNKNOWN. Slices are borrowed from the line. */
void		 command_parse(struct slice line, struct command *out);
const char	*verb_name(enum verb);		/* "MAIL"; "UNKNOWN" for the last two */
/* "FROM:" or "TO:" in any case at the front of *argument is dropped, with spaces behind it (seen in the wild). -1: not there. */
int		 command_take_label(struct slice *argument, const char *label);

#endif
