#ifndef SMTPD_CLIENT_LIMIT_H
#define SMTPD_CLIENT_LIMIT_H
/*
 * client_limit — how many sessions one client has now, and how many it began within the last minute.
 *
 * A client is an IPv4 address or an IPv6 /64: who has one address of a /64 has all of them. Counts are this worker's own.
 */
#include "base/hash.h"
#include "event/loop.h"
#include "net/sockaddr.h"

#define CLIENTS_MAX	65536	/* known at once; beyond that the idle ones are forgotten */

enum client_verdict { CLIENT_NONE, CLIENT_OK, CLIENT_TOO_MANY, CLIENT_TOO_OFTEN };

struct client;
struct client_limit {
	struct loop	*loop;
	struct hash	 clients;
	int64_t		 swept;		/* loop time of the last look for idle ones */
};

void			 client_limit_init(struct client_limit *, struct loop *);
void			 client_limit_fini(struct client_limit *);
/* Counts one session. *out is to be given back with client_leave; NULL when it was refused, or when memory is short
 * (then nobody is refused). Limits of 0 are none. *count is how many there are, for the log. */
enum client_verdict	 client_enter(struct client_limit *, const struct sockaddress *, uint32_t most, uint32_t rate,
			    struct client **out, uint32_t *count);
void			 client_leave(struct client_limit *, struct client **);

#endif
