#ifndef SCHEDULE_DESTINATION_H
#define SCHEDULE_DESTINATION_H
/*
 * destination — a transport and a next hop: how many jobs may go there at once, and when not at all.
 *
 * The window opens by one with each job that got through and closes to one probe when the destination itself
 * is in trouble (nobody answers, DNS fails); back-off belongs to the destination, so that a dead one with ten thousand
 * messages is asked by one job, and no message is rewritten for it. Most of those messages sleep (store/store.h): the
 * destination knows when the first of them is due, and has just so many woken as it can use soon.
 */
#include "queue/schedule/job.h"

struct destination {
	struct hash_node		 by_name;
	TAILQ_ENTRY(destination)	 turn;		/* in its transport's ring while it can start something */
	struct heap_node		 pause;		/* while it backs off */
	TAILQ_HEAD(, job)		 ready;
	struct job			*collecting;	/* the FRESH job that the next recipient of its message joins */
	enum transport			 transport;
	struct slice			 nexthop;
	uint32_t			 jobs;		/* that name it, in any state; 0: may be forgotten */
	uint32_t			 in_flight, window, most;
	uint32_t			 failures;	/* in a row, of the destination itself */
	int64_t				 resume_mono_ms;	/* backs off until then; 0: does not */
	int64_t				 paused_mono_ms;	/* since then */
	bool				 has_turn;
	uint32_t			 lined_up;	/* jobs in `ready` */
	struct heap_node		 sleepers;	/* while some sleep and it could use them */
	int64_t				 added_mono_ms;	/* waking: the same for those that fell asleep meanwhile */
	int64_t				 wake_mono_ms;	/* none that sleeps is due before; DESTINATION_NONE_SLEEP */
	bool				 waking;	/* some were asked for and have not come yet */
};

#define DESTINATION_NONE_SLEEP	INT64_MAX
#define DESTINATION_UNROUTED	64	/* messages at a time of which nobody knows yet where they go */

/* The store's name for it (plan_row): the transport's letter, then the next hop. What has no way yet waits for the empty name. */
#define DESTINATION_KEY_MAX	(NEXTHOP_MAX + 1)
struct slice		 destination_key(enum transport, struct slice nexthop, char out[DESTINATION_KEY_MAX]);
int			 destination_of_key(struct slice key, enum transport *, struct slice *nexthop);	/* -1: no such name */

struct destination	*destination_new(enum transport, struct slice nexthop, uint32_t most);	/* NULL: no memory */
void			 destination_free(struct destination **);
bool			 destination_can_start(const struct destination *);
/* How many of its sleeping messages it could use now; 0: none, it has enough to do or backs off. */
uint32_t		 destination_wants(const struct destination *);
/* More jobs line up for it than will be started soon: they may as well sleep. */
bool			 destination_is_crowded(const struct destination *);
/* One job came back: did the destination itself answer? Returns how long to back off in ms from now; 0: nothing changes. */
int64_t			 destination_answered(struct destination *, bool reachable);

#endif
