#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H
/*
 * route — asks DNS until a next hop is a list of addresses, or an outcome that says why not.
 */
#include "mail/outcome.h"
#include "net/resolver.h"
#include "relay/nexthop/nexthop.h"
#include "relay/nexthop/target.h"

#define ROUTE_TEXT_SIZE	700

struct route_world {			/* what all routes of a process share; borrowed */
	struct loop		*loop;
	struct resolver		*resolver;
	const struct health	*health;
	const char		*own_name;
	uint16_t		 max_addresses;
	bool			 private_ok;
	bool			(*is_own)(void *arg, const struct sockaddress *);
	void			*arg;
};

struct route_question {
	struct question		 question;
	struct route		*route;
	uint16_t		 host;
};

struct route {				/* lives in its owner; zeroed: idle */
	struct route_world	 world;
	struct nexthop		 nexthop;
	char			 own_name[DNS_NAME_SIZE];	/* the world's, whose configuration may be another one when DNS answers */
	bool			 trusted;	/* the administrator named it: private addresses and our own are fine */
	bool			 by_mx;
	unsigned		 waiting;	/* questions without an answer */
	struct question		 mx;
	struct route_question	 questions[MX_HOSTS_MAX * 2];
	struct hook		 hook;
	/* the result */
	struct mx_hosts		 hosts;		/* names for the targets */
	struct targets		 targets;	/* count 0: see `failure` */
	bool			 partial;	/* there are more, or there may be: the limit, or a question without an answer */
	struct outcome		 failure;	/* ACTION_FAILED or ACTION_DELAYED; its text lives here */
	char			 text[ROUTE_TEXT_SIZE];
	void			(*done)(void *arg);	/* once, from the loop, never inside route_start */
	void			*arg;
};

void		 route_start(struct route *, const struct route_world *, const struct nexthop *, bool trusted,
		    void (*done)(void *), void *arg);
void		 route_stop(struct route *);		/* done will not run; idle is fine */
/* Whether the hosts' names are the one that the next hop says, and none that DNS has answered and nobody has signed. */
bool		 route_names_host(const struct route *);
const char	*route_host(const struct route *, uint16_t target);	/* the name of that target's host */

#endif
