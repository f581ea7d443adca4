#ifndef WIRE_DELIVER_H
#define WIRE_DELIVER_H
/*
 * deliver — queue gives jobs to an agent (relay, mda); the agent says what became of each recipient.
 *
 *	agent → queue	HELLO		first: how many jobs at once, and the leases that outlived a queue
 *			RESULTS		fates of some or all recipients of a job; kept by the agent until COMMITTED
 *	queue → agent	JOB [+ fd]	recipients of one message going one way; content inline or by descriptor
 *			COMMITTED	the results of this job are on disk: forget it
 *			CANCEL		give this job up if nothing was sent yet (an operator deleted or held it)
 *
 * A job is named by its lease, a number that no two lives of queue share. A lease that queue does
 * not know is answered with COMMITTED.
 */
#include "wire/fields.h"

#define DELIVER_VERSION		4
#define JOB_RECIPIENTS_MAX	100
#define AGENT_LEASES_MAX	4096
#define AGENT_CREDIT_MAX	65536

enum deliver_frame {
	DELIVER_NONE, DELIVER_HELLO, DELIVER_RESULTS, DELIVER_JOB, DELIVER_COMMITTED, DELIVER_CANCEL,
	DELIVER_FRAME_COUNT
};

enum { JOB_MAYBE = 1 << 0, JOB_SMTPUTF8 = 1 << 1, JOB_FLAGS_ALL = JOB_MAYBE | JOB_SMTPUTF8 };

struct job_recipient {
	uint32_t	index;		/* within the message's envelope */
	struct slice	address;	/* canonical */
	struct slice	original;	/* as RCPT named it; empty when the same */
	struct slice	orcpt;		/* mail/envelope.h; empty: none was given */
	uint32_t	notify;		/* NOTIFY_ */
};

struct deliver_job {
	uint64_t		 lease;
	uint64_t		 id;		/* queue id */
	uint64_t		 nonce;
	int64_t			 arrival_ms;
	uint32_t		 flags;		/* JOB_ */
	enum body_type		 body;
	enum tls_tag		 tls;
	enum ret		 ret;
	struct slice		 envid;		/* empty: none was given */
	struct slice		 nexthop;	/* relay: domain or "[host]:port"; mda: the mailbox' owner */
	struct slice		 reverse_path;
	uint32_t		 size;
	uint32_t		 crc;		/* by_fd: crc32c of the content, to be compared while it is read; else 0 */
	bool			 by_fd;		/* the content is the file that comes with the frame, `size` bytes */
	struct slice		 content;	/* else here, `size` bytes, at most CONTENT_INLINE_MAX */
	uint32_t		 count;		/* 1 .. JOB_RECIPIENTS_MAX */
	struct job_recipient	*recipients;
};

struct deliver_result {
	uint32_t	index;
	struct outcome	outcome;	/* never ACTION_NONE */
	bool		tells;		/* relayed: the next hop offers DSN and has taken over what the sender is to be told */
};

struct deliver_results {
	uint64_t		 lease;
	uint64_t		 id;		/* so that a queue that restarted knows the message */
	bool			 finished;	/* nothing more will be said about this job */
	bool			 damaged;	/* finished: the content is not what `crc` says; whom no result names was given nothing */
	int64_t			 delays_ms[2];	/* connection set-up, transmission: for the log line's delays= */
	uint32_t		 count;
	struct deliver_result	*results;
};

struct lease {			/* in HELLO: what an agent has in flight, or finished and not yet COMMITTED */
	uint64_t	lease;
	uint64_t	id;
	uint32_t	count;
	uint32_t	*indexes;	/* recipients */
};

struct deliver_hello {
	uint32_t	credit;		/* jobs at once */
	uint32_t	count;
	struct lease	*leases;
};

struct deliver_lease {		/* COMMITTED, CANCEL */
	uint64_t	lease;
};

/* Arrays come from the arena, slices are borrowed from the frame. */
void	deliver_hello_put(struct buf *, const struct deliver_hello *);
int	deliver_hello_get(struct reader *, struct arena *, struct deliver_hello *);
void	deliver_job_put(struct buf *, const struct deliver_job *);
int	deliver_job_get(struct reader *, struct arena *, struct deliver_job *);
void	deliver_results_put(struct buf *, const struct deliver_results *);
int	deliver_results_get(struct reader *, struct arena *, struct deliver_results *);
void	deliver_lease_put(struct buf *, const struct deliver_lease *);
int	deliver_lease_get(struct reader *, struct deliver_lease *);

#endif
