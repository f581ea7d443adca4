#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H
/*
 * address — one mailbox, local-part and domain, as a value (RFC 5321 4.1.2).
 *
 * The parser gives parts or nothing; beyond it nobody parses again. The local-part is kept
 * *unquoted* (the bytes that are meant), the domain in lower case without a trailing dot, or an address
 * literal with its brackets. Printing quotes again where the grammar asks for it, so print(parse(x))
 * is the one canonical form, in which addresses travel on wires, rest on disk and are compared.
 * Control characters and NUL are refused. Outside ASCII (RFC 6531 3.3) is taken what utf8_is_name lets pass: a local-part as the
 * bytes that it is, a domain as U-labels in their canonical form. Whether such an address may be there is the caller's to say.
 */
#include "base/arena.h"
#include "base/buf.h"

/* RFC 5321 4.5.3.1: what we emit. Longer input is refused with a reason. */
#define LOCAL_PART_MAX	64
#define DOMAIN_MAX	255
#define ADDRESS_MAX	320	/* 64 + 1 + 255; every canonical address fits */

struct address {
	struct slice	local;		/* unquoted; never empty */
	struct slice	domain;		/* lower case, or U-labels; "[192.0.2.1]" for a literal; empty only for <postmaster> */
};

/* The one *why that is our own trouble, told by its pointer: answered 4xx, never 5xx. */
extern const char address_no_memory[];

/* Parses all of `in`: "local@domain", or "local" alone when bare_ok (RCPT TO:<postmaster>). The parts live in
 * the arena. -1: *why says what is wrong, for people. */
int	address_parse(struct slice in, bool bare_ok, struct arena *, struct address *out, const char **why);
/* Appends the canonical form; the buf's flag tells a failure. */
void	address_print(const struct address *, struct buf *);
bool	address_is_ascii(const struct address *);
bool	address_is_postmaster(const struct address *);		/* in any case (RFC 5321 4.5.1) */
/* "user+tag": the part before the first delimiter in *user, the part behind it in *detail (p NULL when none).
 * A delimiter at the very front does not count. delimiter 0: everything is the user. */
void	address_split_detail(struct slice local, char delimiter, struct slice *user, struct slice *detail);
/* A host name by RFC 1123: letters, digits, hyphens, labels of 1-63, 255 in all; a trailing dot is no part. */
bool	domain_valid(struct slice);

#endif
