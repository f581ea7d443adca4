#ifndef RELAY_POOL_H
#define RELAY_POOL_H
/*
 * pool — idle connections by next hop. What nobody takes in time says QUIT and goes.
 */
#include "relay/client/client.h"

struct pool;

struct pool	*pool_new(struct loop *, struct err *);
void		 pool_free(struct pool **);				/* closes what is in it */
/* Gives; NULL when none idles, or none that `protects` what requires TLS (client_protects). Adopt it at once. */
struct client	*pool_take(struct pool *, struct slice nexthop, bool protects);
/* Takes it; one that is not usable, or has carried `most` messages, is ended instead. */
void		 pool_give(struct pool *, struct slice nexthop, struct client **, uint32_t most);
void		 pool_drop_all(struct pool *);				/* says QUIT to all: an orderly stop */
uint32_t	 pool_count(const struct pool *);

#endif
