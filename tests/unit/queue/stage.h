#ifndef QUEUE_STAGE_H
#define QUEUE_STAGE_H
/*
 * stage — the real owner of the queue on a store of its own, and all other ends of its wires played by the test.
 *
 * lookup's part: "local..." has a mailbox, "unknown..." has none, "later..." is trouble, "postmaster@mail.test" is the local
 * mailbox "postmaster" unless `no_postmaster`; everything else is remote and goes to its domain.
 */
#include "tests/support/testing.h"

#include "event/timer.h"
#include "ipc/channel.h"
#include "queue/queue.h"
#include "wire/control.h"

#define STAGE_AGENTS	3	/* relay 0, relay 1, mda */
#define STAGE_JOBS	512
#define MDA		2

struct played_job {		/* as an agent got it */
	uint64_t	lease, id;
	uint32_t	flags, count, size;
	uint32_t	indexes[JOB_RECIPIENTS_MAX];
	char		first[ADDRESS_FIELD_MAX + 1];	/* address of its first recipient */
	char		nexthop[NEXTHOP_MAX + 1];
	bool		null_path, by_fd;
	enum tls_tag	tls;
	uint32_t	crc;
	int		agent;
	char		head[256];	/* of its content */
};

struct peer {
	struct stage_set	*set;
	struct channel		*channel;
	int			 which;
};

struct stage_set {
	struct loop		*loop;
	struct process		 process;
	struct conf		*conf;
	struct timer		 end;
	int64_t			 turned_ms;	/* by stage_turn; turned back at the end */
	char			 dir[256], spool[512];
	struct peer		 smtpd, lookup, agents[STAGE_AGENTS], tool;
	int			 listener;
	bool			 up, no_postmaster, silent;
	bool			 lenient;	/* allocations fail, the test's own among them: frames may get lost */
	size_t			 content_size;	/* of what is submitted; 0: a short one */
	const char		*words;		/* what agents say; NULL: something short */
	uint32_t		 notify;	/* of every recipient that is submitted */
	enum ret		 ret;
	enum tls_tag		 tls;
	bool			 tells;		/* next hops offer DSN */
	/* smtpd */
	uint64_t		 next_id;
	struct auth_token	 token;		/* of what is submitted */
	enum submit_room	 room;
	uint32_t		 verdicts[VERDICT_COUNT], wait_s;	/* of the last one */
	/* lookup */
	uint32_t		 questions, asked;
	/* agents */
	struct played_job	 jobs[STAGE_JOBS];
	uint32_t		 job_count;
	uint64_t		 committed[STAGE_JOBS];
	uint32_t		 committed_count, cancelled;
	bool			 ended[STAGE_AGENTS];	/* queue closed on it */
	/* operator */
	uint32_t		 items, item_recipients, outcomes;
	bool			 ok;
	char			 said[512];
};

void	stage_open(struct stage_set *);		/* the owner runs, nobody else is there */
void	stage_close(struct stage_set *);
void	stage_all(struct stage_set *);		/* smtpd (trusted), lookup, relay 0, mda with a credit of 100 */
void	stage_rounds(struct stage_set *, int64_t ms);
/* Runs until *value is `want` or two seconds are over; then the test fails. */
void	stage_until(struct stage_set *, const uint32_t *value, uint32_t want);
void	stage_stop(struct stage_set *);		/* in order */
void	stage_start(struct stage_set *);
void	stage_crash(struct stage_set *);	/* as if killed at this moment; the owner starts anew, nobody else is there */
void	stage_turn(struct stage_set *, int64_t ms);	/* both clocks, and lets what is due happen */

void	stage_smtpd(struct stage_set *, enum wire_role);
void	stage_lookup(struct stage_set *);
/* `leases` may be NULL. */
void	stage_agent(struct stage_set *, int which, bool fault, uint32_t credit, const struct deliver_hello *leases);
void	stage_agent_dies(struct stage_set *, int which);
/* Submits and waits for the verdict; the id. `count` recipients: with more than one, "%u" in the address is the number. */
uint64_t stage_submit(struct stage_set *, const char *from, const char *to, uint32_t count);
void	stage_send(struct stage_set *, uint64_t id, const char *from, const char *to, uint32_t count);	/* without waiting */
/* The agent's word about all recipients of a job. */
void	stage_report(struct stage_set *, const struct played_job *, enum action, struct status, bool finished);
struct played_job *stage_job(struct stage_set *, uint32_t nth);	/* waits for it */
bool	stage_committed(const struct stage_set *, uint64_t lease);
void	stage_operator(struct stage_set *, const char *verb, const char *arg);	/* waits for the outcome */
long	stage_status(struct stage_set *, const char *name);
void	stage_status_is(struct stage_set *, const char *name, long want);	/* waits for it */

/* Between the files of the stage. */
int	stage_bad_frame(const struct peer *);			/* a frame that queue must not send */
void	stage_peer_ended(void *peer, const char *why);
void	stage_listen_for_tools(struct stage_set *);

#endif
