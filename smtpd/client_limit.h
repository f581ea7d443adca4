#ifndef SMTPD_CLIENT_LIMIT_H
#define SMTPD_CLIENT_LIMIT_H
/*
 * client_limit — what each client has now and did within the last minute: sessions, messages, recipients, errors.
 *
 * A client is all addresses that agree in a number of bits: an IPv4 address, an IPv6 /64, or as configured. Counts are this worker's own.
 */
#include "base/hash.h"
#include "event/loop.h"
#include "net/sockaddr.h"

#define CLIENTS_MAX	65536	/* known at once; beyond that the idle ones are forgotten */

enum client_verdict { CLIENT_NONE, CLIENT_OK, CLIENT_TOO_MANY, CLIENT_TOO_OFTEN, CLIENT_TOO_WRONG };
enum client_charge { CHARGE_SESSION, CHARGE_MESSAGE, CHARGE_RECIPIENT, CHARGE_ERROR, CHARGE_COUNT };

struct client_rules {
	uint32_t	sessions;		/* at once; 0: no limit, as for all of these */
	uint32_t	minute[CHARGE_COUNT];	/* in a minute */
	uint8_t		bits_ipv4, bits_ipv6;
};

struct client;
struct client_limit {
	struct loop	*loop;
	struct hash	 clients;
	int64_t		 swept;		/* loop time of the last look for idle ones */
};

void			 client_limit_init(struct client_limit *, struct loop *);
void			 client_limit_fini(struct client_limit *);
/* Counts one session. *out is to be given back with client_leave; NULL when it was refused, or when memory is short
 * (then nobody is refused). *count is how many there are, for the log. */
enum client_verdict	 client_enter(struct client_limit *, const struct sockaddress *, const struct client_rules *, struct client **out,
			    uint32_t *count);
/* `n` more of these within this minute; false: that is over the limit. *count as above. The client may be NULL: nobody counts it. */
bool			 client_charge(struct client_limit *, struct client *, enum client_charge, uint32_t n, const struct client_rules *,
			    uint32_t *count);
void			 client_leave(struct client_limit *, struct client **);

#endif
