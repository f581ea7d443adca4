#ifndef STORE_ORDER_H
#define STORE_ORDER_H
/*
 * order — what the loop wants changed in spool and catalog, one message at a time; those that wait
 * become durable together, in one round.
 */
#include <bsd/sys/queue.h>
#include <stdbool.h>

#include "queue/store/catalog.h"
#include "queue/store/spool.h"

struct evacuator;
struct stored;

enum order_kind {
	ORDER_NONE,
	ORDER_SPOOL,		/* out of the ring: file and record */
	ORDER_UPDATE,		/* a newer state, or another plan */
	ORDER_FORGET		/* it is finished: record and file go */
};

enum order_result { ORDER_NONE_YET, ORDER_NOT_DONE, ORDER_DONE, ORDER_DAMAGED };	/* DAMAGED: the content in the ring fails its checksum */

struct order {
	STAILQ_ENTRY(order)	 next;
	enum order_kind		 kind;
	enum order_result	 result;
	bool			 urgent;	/* space is wanted: the round begins at once */
	struct stored		*stored;	/* the loop's; borrowed, never looked at here */
	struct catalog_record	 record;	/* SPOOL: folder and place are the answer */
	struct slice		 plan;
	int			 ring_fd;	/* SPOOL, small: where the content lies now */
	uint32_t		 ring_at;
	struct spool_file	 file;		/* the thread's own */
	char			 bytes[];	/* envelope, plan */
};
STAILQ_HEAD(order_list, order);

struct order	*order_new(enum order_kind, struct stored *, size_t bytes);	/* NULL: no memory */
void		 order_free(struct order *);
/* The evacuator's thread: all of them, or what can be of them; each result says what came of it. */
void		 order_round(struct evacuator *, struct order_list *, int64_t clock_ms);

#endif
