#ifndef MAIL_MAILBOX_LIST_H
#define MAIL_MAILBOX_LIST_H
/*
 * mailbox_list — whose addresses a From field holds (RFC 5322 3.4 and 3.6.2).
 *
 * It is read so that somebody can be held to it, so nothing is guessed: what another reader might take for another address is refused.
 * (Encoded words are words, and are read when the addresses have been found: RFC 2047 6.2. A reader that decodes first errs.)
 * Taken are `ann@example.org`, `Ann <ann@example.org>`, `"Ann, the first" <...>`, lists of these, and comments between them. Refused
 * are groups, source routes, an @ in a name that is not quoted, encoded words within an address, comments within an address, empty places in a list, control characters.
 */
#include "mail/address.h"

/*
 * Parses all of `in`, an unfolded value. Gives the canonical addresses, in the arena, and how many there are: 1 to `max`.
 * -1: *why says what is wrong, for people; address_no_memory is our own trouble.
 */
int	mailbox_list_parse(struct slice in, struct arena *, struct slice *out, uint32_t max, uint32_t *count, const char **why);

#endif
