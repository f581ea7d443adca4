/*
 * rest — messages that wait leave memory, and come back.
 *
 * Mail that the store has moved out of its ring (store/store.h) may sleep: its *plan* says for which destinations it waits and
 * until when, and when somebody has to look at it to warn or to give up. Then queue forgets it. A destination that has room for
 * work wakes what is due for it, the sweep wakes what has to be looked at, and an operator whom he names. So a dead destination
 * with a million messages costs one place in a heap.
 *
 * Times in plans are on the store's clock, which nobody can turn (store_now).
 */
#include "queue/queue.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mail/idna.h"
#include "queue/schedule/expiry.h"
#include "queue/schedule/retry.h"

#define SOON		INT64_C(5000)		/* ms; not worth falling asleep for less */
#define AWAKE_MOST	8192u			/* messages of the spool in memory; beyond that none is woken by time */
#define LOOKS		256u			/* messages looked at in one part of the sweep */
#define LOOK_AGAIN	(INT64_C(600) * 1000)	/* ms; kept although its time was over: attempts are to be made first */
#define UNROUTED_AGAIN	INT64_C(30000)		/* ms; lookup could not place it */

int64_t
queue_wall_ms(const struct queue *q, int64_t store_ms)
{
	return store_ms + clock_wall_ms() - store_now(q->store);
}

uint64_t
queue_count(const struct queue *q, uint64_t *bytes)
{
	struct store_figures f;

	store_figures(q->store, &f);
	if (bytes != NULL)
		*bytes = f.live_bytes + f.spooled_bytes;
	return f.live + f.spooled;
}

/* --- the plan ----------------------------------------------------------------------------------- */

static int64_t
due_in_ms(const struct queue *q, const struct job *job)
{
	/* Not further away than the ladder can have meant: the wall clock may have gone back since. */
	int64_t next = job_next_wall_ms(job), now = clock_wall_ms();
	int64_t in_ms = retry_due_ms(&q->process->conf->queue.retry, next, now) - now;

	return next == 0 || in_ms < 0 ? 0 : in_ms;
}

static enum plan_priority
priority_of(const struct message *m)
{
	return message_is_bounce(m) ? PLAN_NOTICE : PLAN_MAIL;
}

static void
plan_jobs(const struct queue *q, const struct message *m, int64_t now_ms, struct plan *out)
{
	char key[DESTINATION_KEY_MAX];
	const struct job *job;

	LIST_FOREACH(job, &m->jobs, of_message)
		if (job->destination != NULL && job_next_wall_ms(job) != -1)
			plan_row(out, destination_key(job->destination->transport, job->destination->nexthop, key),
			    priority_of(m), now_ms + due_in_ms(q, job));
}

static bool
is_open(const struct message *m, uint32_t i)
{
	return !action_final(m->envelope.recipients[i].fate.last.action);
}

static bool
is_waiting(const struct message *m, uint32_t i)
{
	return is_open(m, i) && !(m->envelope.recipients[i].fate.flags & FATE_HELD);
}

static bool
is_held(const struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (is_open(m, i) && (m->envelope.recipients[i].fate.flags & FATE_HELD))
			return true;
	return false;
}

/* Somebody has no way yet, or one that belongs to nobody any more. */
static bool
is_unrouted(const struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (is_waiting(m, i) && (m->places[i].stage != STAGE_JOB || m->places[i].job == NULL ||
		    m->places[i].job->destination == NULL))
			return true;
	return false;
}

static void
plan_domains(const struct message *m, struct plan *out)
{
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		char ascii[DOMAIN_MAX + 1];
		struct slice domain;

		if (!is_open(m, i))
			continue;
		domain = address_domain_ascii(m->envelope.recipients[i].address, ascii);
		if (domain.len > 0)
			plan_domain(out, domain);
	}
}

static int64_t
earlier(int64_t a, int64_t b, int64_t now)
{
	return b > now && b < a ? b : a;
}

/* When the sender is to be warned or told of failure, or may be told more. Nothing of it for what is held. */
static int64_t
look_of(const struct queue *q, const struct message *m, int64_t now)
{
	const struct conf_queue *conf = &q->process->conf->queue;
	int64_t at = PLAN_NEVER, arrival = m->envelope.arrival_ms;
	bool waiting = false, owed = false;

	for (uint32_t i = 0; i < m->envelope.count; i++) {
		waiting = waiting || is_waiting(m, i);
		owed = owed || m->places[i].owed || m->places[i].warn;
		if (is_waiting(m, i) && conf->delay_warning > 0 && !message_is_bounce(m) &&
		    !(m->envelope.recipients[i].fate.flags & FATE_WARNED) && notify_wants(m->envelope.recipients[i].notify, NOTIFY_DELAY))
			at = earlier(at, arrival + conf->delay_warning, now);
	}
	if (waiting)
		at = earlier(at, queue_expiry_ms(q, m), now);
	if (owed)
		at = earlier(at, now + m->notice_after_ms - loop_now(q->loop), now);
	if (m->open == 0 && !owed)
		return now;		/* only its DONE is missing */
	return at == PLAN_NEVER && (waiting || owed) ? now + LOOK_AGAIN : at;
}

void
queue_plan(void *arg, void *owner, int64_t now_ms, struct plan *out)
{
	struct queue *q = arg;
	const struct message *m = owner;
	int64_t look = look_of(q, m, now_ms);

	plan_jobs(q, m, now_ms, out);
	if (is_unrouted(m))
		plan_row(out, slice_of("", 0), priority_of(m), now_ms + UNROUTED_AGAIN);
	plan_domains(m, out);
	if (is_held(m))
		plan_hold(out);
	if (look != PLAN_NEVER)
		plan_look(out, look);
}

/* --- falling asleep ----------------------------------------------------------------------------- */

static bool
recipients_rest(const struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].dirty || m->places[i].routing != NULL || m->places[i].news)
			return false;
	return true;
}

static bool
jobs_rest(const struct queue *q, const struct message *m)
{
	const struct job *job;

	LIST_FOREACH(job, &m->jobs, of_message)
		if (!schedule_may_sleep(q->schedule, job, SOON))
			return false;
	return true;
}

/* Somebody waits for it, or its sender for the next hour's notifications. */
static bool
is_wanted_later(const struct queue *q, const struct message *m)
{
	return m->open > 0 || m->notice_after_ms > loop_now(q->loop) + SOON;
}

/* Nothing is under way, and nothing will be soon. */
static bool
may_sleep(const struct queue *q, const struct message *m)
{
	return m->is_spooled && !m->settling && !m->deleted && !m->due_queued && !m->blocked && is_wanted_later(q, m) &&
	    recipients_rest(m) && jobs_rest(q, m);
}

void
queue_rest(struct queue *q, struct message *m)
{
	if (q->stopping || q->store == NULL || m->settling || !jobs_rest(q, m))
		return;
	queue_drop_content(q, m);	/* there will be time to read it again */
	if (!may_sleep(q, m))
		return;
	if (queue_expire(q, m)) {
		schedule_review(q->schedule, m);
		queue_settle(q, m);
		return;
	}
	m->replan = false;
	(void)stored_sleep(m->stored);
}

void
queue_rest_all(struct queue *q)
{
	struct message *m;

	TAILQ_FOREACH(m, &q->all, all)
		queue_rest(q, m);
}

bool
queue_is_crowded(const struct queue *q)
{
	return q->awake > AWAKE_MOST / 2;
}

void
queue_spooled(void *arg, void *owner)
{
	struct queue *q = arg;
	struct message *m = owner;

	m->is_spooled = true;
	q->awake++;
	queue_drop_content(q, m);
	if (q->started)
		queue_rest(q, m);
}

/* The destinations have to know whom they may wake. */
static void
tell_destinations(struct queue *q, const struct message *m)
{
	const struct job *job;

	LIST_FOREACH(job, &m->jobs, of_message)
		if (job->destination != NULL && job_next_wall_ms(job) != -1)
			schedule_sleeping(q->schedule, job->destination->transport, job->destination->nexthop,
			    due_in_ms(q, job));
	if (is_unrouted(m))
		schedule_sleeping(q->schedule, TRANSPORT_NONE, slice_of("", 0), UNROUTED_AGAIN);
}

bool
queue_asleep(void *arg, void *owner)
{
	struct queue *q = arg;
	struct message *m = owner;
	int64_t look;

	if (m->replan || !may_sleep(q, m))
		return false;
	look = look_of(q, m, store_now(q->store));
	if (look < q->look_at_ms)
		q->look_at_ms = look;
	if (look < q->look_added_ms)
		q->look_added_ms = look;
	tell_destinations(q, m);
	m->stored = NULL;
	queue_forget(q, m);
	queue_sweep_soon(q);
	return true;
}

bool
queue_knows(void *arg, uint64_t id)
{
	return queue_find(arg, id) != NULL;
}

/* --- waking up ---------------------------------------------------------------------------------- */

void
queue_woken(struct queue *q, struct message *m)
{
	if (m->open == 0)
		queue_settle(q, m);
	else
		queue_route(q, m);
}

void
queue_sleepers(void *arg, struct slice key, uint64_t messages, int64_t in_ms)
{
	struct queue *q = arg;
	enum transport transport;
	struct slice nexthop;

	(void)messages;
	if (destination_of_key(key, &transport, &nexthop) == 0)
		schedule_sleeping(q->schedule, transport, nexthop, in_ms);
}

struct waking {
	struct queue		*queue;
	struct destination	*destination;
};

/* In how many ms from now on something that is due then is due. */
static int64_t
in_ms_of(const struct queue *q, int64_t at_ms)
{
	int64_t in_ms = at_ms - store_now(q->store);

	return at_ms == PLAN_NEVER ? DESTINATION_NONE_SLEEP : in_ms > 0 ? in_ms : 0;
}

static void
destination_woken(void *arg, const struct store_woken *w)
{
	struct waking *waking = arg;
	struct queue *q = waking->queue;

	/* It is not asked again at once for what did not come: it may be in memory already. */
	if (w->failed || (w->count == 0 && in_ms_of(q, w->next_ms) == 0))
		schedule_woken(q->schedule, waking->destination, 1000);
	else
		schedule_woken(q->schedule, waking->destination, in_ms_of(q, w->next_ms));
	mem_free(waking);
}

int
queue_wake_due(void *arg, struct destination *d, uint32_t count)
{
	struct queue *q = arg;
	char key[DESTINATION_KEY_MAX];
	struct waking *waking;

	if (q->stopping || q->store == NULL || q->awake >= AWAKE_MOST || (waking = mem_alloc(sizeof(*waking))) == NULL)
		return -1;
	*waking = (struct waking){ q, d };
	if (store_wake_due(q->store, destination_key(d->transport, d->nexthop, key), count, destination_woken, waking) == 0)
		return 0;
	mem_free(waking);
	return -1;
}

static void
looked(void *arg, const struct store_woken *w)
{
	struct queue *q = arg;

	q->looking = false;
	if (!w->failed)
		q->look_at_ms = w->next_ms < q->look_added_ms ? w->next_ms : q->look_added_ms;
	queue_sweep_soon(q);
}

void
queue_wake_look(struct queue *q)
{
	if (q->looking || q->stopping || q->store == NULL || q->awake >= AWAKE_MOST || q->look_at_ms > store_now(q->store))
		return;
	q->look_added_ms = PLAN_NEVER;
	q->looking = store_wake_look(q->store, LOOKS, looked, q) == 0;
}
