#ifndef LOOKUP_SENDER_H
#define LOOKUP_SENDER_H
/*
 * sender — may this login write as that address (RFC 6409 6.1: a message submission server may say no)?
 *
 * A login owns the address that it is, "ann@example.org" that one; "ann" the address of that name in each domain whose users are this
 * host's accounts, or where no domain has those and all have the same file of users, in each of these. A subaddress and capitals change
 * nothing, unless they lead to another mailbox. What else it may use the file says: its line of the address, else that of the address
 * without subaddress, else that of the domain; a line that is there decides.
 */
#include "lookup/address/resolve.h"
#include "lookup/address/sender_file.h"

/* The address is the login, letter by letter, which can be said without asking anybody. False: it is not, or memory is short. */
bool			sender_is_own(const struct resolver *, struct slice login, struct slice address, struct arena *);
/* The whole answer; asks about users, and reads the file when it has changed. file NULL: there is none. */
enum sender_verdict	sender_judge(const struct resolver *, struct sender_file *, struct slice login, struct slice address,
			    struct arena *);

#endif
