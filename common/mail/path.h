#ifndef MAIL_PATH_H
#define MAIL_PATH_H
/*
 * path — what stands between < and > in MAIL FROM and RCPT TO (RFC 5321 4.1.2).
 *
 * A source route (<@a,@b:user@host>) is read and dropped, as 4.1.1.3 asks.
 */
#include "mail/address.h"

struct path {
	bool		is_null;	/* <>: reverse-path of notifications */
	struct address	address;
};

/* Takes one path off the front of `in`, brackets included; a path without brackets is refused.
 * -1: *why says what is wrong. */
int	path_take(struct slice *in, bool null_ok, bool bare_ok, struct arena *, struct path *out, const char **why);

#endif
