/*
 * queue — starting from what the disk says, wiring the rooms together, and stopping in order.
 */
#include "queue/queue.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "queue/bounce/quota.h"
#include "queue/schedule/expiry.h"
#include "wire/fields.h"

#define ENVELOPE_BYTES_MAX	(16 * 1024 * 1024)
#define FOLD_MAX		(STORE_CHANGE_MAX - CONTENT_INLINE_MAX - 16 * 1024)

static struct queue queue;	/* main.c's own: a process has one */

/* --- messages ---------------------------------------------------------------------------------- */

struct message *
queue_find(const struct queue *q, queue_id id)
{
	struct hash_node *n;

	for (n = hash_first(&q->by_id, hash_u64(id)); n != NULL; n = hash_next(n))
		if (CONTAINER_OF(n, struct message, by_id)->id == id)
			return CONTAINER_OF(n, struct message, by_id);
	return NULL;
}

static void
insert(struct queue *q, struct message *m)
{
	hash_insert(&q->by_id, &m->by_id, hash_u64(m->id));
	TAILQ_INSERT_TAIL(&q->all, m, all);
	queue_sweep_soon(q);
}

void
queue_drop_content(struct queue *q, struct message *m)
{
	if (!m->in_memory)
		return;
	m->in_memory = false;
	TAILQ_REMOVE(&q->memory, m, memory);
	q->memory_used -= m->envelope.size;
	mem_free(m->content);
	m->content = NULL;
}

static void
fit_memory(struct queue *q)
{
	while (q->memory_used > (size_t)q->process->conf->queue.content_memory && TAILQ_FIRST(&q->memory) != NULL)
		queue_drop_content(q, TAILQ_FIRST(&q->memory));
}

/* What is in the store, too, may leave memory; the oldest goes first: it is the least likely to be sent at once. */
static void
keep_content(struct queue *q, struct message *m)
{
	if (m->content == NULL)
		return;
	m->in_memory = true;
	TAILQ_INSERT_TAIL(&q->memory, m, memory);
	q->memory_used += m->envelope.size;
	fit_memory(q);
}

void
queue_adopt(struct queue *q, struct message *m)
{
	insert(q, m);
	keep_content(q, m);
	queue_route(q, m);
}

static void
drop_job(struct job *job, void *arg)
{
	queue_drop_job(arg, job);
}

void
queue_forget(struct queue *q, struct message *m)
{
	operators_forget(q->operators, m);
	q->awake -= m->is_spooled;
	if (q->sweep == m)
		q->sweep = TAILQ_NEXT(m, all);
	queue_unroute(q, m);
	schedule_each_job(m, drop_job, q);
	queue_drop_content(q, m);
	queue_unsettle(q, m);
	hash_remove(&q->by_id, &m->by_id);
	TAILQ_REMOVE(&q->all, m, all);
	message_free(&m);
}

const char *
queue_content(struct queue *q, struct message *m, size_t len, struct err *err)
{
	if (m->content != NULL)
		return m->content;
	if (len > CONTENT_INLINE_MAX) {
		(void)err_set(err, "asked for %zu bytes of a content that lies in a file", len);
		return NULL;
	}
	return stored_read(m->stored, 0, q->reading, len, err) == -1 ? NULL : q->reading;
}

int64_t
queue_expiry_ms(const struct queue *q, const struct message *m)
{
	return m->envelope.arrival_ms + expiry_limit_ms(&q->process->conf->queue, message_is_bounce(m));
}

/* --- what the store finds and asks ------------------------------------------------------------- */

/* A stored time may come from a clock that was wrong; and an attempt whose outcome never came may have got through. */
static void
fit_fates(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		struct fate *fate = &m->envelope.recipients[i].fate;

		if (action_final(fate->last.action))
			continue;
		/* One that was woken has waited already, by the store's clock: it does not begin again. */
		if (queue_fit_next(q, fate) && q->started)
			fate->next_ms = clock_wall_ms();
		if (fate->next_ms <= q->start_wall_ms)
			fate->flags |= FATE_MAYBE;
	}
}

/* What came after the state that is known is lost with the old catalog. */
static void
doubt_fates(struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (!action_final(m->envelope.recipients[i].fate.last.action))
			m->envelope.recipients[i].fate.flags |= FATE_MAYBE;
}

/* Nor whether the operator meant all of it: nothing of it leaves. */
static void
hold_fates(struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (!action_final(m->envelope.recipients[i].fate.last.action))
			m->envelope.recipients[i].fate.flags |= FATE_HELD;
}

static struct message *
message_from(const struct store_put *put)
{
	struct message *m = message_new(put->id);
	struct reader r = reader_of(put->envelope);

	if (m != NULL && (get_envelope(&r, &m->arena, &m->envelope) == -1 || reader_end(&r) == -1 ||
	    message_ready(m) == -1))
		message_free(&m);
	return m;
}

struct message *
queue_read(const struct store_put *put)
{
	return message_from(put);
}

/* As it stands in the envelope, after all of its deltas. */
static void
take_up(struct queue *q, struct message *m)
{
	message_count_open(m);
	m->arrival_mono_ms = expiry_arrival_mono(m->envelope.arrival_ms, store_now(q->store), clock_mono_ms());
	fit_fates(q, m);
}

/* The reader does not say whether bytes or memory were bad: what is bad twice is set aside, not the whole start given up for it. */
static void *
on_found(void *arg, struct stored *stored, const struct store_put *put)
{
	struct queue *q = arg;
	struct message *m = message_from(put);

	if (m == NULL && (m = message_from(put)) == NULL)
		return STORE_UNREADABLE;
	m->stored = stored;
	m->large = put->large;
	m->arrival_mono_ms = clock_mono_ms();	/* set right by take_up or queue_woken: the store's clock may not run yet */
	if (put->maybe)
		doubt_fates(m);
	if (put->held)
		hold_fates(m);
	insert(q, m);
	m->is_spooled = stored_is_spooled(stored);
	q->awake += m->is_spooled;
	if (q->started) {
		take_up(q, m);
		queue_woken(q, m);
		operators_woken(q->operators, m);
	}
	return m;
}

static int
on_delta(void *arg, void *owner, uint32_t version, struct slice delta)
{
	struct queue *q = arg;
	struct message *m = owner;
	struct reader r = reader_of(delta);

	(void)version;
	if (message_apply_delta(m, &r) == 0)
		return 0;
	if (q->sweep == m)
		q->sweep = NULL;
	q->awake -= m->is_spooled;
	hash_remove(&q->by_id, &m->by_id);
	TAILQ_REMOVE(&q->all, m, all);
	message_free(&m);
	return -1;
}

/* Ten thousand recipients with long replies are more than one record holds, and a message that cannot be copied forward would stop
 * the ring: then the replies are cut. Without any, what came in one submit frame always fits. */
static void
shorten_words(struct message *m)
{
	size_t words = 0, rest, each;

	for (uint32_t i = 0; i < m->envelope.count; i++)
		words += m->envelope.recipients[i].fate.last.text.len + m->envelope.recipients[i].fate.last.mta.len;
	rest = envelope_size(&m->envelope) - words;
	each = rest < FOLD_MAX ? (FOLD_MAX - rest) / m->envelope.count / 2 : 0;
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		struct outcome *last = &m->envelope.recipients[i].fate.last;

		last->text.len = last->text.len < each ? last->text.len : each;
		last->mta.len = last->mta.len < each ? last->mta.len : each;
	}
}

static void
on_fold(void *arg, void *owner, struct buf *out)
{
	struct message *m = owner;

	(void)arg;
	m->folded = true;
	if (envelope_size(&m->envelope) > FOLD_MAX)
		shorten_words(m);
	put_envelope(out, &m->envelope);
}

static void
on_room(void *arg, enum store_class class, bool yes)
{
	struct queue *q = arg;

	if (class == STORE_CLIENT)
		queue_tell_space(q);
	if (class != STORE_CLIENT && yes)
		queue_settle_blocked(q);
	if (class == STORE_CLIENT)
		log_warn(yes ? "the queue has room again" :
		    "the queue is full: clients are told to come back (452) until deliveries have made room");
}

static void
on_broken(void *arg, const char *why)
{
	(void)arg;
	fatal("the queue's disk cannot be trusted any more: %s; starting anew from what is on it", why);
}

static const struct store_ops store_ops = {
	.found = on_found,
	.delta = on_delta,
	.fold = on_fold,
	.room = on_room,
	.broken = on_broken,
	.plan = queue_plan,
	.spooled = queue_spooled,
	.asleep = queue_asleep,
	.knows = queue_knows,
	.destination = queue_sleepers,
};

/* --- start ------------------------------------------------------------------------------------- */

static void
settle_again(void *arg)
{
	queue_settle_blocked(arg);
}

static void
route_again(void *arg)
{
	queue_route_again(arg);
}

static void
init_lists(struct queue *q)
{
	hash_init(&q->by_id);
	TAILQ_INIT(&q->all);
	TAILQ_INIT(&q->due);
	TAILQ_INIT(&q->blocked);
	TAILQ_INIT(&q->memory);
	TAILQ_INIT(&q->lost_way);
	buf_init(&q->scratch, ENVELOPE_BYTES_MAX);
	q->start_mono_ms = clock_mono_ms();
	q->start_wall_ms = clock_wall_ms();
	q->look_at_ms = 0;
}

static int
open_store(struct queue *q, struct err *err)
{
	const struct conf_queue *conf = &q->process->conf->queue;
	struct store_conf store_conf = { .directory = conf->directory, .segments = (uint32_t)conf->segments,
	    .segment_size = (uint64_t)conf->segment_size };

	q->store = store_open(q->loop, &store_conf, &store_ops, q, err);
	return q->store == NULL ? -1 : 0;
}

static int
make_rooms(struct queue *q, struct err *err)
{
	uint64_t first_lease = (uint64_t)store_epoch(q->store) << 32 | 1;

	q->agents = agents_new(q->loop, first_lease, &queue_agents_ops, q, err);
	q->routes = routes_new(q->loop, err);
	q->submits = submits_new(q->loop, &queue_submits_ops, q, err);
	q->logins = logins_new(q->loop, err);
	q->operators = operators_new(q, err);
	if (q->agents == NULL || q->routes == NULL || q->submits == NULL || q->logins == NULL || q->operators == NULL)
		return -1;
	schedule_limit(q->schedule, (uint32_t)q->process->conf->queue.destination_jobs);
	/* Until every agent has said what it still has in hand, nothing is tried a second time. */
	schedule_pause(q->schedule, TRANSPORT_RELAY, true);
	schedule_pause(q->schedule, TRANSPORT_LOCAL, true);
	agents_expect(q->agents, TRANSPORT_RELAY, (uint32_t)q->process->conf->relay.workers);
	agents_expect(q->agents, TRANSPORT_LOCAL, 1);
	queue_look_at_space(q);
	return 0;
}

static void
take_up_all(struct queue *q)
{
	struct message *m, *next;
	struct store_figures f;
	uint32_t count = 0;

	TAILQ_FOREACH_SAFE(m, &q->all, all, next) {
		count++;
		take_up(q, m);
		if (m->open == 0)
			queue_settle(q, m);	/* all was final and only the DONE is missing */
		else
			queue_route(q, m);
	}
	store_figures(q->store, &f);
	if (count > 0 || f.spooled > 0)
		log_info("%" PRIu32 " messages found in the ring, %" PRIu64 " in the spool", count, f.spooled);
}

int
queue_start(struct process *process, struct err *err)
{
	struct queue *q = &queue;

	*q = (struct queue){ .process = process };
	q->loop = process->loop;
	init_lists(q);
	q->reading = mem_alloc(CONTENT_INLINE_MAX);
	q->quotas = quotas_new();
	if (q->reading == NULL || q->quotas == NULL || timer_init(&q->settle_again, q->loop, settle_again, q) == -1 ||
	    timer_init(&q->route_again, q->loop, route_again, q) == -1 ||
	    timer_init(&q->sweep_timer, q->loop, queue_sweep, q) == -1)
		return err_set(err, "no memory to start");
	/* The schedule is first: the store tells it for which destinations mail sleeps. */
	q->schedule = schedule_new(q->loop, &queue_schedule_ops, q, err);
	if (q->schedule == NULL || open_store(q, err) == -1 || make_rooms(q, err) == -1)
		return -1;
	if (queue_limits_start(q) == -1)
		return err_set(err, "no memory to start");
	take_up_all(q);
	q->started = true;
	queue_sweep_soon(q);
	return 0;
}

static int
attach(struct queue *q, const struct control_wire *wire, int fd, struct err *err)
{
	switch (wire->kind) {
	case WIRE_SUBMIT:
		return submits_attach(q->submits, wire->role, wire->number, fd, err);
	case WIRE_DELIVER:
		return agents_attach(q->agents, wire->role == ROLE_MDA ? TRANSPORT_LOCAL : TRANSPORT_RELAY,
		    wire->number, wire->fault, fd, err);
	case WIRE_LOOKUP:
		return routes_attach(q->routes, fd, err);
	case WIRE_AUTH:
		return logins_attach(q->logins, fd, err);
	default:
		fd_close(&fd);
		return err_set(err, "a wire of kind %d is of no use here", (int)wire->kind);
	}
}

void
queue_wire(struct process *process, const struct control_wire *wire, int fd)
{
	struct err err = { 0 };

	(void)process;
	if (attach(&queue, wire, fd, &err) == -1)
		log_error("a wire could not be opened: %s", err.text);
}

void
queue_listener(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	(void)wire;
	operators_listen(queue.operators, fd);
}

/* --- reload, stop, status ---------------------------------------------------------------------- */

int
queue_check(struct process *process, const struct conf *next, struct err *err)
{
	const struct conf_queue *now = &process->conf->queue;

	if (strcmp(now->directory, next->queue.directory) != 0 || now->segments != next->queue.segments ||
	    now->segment_size != next->queue.segment_size)
		return err_set(err, "queue: directory, ring-segments and segment-size change only with a restart");
	return 0;
}

void
queue_reloaded(struct process *process, const struct conf *old)
{
	(void)old;
	schedule_limit(queue.schedule, (uint32_t)process->conf->queue.destination_jobs);
	agents_expect(queue.agents, TRANSPORT_RELAY, (uint32_t)process->conf->relay.workers);
	fit_memory(&queue);
}

void
queue_stop(struct process *process, int64_t within_ms)
{
	struct queue *q = &queue;
	int64_t now_ms = store_now(q->store);

	(void)within_ms;
	q->stopping = true;
	schedule_pause(q->schedule, TRANSPORT_RELAY, true);
	schedule_pause(q->schedule, TRANSPORT_LOCAL, true);
	store_close(&q->store);		/* callbacks of what is under way run in here */
	queue_limits_stop(q, now_ms);
	process_stopped(process);
}

void
queue_free(void)
{
	struct queue *q = &queue;

	routes_free(&q->routes);	/* claims that wait are refused, and need the others for that */
	submits_free(&q->submits);
	logins_free(&q->logins);
	while (!TAILQ_EMPTY(&q->all))
		queue_forget(q, TAILQ_FIRST(&q->all));
	operators_free(&q->operators);
	agents_free(&q->agents);
	schedule_free(&q->schedule);
	quotas_free(&q->quotas);
	queue_limits_free(q);
	timer_fini(&q->settle_again);
	timer_fini(&q->route_again);
	timer_fini(&q->sweep_timer);
	loop_hook_cancel(q->loop, &q->settle_hook);
	hash_fini(&q->by_id);
	buf_fini(&q->scratch);
	mem_free(q->reading);
	q->reading = NULL;
}

void
queue_status(struct process *process, struct buf *out)
{
	struct queue *q = &queue;
	struct store_figures f;

	(void)process;
	if (q->store == NULL)
		return;		/* stopped */
	store_figures(q->store, &f);
	(void)buf_printf(out, "messages %" PRIu64 "\nawake %zu\nspooled %" PRIu64 "\nevacuated %" PRIu64 "\nin-flight %" PRIu32 "\nmemory-content %zu\n", queue_count(q, NULL), q->by_id.count,
	    f.spooled, f.evacuated, agents_in_flight(q->agents), q->memory_used);
	(void)buf_printf(out, "logins %zu\nlogins-limited %zu\n", logins_count(q->logins), queue_limited(q));
	(void)buf_printf(out, "accepted %" PRIu64 "\nrefused %" PRIu64 "\ndelivered %" PRIu64 "\ndeferred %" PRIu64
	    "\nbounced %" PRIu64 "\n", q->accepted, q->refused, q->delivered, q->deferred, q->bounced);
	(void)buf_printf(out, "ring-segments %" PRIu32 "\nring-free %" PRIu32 "\nbatches %" PRIu64 "\nrecords %" PRIu64
	    "\nsyncs %" PRIu64 "\nbytes %" PRIu64 "\ncopied %" PRIu64
	    "\ndamaged %" PRIu64 "\n", f.segments, f.free_segments, f.batches,
	    f.records, f.syncs, f.bytes, f.copied, f.damaged);
}
