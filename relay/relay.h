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
struct tls_context;

struct relay_system {		/* found before the sandbox, where there are files and netlink */
	uint32_t		 server_count;
	struct sockaddress	 servers[RESOLVER_SERVERS_MAX];	/* of /etc/resolv.conf: for a configuration that names none */
	struct own		 own;			/* its conf is relay's to set */
};

/* Takes the context (also on failure), as does relay_reload: connections that are open keep theirs. */
struct relay	*relay_new(struct loop *, const struct conf *, const struct relay_system *, struct tls_context **, struct err *);
void		 relay_free(struct relay **);
/* A deliver wire to (a new) queue. Takes fd; an earlier wire is over. */
void		 relay_wire(struct relay *, int fd);
int		 relay_reload(struct relay *, const struct conf *, struct tls_context **, struct err *);	/* conf is borrowed until the next */
/* Gives up what has not begun, finishes the rest; `done` once nothing is left. */
void		 relay_stop(struct relay *, void (*done)(void *), void *arg);
bool	relay_is_whole(const struct relay *);	/* its wires are there, or there is something to keep for queue */
void		 relay_status(const struct relay *, struct buf *);

#endif
