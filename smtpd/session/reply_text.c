/*
 * reply_text — the table of sentences.
 */
#include "smtpd/session/reply_text.h"

static const struct slice sentences[SENTENCE_COUNT] = {
	[SAY_NONE]		= SLICE_LIT("451 4.3.0 Error: try again later\r\n"),
	[SAY_OK]		= SLICE_LIT("250 2.0.0 Ok\r\n"),
	[SAY_MAIL_OK]		= SLICE_LIT("250 2.1.0 Ok\r\n"),
	[SAY_RCPT_OK]		= SLICE_LIT("250 2.1.5 Ok\r\n"),
	[SAY_GO_AHEAD]		= SLICE_LIT("354 End data with <CR><LF>.<CR><LF>\r\n"),
	[SAY_BYE]		= SLICE_LIT("221 2.0.0 Bye\r\n"),
	[SAY_HELP]		= SLICE_LIT("214-2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY EXPN\r\n"
					    "214 2.0.0 This is posthorn; RFC 5321 says the rest\r\n"),
	[SAY_VRFY]		= SLICE_LIT("252 2.0.0 Send mail to it and see\r\n"),
	[SAY_NO_EXPN]		= SLICE_LIT("502 5.5.1 EXPN is not served here\r\n"),
	[SAY_UNKNOWN_COMMAND]	= SLICE_LIT("500 5.5.2 Error: command not recognized\r\n"),
	[SAY_NO_PARAMETERS]	= SLICE_LIT("501 5.5.4 Syntax: this command takes no parameters\r\n"),
	[SAY_HELO_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: HELO hostname\r\n"),
	[SAY_EHLO_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: EHLO hostname\r\n"),
	[SAY_NO_HELO]		= SLICE_LIT("503 5.5.1 Error: send HELO/EHLO first\r\n"),
	[SAY_NESTED_MAIL]	= SLICE_LIT("503 5.5.1 Error: nested MAIL command\r\n"),
	[SAY_NO_MAIL]		= SLICE_LIT("503 5.5.1 Error: need MAIL command\r\n"),
	[SAY_NO_RCPT]		= SLICE_LIT("554 5.5.1 Error: no valid recipients\r\n"),
	[SAY_CHUNKING]		= SLICE_LIT("503 5.5.1 Error: BDAT has begun\r\n"),
	[SAY_MAIL_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: MAIL FROM:<address>\r\n"),
	[SAY_RCPT_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: RCPT TO:<address>\r\n"),
	[SAY_BDAT_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: BDAT size [LAST]\r\n"),
	[SAY_TOO_MANY_RCPT]	= SLICE_LIT("452 4.5.3 Error: too many recipients\r\n"),
	[SAY_NO_SPACE]		= SLICE_LIT("452 4.3.1 Insufficient system storage\r\n"),
	[SAY_NO_QUEUE]		= SLICE_LIT("451 4.3.2 Error: the queue is not available, try again later\r\n"),
	[SAY_TROUBLE]		= SLICE_LIT("451 4.3.0 Error: temporary lookup failure\r\n"),
	[SAY_NO_MEMORY]		= SLICE_LIT("452 4.3.1 Insufficient memory, try again later\r\n"),
	[SAY_TOO_BIG]		= SLICE_LIT("552 5.3.4 Error: message file too big\r\n"),
	[SAY_HEADER_TOO_LONG]	= SLICE_LIT("552 5.3.4 Error: message header too long\r\n"),
	[SAY_LOOPS]		= SLICE_LIT("554 5.4.6 Error: too many hops\r\n"),
	[SAY_NOT_QUEUED]	= SLICE_LIT("451 4.3.0 Error: queue file write error\r\n"),
	[SAY_NOT_ALLOWED]	= SLICE_LIT("550 5.7.1 Error: the queue refuses this message\r\n"),
	[SAY_LINE_TOO_LONG]	= SLICE_LIT("500 5.5.2 Error: line too long\r\n"),
	[SAY_NO_END]		= SLICE_LIT("421 4.7.0 Error: line without end\r\n"),
	[SAY_BARE]		= SLICE_LIT("550 5.6.11 Error: bare <CR> or <LF> received\r\n"),
	[SAY_SYNCHRONIZATION]	= SLICE_LIT("554 5.5.0 Error: SMTP protocol synchronization\r\n"),
	[SAY_TOO_MANY_ERRORS]	= SLICE_LIT("421 4.7.0 Error: too many errors\r\n"),
	[SAY_FOREIGN]		= SLICE_LIT("554 5.5.0 Error: this is not a web server\r\n"),
	[SAY_TOO_MUCH_MAIL]	= SLICE_LIT("450 4.7.1 Error: too much mail from you, try again later\r\n"),
	[SAY_TOO_MANY_NAMES]	= SLICE_LIT("450 4.7.1 Error: too many recipients from you, try again later\r\n"),
	[SAY_NEVER]		= SLICE_LIT("554 5.7.1 Error: more recipients in one message than you may name in an hour\r\n"),
	[SAY_NO_XCLIENT]	= SLICE_LIT("550 5.7.0 Error: insufficient authorization\r\n"),
	[SAY_IN_PROGRESS]	= SLICE_LIT("503 5.5.1 Error: MAIL transaction in progress\r\n"),
	[SAY_XCLIENT_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: XCLIENT attribute=value...\r\n"),
	[SAY_TOO_MANY_SESSIONS]	= SLICE_LIT("421 4.7.0 Error: too many connections\r\n"),
	[SAY_XFORWARD_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: XFORWARD attribute=value...\r\n"),
	[SAY_ADDRESS_SYNTAX]	= SLICE_LIT("501 5.1.3 Bad recipient address syntax\r\n"),
	[SAY_NO_USER]		= SLICE_LIT("550 5.1.1 User unknown\r\n"),
	[SAY_NO_LIST]		= SLICE_LIT("550 5.1.1 That is a mailbox and no list\r\n"),		/* RFC 5321 3.5.2 */
	[SAY_VERBOSE]		= SLICE_LIT("250 2.0.0 Ok, but there is no more to say\r\n"),
	/* RFC 1985 5.3 */
	[SAY_STARTED]		= SLICE_LIT("250 2.0.0 Queuing started\r\n"),
	[SAY_NOT_STARTED]	= SLICE_LIT("458 4.3.0 Unable to queue messages\r\n"),
	[SAY_NOT_FOR_YOU]	= SLICE_LIT("459 4.7.0 Node not allowed\r\n"),
	[SAY_ETRN_SYNTAX]	= SLICE_LIT("501 5.5.4 Syntax: ETRN domain\r\n"),
	[SAY_NO_CHUNKING]	= SLICE_LIT("502 5.5.1 Error: CHUNKING is not offered here\r\n"),
	[SAY_NO_TLS]		= SLICE_LIT("502 5.5.1 Error: TLS is not served here\r\n"),
	[SAY_TLS_ALREADY]	= SLICE_LIT("554 5.5.1 Error: TLS already active\r\n"),
	[SAY_TLS_LATER]		= SLICE_LIT("454 4.7.0 TLS not available due to local problem\r\n"),
	[SAY_TLS_READY]		= SLICE_LIT("220 2.0.0 Ready to start TLS\r\n"),
	/* RFC 6531 3.5 */
	[SAY_NOT_ASCII]		= SLICE_LIT("553 5.6.7 Address outside ASCII, and SMTPUTF8 was not said in MAIL\r\n"),
	[SAY_NO_AUTH]		= SLICE_LIT("503 5.5.1 Error: authentication not enabled\r\n"),
	[SAY_AUTH_INSECURE]	= SLICE_LIT("538 5.7.11 Encryption required for requested authentication mechanism\r\n"),
	[SAY_AUTH_TWICE]	= SLICE_LIT("503 5.5.1 Error: already authenticated\r\n"),
	[SAY_AUTH_IN_MAIL]	= SLICE_LIT("503 5.5.1 Error: MAIL transaction in progress\r\n"),
	[SAY_AUTH_USAGE]	= SLICE_LIT("501 5.5.4 Syntax: AUTH mechanism\r\n"),
	[SAY_AUTH_UNKNOWN]	= SLICE_LIT("504 5.5.4 Error: unrecognized authentication type\r\n"),
	[SAY_AUTH_SYNTAX]	= SLICE_LIT("501 5.5.2 Error: cannot decode the response\r\n"),
	[SAY_AUTH_ABORTED]	= SLICE_LIT("501 5.7.0 Authentication aborted\r\n"),
	[SAY_AUTH_TOO_LONG]	= SLICE_LIT("500 5.5.6 Error: authentication exchange line too long\r\n"),
	[SAY_AUTH_OK]		= SLICE_LIT("235 2.7.0 Authentication successful\r\n"),
	[SAY_AUTH_FAILED]	= SLICE_LIT("535 5.7.8 Error: authentication failed\r\n"),
	[SAY_AUTH_LATER]	= SLICE_LIT("454 4.7.0 Temporary authentication failure\r\n"),
	[SAY_LOGIN_LOST]	= SLICE_LIT("421 4.3.2 Error: the login is lost, please connect again\r\n"),
	[SAY_AUTH_REQUIRED]	= SLICE_LIT("530 5.7.0 Authentication required\r\n"),
};

struct slice
sentence_text(enum sentence s)
{
	return sentences[s < SENTENCE_COUNT ? s : SAY_NONE];
}

bool
sentence_is_error(enum sentence s)
{
	return sentence_text(s).p[0] >= '4';
}
