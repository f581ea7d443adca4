#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H
/*
 * relay — the owner of everything in this process: jobs from queue, DNS, connections.
 */
#include "base/buf.h"
#include "conf/conf.h"
#include "event/loop.h"
#include "net/resolver.h"
#include "relay/own.h"

struct relay;

struct relay_system {		/* found before the sandbox, where there are files and netlink */
	uint32_t		 server_count;
	struct sockaddress	 servers[RESOLVER_SERVERS_MAX];	/* of /etc/resolv.conf: for a configuration that names none */
	struct own		 own;			/* its conf is relay's to set */
};

struct relay	*relay_new(struct loop *, const struct conf *, const struct relay_system *, struct err *);
void		 relay_free(struct relay **);
/* A deliver wire to (a new) queue. Takes fd; an earlier wire is over. */
void		 relay_wire(struct relay *, int fd);
int		 relay_reload(struct relay *, const struct conf *, struct err *);	/* borrowed until the next */
/* Gives up what has not begun, finishes the rest; `done` once nothing is left. */
void		 relay_stop(struct relay *, void (*done)(void *), void *arg);
void		 relay_status(const struct relay *, struct buf *);

#endif
