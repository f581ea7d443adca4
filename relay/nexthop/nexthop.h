#ifndef RELAY_NEXTHOP_H
#define RELAY_NEXTHOP_H
/*
 * nexthop — where a job goes, as queue (or the administrator's smart-host) wrote it:
 *
 *	example.org		by that domain's MX records
 *	[mail.example.org]:587	that host, by its addresses
 *	[192.0.2.1]:25, [IPv6:2001:db8::1], [2001:db8::1]:25	that address
 *
 * The port may be left out everywhere.
 */
#include "net/answer.h"
#include "net/sockaddr.h"

enum nexthop_kind { NEXTHOP_NONE, NEXTHOP_DOMAIN, NEXTHOP_HOST, NEXTHOP_ADDRESS };

struct nexthop {
	enum nexthop_kind	kind;
	uint16_t		port;
	struct sockaddress	address;		/* NEXTHOP_ADDRESS, with the port */
	char			name[DNS_NAME_SIZE];	/* domain or host, lower case; of an address its text */
};

/* -1: none of these forms. */
int	nexthop_parse(struct slice text, uint16_t default_port, struct nexthop *out);

#endif
