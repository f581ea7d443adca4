/*
 * steer — verbs that change: hold, release, retry, delete; one message, those of a domain, or all.
 *
 * What sleeps is woken page by page, changed like any other, and falls asleep again; a pause between pages lets it, so that
 * an order about a million messages never has them all in memory. The answer comes when all changes are on disk.
 */
#include "queue/client.h"

#define PAGE		256		/* messages that sleep, woken at a time */
#define AWAKE_MOST	4096u		/* more than these in memory: the next page waits until they sleep again */
#define PAUSE		INT64_C(10)	/* ms between two pages */
#define PATIENCE	INT64_C(20000)	/* ms that changes may take to reach the disk before somebody has to be told */
#define NAPS_MOST	10
#define NAP		INT64_C(200)	/* ms until those that were put to sleep are counted again */

static void next_argument(struct client *);

/* --- verbs that change ------------------------------------------------------------------------- */

static void
log_operator(const struct message *m, const char *words)
{
	log_event(EVENT_OPERATOR, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_STR(KEY_TEXT, words));
}

static void
set_held(struct queue *q, struct message *m, bool held)
{
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		struct fate *fate = &m->envelope.recipients[i].fate;

		if (m->places[i].stage == STAGE_FINAL)
			continue;
		fate->flags = held ? fate->flags | FATE_HELD : fate->flags & ~(uint32_t)FATE_HELD;
		(void)queue_fit_next(q, fate);
		if (!held && m->places[i].stage == STAGE_STUCK)
			m->places[i].stage = STAGE_NONE;
		m->places[i].dirty = true;
	}
	schedule_review(q->schedule, m);
	queue_route(q, m);
	queue_settle(q, m);
}

void
steer_hold(struct client *c, struct message *m)
{
	log_operator(m, "placed on hold");
	set_held(c->queue, m, true);
}

void
steer_release(struct client *c, struct message *m)
{
	log_operator(m, "released from hold");
	set_held(c->queue, m, false);
}

void
steer_retry(struct client *c, struct message *m)
{
	struct queue *q = c->queue;

	m->urged_mono_ms = c->since_mono_ms;
	m->replan = true;
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].stage != STAGE_FINAL) {
			m->envelope.recipients[i].fate.next_ms = 0;
			if (m->places[i].nexthop.len > 0)
				schedule_resume(q->schedule, m->places[i].nexthop, c->since_mono_ms);
		}
	log_operator(m, "requeued");
	schedule_review(q->schedule, m);
	queue_route(q, m);
}

static void
cancel_job(struct job *job, void *arg)
{
	struct queue *q = arg;

	if (job->state == JOB_ACTIVE)
		agents_cancel(q->agents, job);
	else if (job->state != JOB_SETTLING)
		queue_drop_job(q, job);
}

void
steer_delete(struct client *c, struct message *m)
{
	struct queue *q = c->queue;

	log_operator(m, "removed by an operator");
	m->deleted = true;
	queue_unroute(q, m);
	schedule_each_job(m, cancel_job, q);
	queue_settle(q, m);
}

/* --- whom --------------------------------------------------------------------------------------- */

static bool
is_settled(void *arg, uint64_t id)
{
	const struct message *m = queue_find(arg, id);

	if (m == NULL)
		return true;		/* gone, or it sleeps as it was changed */
	if (m->deleted || m->settling || m->due_queued || m->blocked)
		return false;
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].dirty)
			return false;
	return true;
}

static void
apply(struct client *c, struct message *m)
{
	c->verb->each(c, m);
	c->count++;
	if (!is_settled(c->queue, m->id))
		(void)idset_add(&c->unsettled, m->id);		/* without memory nobody waits for it */
	c->patience_ms = loop_now(c->queue->loop) + PATIENCE;
}

static bool
is_named(struct message *m, struct slice domain)
{
	return !m->deleted && (domain.len == 0 || listing_goes_to(m, domain));
}

static void
all_awake(struct client *c)
{
	struct message *m, *next;

	TAILQ_FOREACH_SAFE(m, &c->queue->all, all, next)
		if (is_named(m, c->domain)) {
			(void)idset_add(&c->shown, m->id);
			apply(c, m);
		}
}

static void
end(struct client *c)
{
	c->verb = NULL;
	c->walking = false;
	idset_fini(&c->shown);
	idset_init(&c->shown);
	idset_fini(&c->unsettled);
	idset_init(&c->unsettled);
	client_done(c);
}

static void
refuse(struct client *c)
{
	struct slice arg = c->args[c->arg];

	client_say(c, false, "%.*s: no such message; ids look like 0000000H00042, or use @domain or all",
	    arg.len < 40 ? (int)arg.len : 40, arg.p);
	end(c);
}

/* Whoever woke it: the walk passes over what is awake. What it has passed has had its turn. */
void
steer_woken(struct client *c, struct message *m)
{
	if (c->verb == NULL || !c->walking || m->id <= c->after || !is_named(m, c->domain) || idset_has(&c->shown, m->id))
		return;
	(void)idset_add(&c->shown, m->id);
	apply(c, m);
}

static bool
is_passed(void *arg, uint64_t id)
{
	const struct client *c = arg;

	return id <= c->after;
}

/* Those that were there are changed already. */
static void
page_woken(void *arg, const struct store_woken *w)
{
	struct client *c = arg;

	if (!client_is_back(c))
		return;
	if (w->failed) {
		client_say(c, false, "the catalog cannot be read now; %u messages were %s: try again later", c->count, c->verb->done);
		end(c);
		return;
	}
	c->after = w->last;
	c->naps = 0;
	idset_prune(&c->shown, is_passed, c);
	idset_prune(&c->unsettled, is_settled, c->queue);
	if (w->last == 0) {
		c->walking = false;
		c->arg++;
		next_argument(c);
	} else {
		timer_set(&c->pause, PAUSE);
	}
}

/* All was done; is it on disk? */
static void
conclude(struct client *c)
{
	idset_prune(&c->unsettled, is_settled, c->queue);
	if (c->unsettled.ids.count == 0) {
		client_say(c, true, "%u message%s %s", c->count, c->count == 1 ? "" : "s", c->verb->done);
		end(c);
	} else if (loop_now(c->queue->loop) < c->patience_ms) {
		timer_set(&c->pause, PAUSE);
	} else {
		client_say(c, false, "%u message%s %s, but of %zu that is not on disk yet, and would be undone by a crash: is the disk full?",
		    c->count, c->count == 1 ? "" : "s", c->verb->done, c->unsettled.ids.count);
		end(c);
	}
}

static void
next_page(struct client *c)
{
	/* What busy destinations keep awake does not hold an order up for ever. */
	if (c->queue->awake > AWAKE_MOST && c->naps++ < NAPS_MOST) {
		queue_rest_all(c->queue);
		timer_set(&c->pause, NAP);
		return;
	}
	c->busy = c->queue->store != NULL &&
	    store_wake_page(c->queue->store, c->domain, c->after, PAGE, page_woken, c) == 0;
	if (!c->busy) {
		client_say(c, false, "no memory to go on; %u messages were %s", c->count, c->verb->done);
		end(c);
	}
}

void
steer_go_on(void *arg)
{
	struct client *c = arg;

	if (c->verb == NULL || c->gone || c->busy)
		return;
	if (c->arg == c->nargs)
		conclude(c);
	else
		next_page(c);
}

static void
one_woken(void *arg, const struct store_woken *w)
{
	struct client *c = arg;
	struct message *m;

	(void)w;
	if (!client_is_back(c))
		return;
	m = queue_find(c->queue, c->after);
	if (m == NULL || m->deleted) {
		refuse(c);
		return;
	}
	apply(c, m);
	c->arg++;
	next_argument(c);
}

/* False: the store was asked, or the verb has ended. */
static bool
one(struct client *c, queue_id id)
{
	struct message *m = queue_find(c->queue, id);

	if (m != NULL && !m->deleted) {
		apply(c, m);
		return true;
	}
	c->after = id;
	c->busy = m == NULL && c->queue->store != NULL && store_wake(c->queue->store, id, one_woken, c) == 0;
	if (!c->busy)
		refuse(c);
	return false;
}

static void
next_argument(struct client *c)
{
	queue_id id;

	for (; c->arg < c->nargs; c->arg++) {
		if (client_domain(c->args[c->arg], &c->domain)) {
			all_awake(c);
			c->after = 0;
			c->walking = true;
			next_page(c);
			return;
		}
		if (queue_id_parse(c->args[c->arg], &id) == -1) {
			refuse(c);
			return;
		}
		if (!one(c, id))
			return;
	}
	conclude(c);
}

void
steer(struct client *c, const struct verb *verb, const struct operator_request *request)
{
	if (request->count == 0) {
		client_say(c, false, "%s what? Say ids, @domain or all", verb->name);
		return;
	}
	c->verb = verb;
	c->since_mono_ms = loop_now(c->queue->loop);
	c->arg = 0;
	c->nargs = request->count;
	for (uint32_t i = 0; i < request->count; i++) {
		c->args[i] = arena_slice(&c->arena, request->args[i]);
		for (size_t k = 0; c->args[i].p != NULL && c->args[i].p[0] == '@' && k < c->args[i].len; k++)
			((char *)(uintptr_t)c->args[i].p)[k] = ascii_lower(c->args[i].p[k]);
		if (c->args[i].p == NULL) {
			client_say(c, false, "no memory");
			end(c);
			return;
		}
	}
	next_argument(c);
}
