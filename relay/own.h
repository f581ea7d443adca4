#ifndef RELAY_OWN_H
#define RELAY_OWN_H
/*
 * own — addresses and ports at which this server itself takes mail: a next hop there is a loop.
 */
#include "conf/conf.h"

#define OWN_INTERFACES_MAX	128

struct own {
	uint32_t		 count;		/* addresses of this machine, found before the sandbox */
	struct sockaddress	 interfaces[OWN_INTERFACES_MAX];
	const struct conf	*conf;		/* whose listeners count; borrowed */
};

void	own_find_interfaces(struct own *);	/* needs a netlink socket; finding none is no error */
bool	own_holds(const struct own *, const struct sockaddress *);	/* port included */

#endif
