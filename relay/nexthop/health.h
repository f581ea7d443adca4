#ifndef RELAY_HEALTH_H
#define RELAY_HEALTH_H
/*
 * health — a short memory of addresses that did not answer, so that one dead MX does not use up every attempt's tries.
 *
 * A hint and nothing more: an address it calls dead is tried last, not never. The memory is small and may forget.
 */
#include "net/sockaddr.h"

#define HEALTH_SLOTS	1024
#define HEALTH_MS	60000	/* how long a failure is remembered */

struct health_slot {
	struct sockaddress	address;	/* with its port */
	int64_t			until;		/* monotonic ms; 0: empty */
};

struct health {				/* zeroed: everybody is well */
	struct health_slot	slots[HEALTH_SLOTS];
};

void	health_failed(struct health *, const struct sockaddress *, int64_t now);
void	health_worked(struct health *, const struct sockaddress *);
bool	health_is_dead(const struct health *, const struct sockaddress *, int64_t now);

#endif
