#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
/*
 * queue — the owner of the rooms: it carries each message from the submit wire to the store, the schedule, an agent, and back
 * to the store. Its files follow that way: space.c, accept.c, attempt.c, settle.c; operator.c lets people look and steer.
 */
#include "base/log.h"
#include "event/timer.h"
#include "proc/service.h"
#include "queue/agent/agent.h"
#include "queue/intake/allowance.h"
#include "queue/intake/login.h"
#include "queue/intake/route.h"
#include "queue/intake/submit.h"
#include "queue/message.h"
#include "queue/schedule/schedule.h"
#include "store/store.h"
#include "wire/log.h"

struct operators;
struct quotas;

TAILQ_HEAD(messages, message);

struct queue {
	struct process		*process;
	struct loop		*loop;
	struct store		*store;
	struct schedule		*schedule;
	struct agents		*agents;
	struct routes		*routes;
	struct submits		*submits;
	struct logins		*logins;
	struct operators	*operators;
	struct allowances	*allowances;	/* what each login has sent */
	struct timer		 allowances_due;	/* to be written down */
	bool			 allowances_changed;	/* since they were */
	bool			 allowances_failed;	/* the last time they could not be */
	int64_t			 crowd_said_ms;	/* when the log was told that not all logins can be counted; 0: never */
	struct hash		 by_id;
	struct messages		 all;		/* promised, in order of acceptance */
	struct messages		 due;		/* with fates that the store has not been told yet */
	struct messages		 blocked;	/* those of them that met trouble; tried again by settle_again */
	struct messages		 memory;	/* with content in memory that the store has, too */
	struct messages		 lost_way;	/* with recipients that lookup could not place */
	size_t			 memory_used;	/* bytes of content in messages */
	struct hook		 settle_hook;
	struct quotas		*quotas;	/* notifications to each sender */
	struct timer		 settle_again, route_again;	/* for `blocked`, for `lost_way` */
	struct timer		 sweep_timer;
	struct message		*sweep;		/* the next one that it looks at */
	uint64_t		 swept;		/* what was accepted when it last went */
	bool			 rushed;	/* so much came then that it has left free memory behind */
	int64_t			 look_at_ms;	/* store_now: no sleeping message has to be looked at before; PLAN_NEVER: none at all */
	int64_t			 look_added_ms;	/* the same, of those that fell asleep since some were asked for */
	bool			 looking;	/* some were asked for */
	size_t			 awake;		/* messages of the spool that are in memory */
	struct buf		 scratch;	/* an encoding in the making */
	char			*reading;	/* content read back from the store, CONTENT_INLINE_MAX */
	int64_t			 start_mono_ms, start_wall_ms;
	bool			 disk_full;	/* no large message begins */
	bool			 ring_full;	/* settlements but for DONE wait until the store has room */
	uint32_t		 probes;	/* of them that may find out */
	bool			 started;	/* recovery is over */
	bool			 stopping;
	uint64_t		 accepted, refused, delivered, deferred, bounced;	/* since start */
};

/* queue.c */
int		 queue_start(struct process *, struct err *);
void		 queue_wire(struct process *, const struct control_wire *, int fd);
void		 queue_listener(struct process *, const struct control_wire *, int fd);
int		 queue_check(struct process *, const struct conf *next, struct err *);
void		 queue_reloaded(struct process *, const struct conf *old);
void		 queue_stop(struct process *, int64_t within_ms);
void		 queue_free(void);		/* after queue_stop: for a program that goes on and may start another */
void		 queue_status(struct process *, struct buf *);
/* As a record shows it, for people to look at; it is nobody's and not in the queue. NULL: no memory, or it cannot be read. */
struct message	*queue_read(const struct store_put *);
struct message	*queue_find(const struct queue *, queue_id);
/* The message is durable: it is ours now. Routes its recipients. */
void		 queue_adopt(struct queue *, struct message *);
/* Its DONE is durable (or it never was promised): forget it. */
void		 queue_forget(struct queue *, struct message *);
/* The content's first `len` bytes, from memory or from the store. NULL: err. The bytes live until the next call. */
const char	*queue_content(struct queue *, struct message *, size_t len, struct err *);
void		 queue_drop_content(struct queue *, struct message *);	/* from memory; the store has it */
int64_t		 queue_expiry_ms(const struct queue *, const struct message *);	/* store_now's clock */

/* accept.c */
extern const struct submits_ops queue_submits_ops;
/* Finds a way for every recipient that has none. */
void		 queue_route(struct queue *, struct message *);
void		 queue_unroute(struct queue *, struct message *);	/* the questions under way are forgotten */
void		 queue_unroute_one(struct queue *, struct message *, uint32_t index);
void		 queue_route_again(struct queue *);			/* those in lost_way */

/* space.c */
void		 queue_look_at_space(struct queue *);		/* of the disk; and tells smtpd */
/* One more may become as large as any, and those that are being written, too. */
bool		 queue_may_begin_large(struct queue *);
void		 queue_tell_space(struct queue *);		/* to smtpd: the ring's has changed */

/* limit.c: what logins may send */
int		 queue_limits_start(struct queue *);		/* with the store open. -1: no memory */
void		 queue_limits_stop(struct queue *, int64_t now_ms);	/* the last word to the file; now_ms: store_now, before it was closed */
void		 queue_limits_free(struct queue *);
/* Counts the message, or logs why it may not be sent now. */
struct allowance_answer queue_charge(struct queue *, const struct message *, struct slice login);
/* What was counted is not accepted after all. */
void		 queue_discharge(struct queue *, const struct message *, struct slice login);
size_t		 queue_limited(struct queue *);			/* logins that may send nothing now */

/* attempt.c */
extern const struct schedule_ops queue_schedule_ops;
extern const struct agents_ops queue_agents_ops;
/* Failed, late, or held with an alarm when nobody is left to tell: what an outcome means for the recipient. */
void		 queue_outcome(struct queue *, struct message *, uint32_t index, const struct outcome *);
/* The stored time of the next attempt, as it counts now: the wall clock may have gone back since. True: it had to be moved. */
bool		 queue_fit_next(const struct queue *, struct fate *);
/* The attempt is over and its fates are on disk, or nobody has it any more. Frees the job when it is done. */
void		 queue_put_back(struct queue *, struct job *);
void		 queue_drop_job(struct queue *, struct job *);		/* its open recipients are nowhere */
/* What is to be given up or warned about is marked so; true: something was. */
bool		 queue_expire(struct queue *, struct message *);

/* settle.c */
void		 queue_settle(struct queue *, struct message *);	/* soon: its dirty fates, owed notifications, or its DONE */
void		 queue_settle_blocked(struct queue *);		/* the store has room again */
void		 queue_unsettle(struct queue *, struct message *);	/* no settlement is due any more */

/* rest.c: messages that wait leave memory, and come back */
void		 queue_plan(void *queue, void *message, int64_t now_ms, struct plan *);
void		 queue_spooled(void *queue, void *message);
bool		 queue_asleep(void *queue, void *message);
bool		 queue_knows(void *queue, uint64_t id);
void		 queue_sleepers(void *queue, struct slice destination, uint64_t messages, int64_t earliest_ms);
void		 queue_rest(struct queue *, struct message *);	/* puts it to sleep if nothing keeps it awake */
void		 queue_rest_all(struct queue *);		/* the same, of each */
bool		 queue_is_crowded(const struct queue *);	/* so much mail of the spool is awake that others may not wake soon */
void		 queue_woken(struct queue *, struct message *);	/* it is in memory again: it looks for its way */
int		 queue_wake_due(void *queue, struct destination *, uint32_t count);
void		 queue_wake_look(struct queue *);
uint64_t	 queue_count(const struct queue *, uint64_t *bytes);	/* messages, those that sleep included */
int64_t		 queue_wall_ms(const struct queue *, int64_t store_ms);	/* a time of the store's clock for people */

/* sweep.c */
void		 queue_sweep(void *queue);
void		 queue_sweep_soon(struct queue *);

/* operator.c */
struct operators *operators_new(struct queue *, struct err *);
void		 operators_free(struct operators **);
void		 operators_listen(struct operators *, int fd);	/* takes the listening socket */
/* An order of our own, as `retry @domain`; its outcome is logged. One that runs, or ended less than a minute ago, is not begun
 * again: 0, too. -1: too many. */
int		 operators_retry(struct operators *, struct slice domain);
void		 operators_forget(struct operators *, struct message *);	/* listings step over it */
void		 operators_woken(struct operators *, struct message *);	/* a message of the spool is in memory again */

#endif
