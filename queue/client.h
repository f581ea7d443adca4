#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H
/*
 * client — a tool's connection, as the files that serve it see it: operator.c (coming, asking, going), listing.c (verbs that
 * look), steer.c (verbs that change) and pinning.c (a backup).
 *
 * What sleeps has to be asked of the store, so verbs take time. One is under way at a time; a client that goes away meanwhile stays
 * in memory until the store has answered (`busy`).
 */
#include "base/idset.h"
#include "ipc/channel.h"
#include "queue/queue.h"

struct client;

struct verb {
	const char	*name;
	bool		 changes;	/* for root and ourselves only */
	void		(*look)(struct client *, const struct operator_request *);
	void		(*each)(struct client *, struct message *);
	const char	*done;
};

enum looking { LOOKING_NONE, LOOKING_AWAKE, LOOKING_ASLEEP };

/* One of our own: whose mail, and when it was tried last. */
struct order {
	uint64_t	hash;		/* of the domain */
	int64_t		ended;		/* loop time; 0: never given */
	bool		runs;
};

struct client {
	TAILQ_ENTRY(client)	 link;
	struct operators	*all;
	struct queue		*queue;
	struct channel		*channel;	/* NULL: it is gone, or there is none */
	struct order		*own;		/* no tool's: an order of our own, without a channel; else NULL */
	bool			 gone;
	bool			 may_change;
	bool			 busy;		/* the store was asked something for it */
	struct arena		 arena;		/* of the request under way */
	struct arena		*item;		/* of the ITEM in the making; all clients' */
	uint32_t		 count;		/* messages shown or changed */
	/* listing */
	enum looking		 looking;
	struct message		*cursor;	/* AWAKE: the next one to show */
	uint64_t		 after;		/* ASLEEP: and steering: the next page begins above this id */
	struct slice		 domain;	/* of @domain; empty: all */
	void			(*wanted)(struct client *, struct message *);	/* once the message named by `after` is awake */
	struct idset		 shown;		/* those that were awake when they were shown */
	/* steering */
	bool			 walking;	/* through what sleeps, by id: `after` */
	uint32_t		 naps;		/* before this page */
	const struct verb	*verb;
	uint32_t		 nargs, arg;	/* arguments, and which one is under way */
	struct slice		 args[OPERATOR_ARGS_MAX];
	int64_t			 since_mono_ms;	/* when the order was given */
	struct idset		 unsettled;	/* changed, and not on disk yet */
	int64_t			 patience_ms;	/* loop_now until which they are waited for */
	struct timer		 pause;		/* until what was woken sleeps again, or what was changed is on disk */
	bool			 pins;		/* it has pinned the store */
	struct discard		 discard;
};

/* operator.c */
void	client_say(struct client *, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));	/* the OUTCOME */
void	client_done(struct client *);		/* its order has ended: one of our own goes */
/* The store has answered. True: the client is still there; otherwise it is freed now. */
bool	client_is_back(struct client *);
bool	client_domain(struct slice arg, struct slice *domain);	/* "@domain", or "all": empty. False: an id, then */

/* listing.c */
void	listing_list(struct client *, const struct operator_request *);
void	listing_show(struct client *, const struct operator_request *);
void	listing_cat(struct client *, const struct operator_request *);
void	listing_count(struct client *, const struct operator_request *);
void	listing_go_on(struct client *);		/* the tool has read what it was sent */
bool	listing_goes_to(const struct message *, struct slice domain);	/* an open recipient is there */

/* pinning.c */
void	pinning_pin(struct client *, const struct operator_request *);
void	pinning_unpin(struct client *, const struct operator_request *);
void	pinning_end(struct client *);		/* it goes away, and with it its pin */

/* steer.c */
void	steer(struct client *, const struct verb *, const struct operator_request *);
void	steer_woken(struct client *, struct message *);	/* it sleeps no more, through this order or anything else */
void	steer_go_on(void *client);		/* the pause is over */
void	steer_hold(struct client *, struct message *);
void	steer_release(struct client *, struct message *);
void	steer_retry(struct client *, struct message *);
void	steer_delete(struct client *, struct message *);

#endif
