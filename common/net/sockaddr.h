#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H
/*
 * sockaddr — socket addresses and networks as values; literals only, names are DNS's business.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SOCKADDRESS_TEXT	64	/* "[ffff:...]:65535" and a NUL fit */

struct sockaddress {
	union {
		struct sockaddr		any;
		struct sockaddr_in	v4;
		struct sockaddr_in6	v6;
	};
	socklen_t	len;			/* 0: none */
};

struct network {
	struct sockaddress	base;
	uint8_t			bits;
};

/* "192.0.2.1", "2001:db8::1" (brackets allowed); port apart. -1: not a literal. */
int		 sockaddress_parse(struct slice, uint16_t port, struct sockaddress *);
/* "192.0.2.1:25", "[::1]:25", or without a port when default_port is not 0. */
int		 sockaddress_parse_port(struct slice, uint16_t default_port, struct sockaddress *);
const char	*sockaddress_print(const struct sockaddress *, char out[SOCKADDRESS_TEXT]);		/* without the port: "192.0.2.1", "2001:db8::1" */
const char	*sockaddress_print_port(const struct sockaddress *, char out[SOCKADDRESS_TEXT]);	/* "192.0.2.1:25", "[2001:db8::1]:25" */
uint16_t	 sockaddress_port(const struct sockaddress *);
void		 sockaddress_set_port(struct sockaddress *, uint16_t);
bool		 sockaddress_same_host(const struct sockaddress *, const struct sockaddress *);	/* port apart; ::ffff:a.b.c.d is a.b.c.d */
/* Loopback, private, link-local, unspecified, multicast and other addresses that no MX may name. */
bool		 sockaddress_is_private(const struct sockaddress *);
bool		 sockaddress_is_any(const struct sockaddress *);		/* 0.0.0.0 or :: */
/* An address as the wires carry it: 4 or 16 bytes; anything else is none. The port is 0. */
void		 sockaddress_of_bytes(struct slice, struct sockaddress *);
/* Turns ::ffff:a.b.c.d into a.b.c.d; anything else stays. */
void		 sockaddress_unmap(struct sockaddress *);

int		 network_parse(struct slice, struct network *);		/* "10.0.0.0/8", "::1", "192.0.2.7"; -1 also when host bits are set */
bool		 network_holds(const struct network *, const struct sockaddress *);

#endif
