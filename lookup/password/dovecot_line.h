#ifndef PASSWORD_DOVECOT_LINE_H
#define PASSWORD_DOVECOT_LINE_H
/*
 * dovecot_line — a line of Dovecot's auth client protocol, version 1, taken apart; total over any bytes.
 *
 *	VERSION 1 2 | MECH name property... | SPID, CUID, COOKIE: not needed here | DONE	once, in front
 *	OK id user=LOGIN ... | FAIL id [user=] [reason=] [temp] [code=temp_fail] ... | CONT id base64
 *
 * Fields are parted by tabs; within them \001 and 0 1 t r n stand for NUL \001 TAB CR LF.
 */
#include <stdint.h>

#include "base/slice.h"

enum dovecot_kind {
	DOVECOT_NONE,		/* no line of this protocol, or a field that must not be so */
	DOVECOT_VERSION, DOVECOT_MECHANISM, DOVECOT_DONE, DOVECOT_OTHER,
	DOVECOT_OK, DOVECOT_FAIL, DOVECOT_CONT
};

struct dovecot_line {
	enum dovecot_kind	kind;
	uint64_t		id;		/* OK, FAIL, CONT: 1 to 2^32 - 1 */
	struct slice		name;		/* MECHANISM */
	bool			unfit;		/* MECHANISM: anonymous or private, so not for us */
	bool			temporary;	/* FAIL: Dovecot's trouble, not the password */
	struct slice		user, reason;	/* OK, FAIL; still escaped; empty: not said */
	struct slice		data;		/* CONT: base64 */
};

/* Without its newline; slices are parts of it. */
void	dovecot_line_parse(struct slice line, struct dovecot_line *out);
/* Undoes the escapes into `out`. -1: longer than size, or an escape that is none. */
int	dovecot_unescape(struct slice in, char *out, size_t size, size_t *len);

#endif
