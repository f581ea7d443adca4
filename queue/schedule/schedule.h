#ifndef SCHEDULE_SCHEDULE_H
#define SCHEDULE_SCHEDULE_H
/*
 * schedule — which job goes next.
 *
 * Fair over destinations: each transport has a ring of destinations that have something ready and may start it; every turn
 * starts one job. Waiting jobs lie in one heap by monotonic time, so a turned wall clock neither floods nor starves. The
 * owner starts jobs (ops.start) and tells what came of them; the schedule never looks into a wire or a disk.
 */
#include "event/loop.h"
#include "queue/schedule/destination.h"

struct schedule;

enum start_result {
	START_NONE,
	START_TAKEN,		/* an agent has it: ACTIVE */
	START_LATER,		/* no agent has room for this transport now: schedule_wake when one has */
	START_GONE		/* the owner took it out of the schedule (expired, unreadable) */
};

struct schedule_ops {
	enum start_result	(*start)(void *arg, struct job *);
	/* Wake so many messages that are due for it; schedule_woken follows, later. -1: not now. */
	int			(*wake)(void *arg, struct destination *, uint32_t count);
};

struct schedule	*schedule_new(struct loop *, const struct schedule_ops *, void *arg, struct err *);
void		 schedule_free(struct schedule **);
/* The most jobs at once to one destination. */
void		 schedule_limit(struct schedule *, uint32_t destination_jobs);
/* Nothing is started while paused (posthornd --paused, or recovered mail that waits for the agents' leases). */
void		 schedule_pause(struct schedule *, enum transport, bool);

/* This recipient goes this way; it joins a job of the message that is still collecting in this round. -1: no memory. */
int		 schedule_add(struct schedule *, struct message *, uint32_t index, enum transport, struct slice nexthop);
/* A job that an agent already has (a lease presented after a restart). NULL: no memory. */
struct job	*schedule_adopt(struct schedule *, struct message *, const uint32_t *indexes, uint32_t count);

/* The agent is done with it; its fates are set and going to disk. `reachable`: the destination itself answered. */
void		 schedule_settling(struct schedule *, struct job *, bool reachable);
/* Its fates are on disk (or nothing came of the attempt): wait, hold, or end. Frees a job without open recipients. */
void		 schedule_again(struct schedule *, struct job *);
/* Takes the job out and frees it; its recipients have no place any more. */
void		 schedule_drop(struct schedule *, struct job *);
/* An operator changed due times or holds of this message, or an agent died with it: put its idle jobs where they belong now. */
void		 schedule_review(struct schedule *, struct message *);
/* An operator wants this destination tried now: no back-off, unless it began since then (loop_now), when his order was given. */
void		 schedule_resume(struct schedule *, struct slice nexthop, int64_t since_mono_ms);
/* An agent of this transport has room again. */
void		 schedule_wake(struct schedule *, enum transport);

/* Messages for this destination sleep, none is due in less than in_ms (0: now). TRANSPORT_NONE: their way is not known. */
void		 schedule_sleeping(struct schedule *, enum transport, struct slice nexthop, int64_t in_ms);
/* What wake asked for has come. in_ms: when the next one is due; DESTINATION_NONE_SLEEP: none sleeps any more. */
void		 schedule_woken(struct schedule *, struct destination *, int64_t in_ms);
/* Nothing will become of this job soon: it waits for its time (longer than soon_ms), for a person, or in a crowd. */
bool		 schedule_may_sleep(const struct schedule *, const struct job *, int64_t soon_ms);

/* Its destination was asked and does not answer: the job has had its chance, although no agent has seen it. */
bool		 schedule_in_vain(const struct job *);
/* Why this recipient is not being sent at this moment, in words for people; static. */
const char	*schedule_why(const struct schedule *, const struct job *);
/* Each job of a message; `each` may drop the one it is given. */
void		 schedule_each_job(struct message *, void (*each)(struct job *, void *), void *arg);

#endif
