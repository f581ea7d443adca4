/*
 * sweep — walks through the whole queue, a part each second, for what no event will bring up: messages to be given up or warned
 * about whose destination never has its turn, notifications that waited for their sender's next hour, and messages that may sleep.
 * Those that sleep have a time at which they want to be looked at (rest.c).
 */
#include "queue/queue.h"

#include "base/mem.h"
#include "queue/bounce/bounce.h"

#define EVERY	INT64_C(1000)	/* ms between two parts */
#define PARTS	60		/* a whole walk takes about a minute */
#define HASTE	4		/* and so many seconds while what may sleep keeps others from waking */
#define LEAST	64		/* messages in one part */
#define RUSH	1000u		/* messages that come between two parts: a rush */

static void
visit(struct queue *q, struct message *m)
{
	if (m->deleted)
		return;
	if (queue_expire(q, m)) {
		schedule_review(q->schedule, m);	/* jobs in which nobody is left */
		queue_settle(q, m);
	}
	if ((m->notice_after_ms != 0 || bounce_owes(m)) && m->notice_after_ms <= loop_now(q->loop))
		queue_settle(q, m);
	queue_rest(q, m);
}

/* Contents that came and went lie between what stays, so the heap does not shrink by itself. In a rush they are used again. */
static void
tidy_memory(struct queue *q)
{
	bool rush = q->accepted - q->swept >= RUSH;

	if (q->rushed && !rush)
		mem_trim();
	q->rushed = rush;
	q->swept = q->accepted;
}

void
queue_sweep(void *arg)
{
	struct queue *q = arg;
	size_t part = q->by_id.count / (queue_is_crowded(q) ? HASTE : PARTS) + LEAST;

	if (q->sweep == NULL)
		q->sweep = TAILQ_FIRST(&q->all);
	while (part-- > 0 && q->sweep != NULL) {
		struct message *m = q->sweep;

		q->sweep = TAILQ_NEXT(m, all);
		visit(q, m);
	}
	tidy_memory(q);
	queue_look_at_space(q);
	queue_wake_look(q);
	queue_sweep_soon(q);
}

void
queue_sweep_soon(struct queue *q)
{
	if (!timer_is_set(&q->sweep_timer) && !q->stopping &&
	    (!TAILQ_EMPTY(&q->all) || q->look_at_ms != PLAN_NEVER || q->rushed || q->disk_full))
		timer_set(&q->sweep_timer, EVERY);
}
