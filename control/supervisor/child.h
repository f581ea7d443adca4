#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H
/*
 * child — one place in the cast and whoever plays it now: started, ready, stopping, dead, waiting to be started again.
 *
 * A child that is told to go and does not is killed; a new process takes the place only when the old one was reaped, so two never
 * act at the same time. The owner hears of what matters by `child_ops`.
 */
#include <bsd/sys/queue.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "control/supervisor/service_table.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "wire/control.h"

#define CHILD_PING_MS		3000
#define CHILD_SILENT_MS		10000
#define CHILD_READY_MS		60000	/* how long start-up may take: queue reads its whole ring */
#define CHILD_WHY_MAX		300

enum child_state {
	CHILD_NONE,
	CHILD_WAITING,		/* no process; the deadline is when to start one */
	CHILD_STARTING,		/* BOOT sent */
	CHILD_READY,
	CHILD_STOPPING,		/* STOP sent; the deadline is when it is killed */
	CHILD_KILLED,		/* SIGKILL sent, not reaped yet */
	CHILD_REAPED,		/* dead at birth; its last words are being read */
	CHILD_GONE		/* no process, and none wanted */
};

struct child;
struct child_ops {
	void	(*ready)(void *, struct child *);
	void	(*due)(void *, struct child *);		/* child_start_later's time has come: child_start it, or not yet */
	/* Reaped. The owner says what next: child_start, child_start_later, or neither (then it stays gone). */
	void	(*ended)(void *, struct child *, int status);
	void	(*prepared)(void *, struct child *, const struct control_conf *);
	void	(*status)(void *, struct child *, struct slice text);
	void	(*wants_stop)(void *, struct child *);	/* queue's operator socket was told to */
};

/* What all children share. Outlives them. */
struct stage {
	struct loop		*loop;
	const struct conf	*conf;		/* in force; for BOOT */
	const struct tls_files	*tls;		/* and its files */
	const char		*libexec;
	int			 lock;		/* RUNDIR/lock */
	bool			 paused;
	uint32_t		 last_number;
	const struct child_ops	*ops;
	void			*arg;
};

struct child {
	TAILQ_ENTRY(child)	 entry;
	const struct service_row *row;
	uint32_t		 instance;
	char			 name[PROCESS_NAME_MAX];
	struct stage		*stage;
	enum child_state	 state;
	uint32_t		 number;	/* of the process, in this start */
	pid_t			 pid;		/* 0: none */
	int			 status;	/* as waitpid gave it, when it is dead */
	struct channel		*control;
	int			 log;		/* logger's end of its log socket; -1: none */
	struct timer		 deadline;
	int64_t			 born, heard, pinged;
	unsigned		 early;		/* deaths at birth in a row */
	bool			 wanted;	/* to be started again when it dies */
	bool			 asked;		/* PREPARE or STATUS_ASK sent and not answered */
	bool			 fault;		/* its last process, when it served, ended by its own fault */
	bool			 renew;		/* told to go because a new process shall take its place at once */
	struct discard		 discard;
	bool			 refused;	/* the process said why it cannot start: `why` */
	char			 why[CHILD_WHY_MAX];
};
TAILQ_HEAD(child_list, child);

struct child	*child_new(struct stage *, const struct service_row *, uint32_t instance);	/* CHILD_GONE; NULL: no memory */
void		 child_free(struct child **);		/* nothing may be running */
void		 child_start(struct child *);		/* now; a failure waits as after an early death */
void		 child_start_later(struct child *, int64_t ms);
void		 child_stop(struct child *, int64_t within_ms);	/* STOP, then SIGKILL */
void		 child_kill(struct child *, const char *why);	/* SIGKILL; why NULL: no line in the log */
void		 child_reaped(struct child *, int status);
void		 child_watch(struct child *, int64_t now);	/* every second: pings the quiet, kills the silent */
bool		 child_running(const struct child *);		/* has a process */

/* Frames; nothing happens unless the child is ready. fd is borrowed. */
void		 child_send_wire(struct child *, enum wire_kind, enum wire_role, uint32_t number, int fd);
/* An end of a wire between the two, with what is to be known of the other one. */
void		 child_send_peer(struct child *, const struct child *peer, enum wire_kind, int fd);
void		 child_send_listener(struct child *, enum wire_kind, enum wire_role, uint32_t number, int fd);
/* Belongs to the BOOT or PREPARE that follows; also to a child that is only starting. fd is borrowed. */
void		 child_send_file(struct child *, enum passed, uint32_t number, int fd);
void		 child_send_tickets(struct child *, const struct control_tickets *);
void		 child_send_prepare(struct child *, const struct conf *, const struct tls_files *);
void		 child_send_commit(struct child *, uint64_t generation, bool ok);
void		 child_ask_status(struct child *);

/* "exited with status 3", "killed by SIGSEGV" */
const char	*child_death(int status, char *out, size_t size);

#endif
