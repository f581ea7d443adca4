#ifndef STORE_EVACUATOR_H
#define STORE_EVACUATOR_H
/*
 * evacuator — the thread that owns spool and catalog: it moves mail out of the ring, keeps the
 * catalog up to date, and looks things up in it.
 *
 * Orders change the disk: those that wait become durable together, in one round. Questions are
 * answered between two rounds. Nobody waits for either: the bell of post.h calls the loop, which
 * fetches what was finished, orders and questions each in the order in which they were given.
 *
 * A message that somebody has in memory is *lent*: no question by time or destination brings it up
 * again until the loop releases it. What is finished stays lent until it is forgotten.
 */
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>


#include "base/idset.h"
#include "queue/store/holds.h"
#include "queue/store/hunt.h"
#include "queue/store/order.h"
#include "queue/store/question.h"

struct large;
struct post;

struct evacuator {
	struct catalog		*catalog;
	struct spool		 spool;
	struct holds		 holds;		/* the thread's */
	struct large		*large;		/* for the directory of large contents */
	struct post		*post;		/* rings when something was finished; words for the log */
	int			 queue_dir;
	char			 path[PATH_MAX];	/* of the catalog */
	struct idset		 lent;		/* the thread's */
	struct hunt		 hunt;		/* the thread's */
	int64_t			 clock_ms;	/* under lock: of the latest order */
	struct buf		 scratch;
	pthread_t		 thread;
	bool			 started;
	pthread_mutex_t		 lock;
	pthread_cond_t		 wake;
	/* under lock */
	struct order_list	 orders, orders_done;
	struct question_list	 questions, answered;
	uint32_t		 waiting;	/* orders */
	int64_t			 due;		/* when the next round begins at the latest; 0: now */
	bool			 closing;
	bool			 pinned;	/* no round begins, the hunt and compaction wait */
	uint32_t		 adopted;	/* messages that the hunt has found, not told yet */
	bool			 hunted;	/* the hunt has ended well */
	bool			 condemned;	/* the catalog was set aside: only a new start helps; the thread alone sets it */
	char			 why[256];
	struct catalog_totals	 totals;
};

int	evacuator_open(struct evacuator *, const char *queue_path, int queue_dir, uint32_t epoch, struct large *, struct post *,
	    struct err *);
struct ring_word {			/* what the ring says at a start */
	uint64_t	*ids;		/* whose PUT or DONE it holds, ascending */
	size_t		 count;
	uint32_t	 commits;	/* of the catalog: at least so many there were */
};
/* In recovery, when the ring was read: takes `ids`. A catalog that was lost, or that lacks changes, is made anew from the spool:
 * that takes the time that it takes. */
int	evacuator_rebuild(struct evacuator *, const struct ring_word *, int64_t clock_ms, struct err *);
int	evacuator_start(struct evacuator *, struct err *);
void	evacuator_stop(struct evacuator *);	/* finishes the orders that were given */
void	evacuator_close(struct evacuator *);

void	evacuator_order(struct evacuator *, struct order *, int64_t clock_ms);	/* takes */
void	evacuator_ask(struct evacuator *, struct question *);			/* takes */
/* No order is begun from now on; takes a QUESTION_STILL, which is answered when spool and catalog stand still. */
void	evacuator_pin(struct evacuator *, struct question *);
void	evacuator_unpin(struct evacuator *);
/* What was finished since the last call; the lists are the caller's now. Returns how many messages
 * the hunt has brought back since: they wait for the destination without a name. *hunted: no file of
 * the spool depends on what the ring knew at the start. *totals: with all of it, and nothing else. */
uint32_t evacuator_take(struct evacuator *, struct order_list *, struct question_list *, bool *hunted, struct catalog_totals *totals);
bool	evacuator_has_news(struct evacuator *);
bool	evacuator_is_condemned(struct evacuator *, char why[256]);
struct catalog_totals evacuator_totals(struct evacuator *);

/* In recovery, before the thread runs: all orders, now; the hunt, now. */
void	evacuator_serve_all(struct evacuator *);
int	evacuator_hunt_now(struct evacuator *, struct err *);

/* order.c and question.c: what fails now may go well later; or the catalog is set aside. */
void	evacuator_put_off(struct evacuator *, const struct err *why);
void	evacuator_doubt_catalog(struct evacuator *, const struct err *why);	/* puts off what passes by itself, else condemns */
void	evacuator_condemn(struct evacuator *, const struct err *why);

#endif
