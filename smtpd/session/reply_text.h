#ifndef SMTPD_REPLY_TEXT_H
#define SMTPD_REPLY_TEXT_H
/*
 * reply_text — every fixed sentence that smtpd says. Where Postfix has a sentence for the case it is Postfix's, since people and
 * programs know it.
 */
#include "base/slice.h"

enum sentence {
	SAY_NONE,
	SAY_OK, SAY_MAIL_OK, SAY_RCPT_OK, SAY_GO_AHEAD, SAY_BYE, SAY_HELP, SAY_VRFY,
	SAY_NO_EXPN, SAY_UNKNOWN_COMMAND, SAY_NO_PARAMETERS, SAY_HELO_SYNTAX, SAY_EHLO_SYNTAX, SAY_NO_HELO, SAY_NESTED_MAIL, SAY_NO_MAIL,
	SAY_NO_RCPT, SAY_MAIL_SYNTAX, SAY_RCPT_SYNTAX, SAY_TOO_MANY_RCPT, SAY_NO_SPACE, SAY_NO_QUEUE, SAY_TROUBLE, SAY_NO_MEMORY, SAY_TOO_BIG,
	SAY_HEADER_TOO_LONG, SAY_LOOPS, SAY_NOT_QUEUED, SAY_NOT_ALLOWED, SAY_LINE_TOO_LONG, SAY_NO_END, SAY_BARE, SAY_SYNCHRONIZATION,
	SAY_TOO_MANY_ERRORS, SAY_FOREIGN, SAY_AUTH_REQUIRED, SAY_NO_TLS, SAY_TLS_ALREADY, SAY_TLS_LATER, SAY_TLS_READY, SAY_TLS_REQUIRED,
	SENTENCE_COUNT
};

struct slice	sentence_text(enum sentence);		/* with CRLF */
bool		sentence_is_error(enum sentence);	/* 4xx or 5xx */

#endif
