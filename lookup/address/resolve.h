#ifndef LOOKUP_RESOLVE_H
#define LOOKUP_RESOLVE_H
/*
 * resolve — where an address goes: pure, given the configuration and somebody to ask about users.
 *
 * postmaster of every domain of ours (and the bare <postmaster>) always
 * exists (RFC 5321 4.5.1): its mail goes to the configured mailbox, and
 * trouble with that mailbox delays such mail and never returns it.
 */
#include "lookup/address/domains.h"
#include "lookup/user/account.h"
#include "mail/address.h"
#include "wire/lookup.h"

struct resolver {
	const struct conf	*conf;
	const struct domains	*domains;
	struct user_source	 users;
};

enum parsed { PARSED_NONE, PARSED_ADDRESS, PARSED_BAD, PARSED_TROUBLE };

/* The address, its domain in the form that configuration and DNS know. One that was an address and has no such form met our own
 * trouble. PARSED_BAD: *why says what is wrong. */
enum parsed		resolve_address(struct slice text, bool bare_ok, struct arena *, struct address *out, const char **why);
/* Whose mailbox a local part of ours is, as delivery finds it: as it is written, then in small letters, then without its detail. Asks. */
enum account_result	resolve_account(const struct resolver *, const struct conf_domain *, struct slice local, struct arena *,
			    struct account *out, struct err *);
/* What can be said without asking about users. ROUTE_NONE:
 * they have to be asked. Slices live in the arena. */
enum route_verdict	resolve_known(const struct resolver *, struct slice address, struct arena *, struct route *out);
/* The whole answer; asks, and so may block. */
void			resolve_route(const struct resolver *, struct slice address, struct arena *, struct route *out);
/* Whose mailbox it is; the address is a route's next hop. The serial is left alone. */
void			resolve_mailbox(const struct resolver *, struct slice address, struct arena *, struct mailbox_answer *out);

#endif
