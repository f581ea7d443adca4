#ifndef UNIT_RELAY_CLIENT_ROWS_H
#define UNIT_RELAY_CLIENT_ROWS_H
/*
 * client_rows — the dialogues that test_client plays, one by one, and the words that they are made of.
 */
#include "mail/envelope.h"

#define HELLO(caps)	"S 220 mx ESMTP\nC EHLO me.example.org\nS 250-mx\n" caps "S 250 HELP\n"
#define PIPE		HELLO("S 250-PIPELINING\n")
#define PLAIN		HELLO("")
#define CHUNKS		HELLO("S 250-PIPELINING\nS 250-CHUNKING\n")
#define ENVELOPE	"C MAIL FROM:<s@example.org>\nC RCPT TO:<a@x.org>\nC DATA\n"
#define ENVELOPE2	"C MAIL FROM:<s@example.org>\nC RCPT TO:<a@x.org>\nC RCPT TO:<b@x.org>\nC DATA\n"
#define ADDRESSES	"C MAIL FROM:<s@example.org>\nC RCPT TO:<a@x.org>\n"
#define ADDRESSES2	ADDRESSES "C RCPT TO:<b@x.org>\n"
#define LONG		"Subject: long\r\n\r\n.\r\nis enough for a chunk\r\n"	/* 43 bytes, of which chunking starts at 40 */
#define QUIT		"C QUIT\nS 221 bye\nE"
#define TEXT		"Subject: x\r\n\r\nhello\r\n"

struct row {
	const char	*name, *script;
	unsigned	 recipients;
	const char	*content, *wire;	/* NULL: TEXT, and not looked at */
	const char	*expected;
	enum body_type	 body;
	int64_t		 patience;		/* ms for every step; 0: plenty */
	bool		 dsn, null_path;	/* with everything that DSN knows; from <> */
	unsigned	 utf8;			/* UTF8_ */
};

enum { UTF8_SAID = 1 << 0, UTF8_SENDER = 1 << 1, UTF8_FIRST = 1 << 2 };	/* SMTPUTF8; and who is outside ASCII */

extern const struct row	rows[];
extern const size_t	row_count;

#endif
