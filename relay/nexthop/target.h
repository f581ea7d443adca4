#ifndef RELAY_TARGET_H
#define RELAY_TARGET_H
/*
 * target — the addresses of one attempt, in the order in which they are tried.
 */
#include "relay/nexthop/health.h"
#include "relay/nexthop/mx.h"

#define TARGETS_MAX	16	/* room; the setting max-addresses is smaller */

struct target {
	struct sockaddress	address;	/* with the port */
	uint16_t		host;		/* index in mx_hosts */
};

struct target_rules {
	uint16_t		 port;
	uint16_t		 most;		/* addresses an attempt */
	bool			 private_ok;	/* else addresses that no public MX may name are left out */
	bool			 cut_at_own;	/* by MX: a host with an address of ours ends the list at its preference */
	const struct health	*health;
	int64_t			 now;
	bool			(*is_own)(void *arg, const struct sockaddress *);	/* the port set */
	void			*arg;
};

struct targets {
	uint16_t	count;
	struct target	v[TARGETS_MAX];
	bool		cut;			/* at the limit: there are more */
	bool		refused_private;	/* at least one address was left out for that */
};

/* Host by host, IPv6 and IPv4 in turn; those known to be dead last. Returns false when we ourselves are the best host. */
bool	targets_choose(struct mx_hosts *, const struct target_rules *, struct targets *out);

#endif
