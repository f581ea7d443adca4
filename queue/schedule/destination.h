#ifndef SCHEDULE_DESTINATION_H
#define SCHEDULE_DESTINATION_H
/*
 * destination — a transport and a next hop: how many jobs may go there at once, and when not at all.
 *
 * The window opens by one with each job that got through and closes to one probe when the destination itself
 * is in trouble (nobody answers, DNS fails); back-off belongs to the destination, so that a dead one with ten thousand
 * messages is asked by one job, and no message is rewritten for it.
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
	bool				 has_turn;
};

struct destination	*destination_new(enum transport, struct slice nexthop, uint32_t most);	/* NULL: no memory */
void			 destination_free(struct destination **);
bool			 destination_can_start(const struct destination *);
/* One job came back: did the destination itself answer? Returns how long to back off in ms; 0: not at all. */
int64_t			 destination_answered(struct destination *, bool reachable);

#endif
