#ifndef MDA_LOOP_H
#define MDA_LOOP_H
/*
 * loop — has this message been in one of these mailboxes before? Every copy gets a Delivered-To
 * line; one that comes back with the line of its own recipient goes round.
 */
#include "mail/content.h"

/* looped[i] becomes true for each address that a Delivered-To
 * field names. What is not good comes with err: the header cannot be read. */
enum content_result	loop_check(const struct content *, const struct slice *addresses, uint32_t count, bool *looped,
			    struct err *);

#endif
