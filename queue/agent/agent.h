#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H
/*
 * agent — the relays and the mda at the other ends of the deliver wires: their credit, and the jobs in their hands.
 *
 * Every job in flight has a lease. An agent that goes away gives its jobs back through ops.lost; results with a lease that nobody
 * knows are acknowledged and forgotten, so an agent never waits for a queue that has changed its mind.
 */
#include "event/loop.h"
#include "queue/schedule/destination.h"

struct agents;
struct agent;

struct agents_ops {
	/* A HELLO names this message. True: it has to be brought to memory first, and agents_brought follows. */
	bool	(*bring)(void *arg, queue_id);
	/* A HELLO: leases that the agent holds are offered one by one; the owner adopts (agents_adopt) or lets them be forgotten. */
	void	(*lease)(void *arg, struct agent *, const struct lease *);
	/* What became of a job's recipients, or that its content is damaged. `job` is out of the table when `finished`. */
	void	(*results)(void *arg, struct job *, const struct deliver_results *);
	/* The agent is gone: the job is nobody's now. */
	void	(*lost)(void *arg, struct job *);
	/* There is room for jobs of this transport again; `all_known`: every expected agent of it has said HELLO or has died. */
	void	(*room)(void *arg, enum transport, bool all_known);
};

struct agents	*agents_new(struct loop *, uint64_t first_lease, const struct agents_ops *, void *arg, struct err *);
void		 agents_free(struct agents **);
/* How many agents of a transport there will be; recovered mail waits until each has said what it holds, or has died. */
void		 agents_expect(struct agents *, enum transport, uint32_t count);
/* Takes the descriptor. An agent with the same number that is still there is replaced: it is dead. `fault`: the one before it died
 * by its own fault, and each job that it had in hand has one more death to its name. */
int		 agents_attach(struct agents *, enum transport, uint32_t number, bool fault, int fd, struct err *);

/* Gives the job to an agent of its transport. Either `content` or `fd` (borrowed) holds the message; the agent compares the
 * checksum of a file. 0, or -1: none has room. */
int		 agents_give(struct agents *, struct job *, struct slice content, int fd);
bool		 agents_have_room(const struct agents *, const struct job *);
/* The message is in memory now, or nowhere. */
void		 agents_brought(struct agents *, queue_id);
/* The owner knows this lease's message: the job is in flight with that agent again. */

void		 agents_adopt(struct agents *, struct agent *, struct job *, uint64_t lease);
/* The results of this lease are on disk: whoever still holds it may forget it. */
void		 agents_committed(struct agents *, uint64_t lease);
/* Give it up if nothing was sent yet; results come in any case. */
void		 agents_cancel(struct agents *, struct job *);
/* The message is gone: results that still come for this job are acknowledged and forgotten, and only then the agent has room for
 * another. Not in flight: nothing. */
void		 agents_forget(struct agents *, struct job *);
uint32_t	 agents_in_flight(const struct agents *);

#endif
