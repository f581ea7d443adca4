#ifndef SCHEDULE_JOB_H
#define SCHEDULE_JOB_H
/*
 * job — recipients of one message that go one way: the unit of trying, waiting and reporting.
 *
 * A job keeps its recipients from attempt to attempt; each attempt takes those that are still open and not held.
 */
#include "base/heap.h"
#include "queue/message.h"
#include "wire/deliver.h"
#include "wire/lookup.h"

struct destination;

enum job_state {
	JOB_NONE,
	JOB_FRESH,		/* still collecting recipients in this round */
	JOB_WAITING,		/* in the heap, for its time */
	JOB_READY,		/* in its destination's line */
	JOB_ACTIVE,		/* in an agent's hands */
	JOB_SETTLING,		/* results are in, on their way to the disk */
	JOB_HELD		/* every open recipient is held */
};

struct job {
	TAILQ_ENTRY(job)	 link;		/* FRESH: schedule; READY: destination */
	LIST_ENTRY(job)		 of_message;
	struct heap_node	 due;		/* WAITING */
	struct hash_node	 by_lease;	/* ACTIVE: in agent.c's table */
	LIST_ENTRY(job)		 lost;		/* its agent ended, and nobody has said yet whose fault that was */
	int64_t			 due_mono_ms;
	bool			 is_far;	/* WAITING: due_mono_ms is only when to look again */
	struct message		*message;
	struct destination	*destination;	/* NULL: an agent presented it and it is not routed yet */
	enum job_state		 state;
	uint64_t		 lease;		/* ACTIVE, SETTLING */
	void			*agent;		/* ACTIVE: agent.c's */
	int64_t			 ready_mono_ms, started_mono_ms;
	uint32_t		 flags;		/* JOB_MAYBE */
	bool			 is_lost;	/* in such a list of agent.c */
	uint32_t		 deaths;	/* agents that died by their own fault while they had it */
	uint32_t		 count;
	uint32_t		 indexes[];	/* into the envelope; JOB_RECIPIENTS_MAX places */
};

#define JOB_DEATHS_ALONE	2	/* from here on nothing else is in flight with its agent */
#define JOB_DEATHS_HELD		3	/* and here a person has to look */

struct job	*job_new(struct message *, struct destination *, uint32_t places);	/* NULL: no memory */
void		 job_free(struct job **);		/* unlinked from everything by the caller */
/* Open, not held: what an attempt would take now. */
bool		 job_wants(const struct job *, uint32_t nth);
uint32_t	 job_open(const struct job *);		/* recipients not final, held ones included */
/* When the next attempt is due (wall clock ms; 0: at once), -1 when nothing but held recipients is left. */
int64_t		 job_next_wall_ms(const struct job *);

#endif
