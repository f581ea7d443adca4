#ifndef LOOKUP_INSIDE_H
#define LOOKUP_INSIDE_H
/*
 * inside — the broker as lookup.c and client.c see it; nobody else includes this.
 *
 * client.c has the wires of those who ask: frames in, answers out. lookup.c has all that stands
 * behind them: the questions that wait, the pool, the cache, the tables.
 */
#include <bsd/sys/queue.h>

#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/address/resolve.h"
#include "lookup/cache.h"
#include "lookup/line.h"
#include "lookup/lookup.h"
#include "lookup/pool.h"
#include "lookup/tables.h"

struct client {
	TAILQ_ENTRY(client)	 all;
	struct lookup		*lookup;
	enum wire_role		 role;
	struct channel		*channel;
	struct line		 line;
};

struct lookup {
	struct loop		*loop;
	const struct conf	*conf;
	lookup_child_fn		*child;
	struct domains		*domains;
	struct resolver		 resolver;	/* without users: for what needs none */
	struct pool		*pool;
	struct cache		*cache;
	struct arena		 scratch;	/* of one frame */
	uint64_t		 generation;
	TAILQ_HEAD(, client)	 clients;
	struct lines		 lines;
	struct timer		 deadline, check_timer;
	bool			 checking;	/* a worker looks at the passwd-files; its question is this member */
	struct tables		 tables;
	uint64_t		 asked, cached, refused;
};

/* client.c — answers to one wire; lost in silence when the wire has ended. */
void	client_send_routes(struct client *, struct route_answer *);	/* fills in the generation */
void	client_send_mailbox(struct client *, const struct mailbox_answer *);
void	client_send_sender(struct client *, const struct sender_answer *);
/* "Try later" to a question of this type, once for each of its `count` addresses. */
void	client_try_later(struct client *, uint16_t type, uint64_t serial, uint32_t count);
/* Ends the wire and forgets its questions. */
void	client_drop(struct client *);

/* lookup.c — a question that needs a worker: puts it in line. `frame` is its body as it came. */
void		lookup_ask(struct client *, uint16_t type, uint64_t serial, uint32_t count, struct slice frame);
/* How long a positive answer may be kept, in milliseconds; 0: not at all. */
uint32_t	lookup_ttl_ms(const struct lookup *);

#endif
