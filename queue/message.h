#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H
/*
 * message — one message that we have promised to deliver: its envelope, its place in the store, and where each
 * recipient stands in the schedule.
 *
 * The rooms of queue hand messages to each other through the owner (queue.c). The envelope's fates are the truth as
 * it is told to the store; what is beyond the envelope is forgotten by a restart.
 */
#include <bsd/sys/queue.h>

#include "base/arena.h"
#include "base/hash.h"
#include "mail/envelope.h"
#include "mail/queue_id.h"
#include "ipc/reader.h"
#include "store/store.h"

struct job;
struct message;

enum stage {
	STAGE_NONE,
	STAGE_ROUTING,		/* lookup is asked, or will be asked again */
	STAGE_JOB,		/* in a job of the schedule */
	STAGE_STUCK,		/* no way to go and none to return: held with an alarm */
	STAGE_FINAL		/* its fate is final (and maybe not yet on disk) */
};

struct place {			/* of one recipient, beside its fate */
	enum stage	 stage;
	struct job	*job;			/* STAGE_JOB */
	struct routing	*routing;		/* STAGE_ROUTING: the question that is under way (accept.c); NULL: to be asked again */
	bool		 dirty;			/* its fate is newer than what the store was told */
	bool		 news;			/* an attempt ended: a log line is due when it is on disk */
	bool		 reported;		/* the agent has spoken of it in this attempt */
	bool		 owed;			/* it has ended, and no notification about that is under way (FATE_OWED: none is durable) */
	bool		 warn;			/* the sender is to be told of the delay */
	bool		 passed;		/* relayed, and the next hop tells the sender what the sender wants to hear */
	char		*words;			/* the bytes of fate.last.text and .mta; owned */
	int64_t		 delays_ms[4];		/* for the log: in queue, agent's wait, connection, transmission */
	struct slice	 nexthop;		/* where it goes, once routed; borrowed from the destination */
};

struct message {
	TAILQ_ENTRY(message)	 all;		/* in order of acceptance */
	TAILQ_ENTRY(message)	 due;		/* waits for its settlement (settle.c) */
	TAILQ_ENTRY(message)	 memory;	/* while it holds content that the store has, too */
	TAILQ_ENTRY(message)	 lost_way;	/* while a recipient waits to be routed again (accept.c) */
	struct hash_node	 by_id;
	struct arena		 arena;		/* envelope and places */
	queue_id		 id;
	struct stored		*stored;	/* NULL: not yet promised */
	struct envelope		 envelope;
	struct place		*places;	/* one per recipient */
	char			*content;	/* NULL: only in the store */
	uint32_t		 open;		/* recipients whose fate is not final */
	LIST_HEAD(, job)	 jobs;		/* the schedule's */
	int64_t			 arrival_mono_ms;	/* acceptance on this life's monotonic clock (schedule/expiry.h) */
	int64_t			 urged_mono_ms;	/* an operator wanted it tried then (schedule_resume); 0: nobody did */
	int64_t			 notice_after_ms;	/* monotonic: its sender has had enough notifications until then */
	bool			 settling;	/* a change of it is with the committer */
	bool			 folded;	/* and the store copied the envelope meanwhile */
	bool			 due_queued;	/* in the list of settlements */
	bool			 blocked;	/* or in that of those which wait for better times */
	bool			 deleted;	/* an operator's wish; results that still come are acknowledged and forgotten */
	bool			 in_memory;	/* in that list */
	bool			 no_way;	/* in that list */
	bool			 large;		/* the content has a file of its own */
	bool			 is_spooled;	/* it has left the ring: it may sleep */
	bool			 replan;	/* it is wanted earlier than the plan says with which it was sent to sleep */
};

/* An empty message whose arena may hold envelopes of any legal size. NULL: no memory. */
struct message	*message_new(queue_id);
/* Makes the places once the envelope is there. -1: no memory. */
int		 message_ready(struct message *);
/* Stages, debts and `open` anew from the fates: after deltas that the disk had. Nothing may be routed or scheduled yet. */
void		 message_count_open(struct message *);
void		 message_free(struct message **);
/* Copies outcome and words into the recipient's fate and marks it dirty. Without memory the words are lost, the fact is not. */
void		 message_set_outcome(struct message *, uint32_t index, const struct outcome *);
/* A STATE of the store's, as settle.c writes it. -1: it cannot be read, or names a recipient that is not there. */
int		 message_apply_delta(struct message *, struct reader *);
bool		 message_is_bounce(const struct message *);	/* null reverse-path */
bool		 message_held(const struct message *);		/* any open recipient is held */

#endif
