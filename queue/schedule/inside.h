#ifndef SCHEDULE_INSIDE_H
#define SCHEDULE_INSIDE_H
/* inside — what schedule.c (jobs that are awake) and wake.c (mail that sleeps) share; nobody else includes it. */
#include "event/timer.h"
#include "queue/schedule/schedule.h"

struct ring {			/* of one transport */
	TAILQ_HEAD(, destination)	destinations;
	bool				paused, full;	/* full: the agents said START_LATER */
};

struct schedule {
	struct loop			*loop;
	const struct schedule_ops	*ops;
	void				*arg;
	struct hash			 destinations;
	struct heap			 waiting, pausing, sleeping;
	TAILQ_HEAD(, job)		 fresh;
	struct ring			 rings[TRANSPORT_COUNT];
	uint32_t			 destination_jobs;
	struct timer			 timer;
	struct hook			 hook;
};

/* schedule.c */
void			 schedule_run_soon(struct schedule *);
struct destination	*schedule_destination(struct schedule *, enum transport, struct slice nexthop);	/* made when new; NULL: no memory */
void			 schedule_release(struct schedule *, struct destination *);	/* a job less; frees it when nobody needs it */

/* wake.c */
bool			 schedule_wakes_before(const struct heap_node *, const struct heap_node *);
void			 schedule_consider(struct schedule *, struct destination *);	/* could it use sleeping mail now? */
void			 schedule_wake_due(struct schedule *);

#endif
