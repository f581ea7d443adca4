/*
 * attempt — a job goes to an agent, and what the agent says becomes fates.
 */
#include "queue/queue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "queue/bounce/bounce.h"
#include "queue/schedule/expiry.h"
#include "queue/schedule/retry.h"

/* What a job's frame needs beside the content, at most: each recipient's addresses, and the rest. */
#define FRAME_RECIPIENT	(2 * ADDRESS_FIELD_MAX + ORCPT_MAX + 32)
#define FRAME_OVERHEAD	4096

/* --- what an outcome means --------------------------------------------------------------------- */

static void
hold_last_resort(struct message *m, uint32_t index)
{
	struct fate *fate = &m->envelope.recipients[index].fate;
	char id[QUEUE_ID_LEN + 1];

	log_error("%s: a notification to postmaster cannot be delivered and is held", queue_id_print(m->id, id));
	fate->last.action = ACTION_DELAYED;
	fate->flags |= FATE_HELD;
}

/* What a notification is never answered with, or who asked not to hear, is not told; of a success only who asked for that. */
static bool
is_to_be_told(const struct message *m, uint32_t index)
{
	const struct recipient *rcpt = &m->envelope.recipients[index];

	if (rcpt->fate.last.action == ACTION_FAILED)
		return notify_wants(rcpt->notify, NOTIFY_FAILURE);
	return notify_wants(rcpt->notify, NOTIFY_SUCCESS) && !message_is_bounce(m) && !m->places[index].passed;
}

static void
end_recipient(struct queue *q, struct message *m, uint32_t index)
{
	queue_unroute_one(q, m, index);
	m->places[index].stage = STAGE_FINAL;
	m->places[index].warn = false;
	m->open--;
	if (is_to_be_told(m, index)) {
		m->envelope.recipients[index].fate.flags |= FATE_OWED;
		m->places[index].owed = true;
	}
	if (m->envelope.recipients[index].fate.last.action == ACTION_FAILED)
		q->bounced++;
	else
		q->delivered++;
}

static const struct conf_durations *
ladder_of(const struct queue *q, const struct fate *fate)
{
	const struct conf_queue *conf = &q->process->conf->queue;

	return fate->flags & FATE_UNKNOWN ? &conf->retry_unknown : &conf->retry;
}

bool
queue_fit_next(const struct queue *q, struct fate *fate)
{
	int64_t due = retry_due_ms(ladder_of(q, fate), fate->next_ms, clock_wall_ms());
	bool moved = due != fate->next_ms;

	fate->next_ms = due;
	return moved;
}

/* An operator wanted it tried while this attempt was under way already: what he mended may not have been mended yet. */
static bool
is_overtaken(const struct message *m, uint32_t index)
{
	const struct job *job = m->places[index].stage == STAGE_JOB ? m->places[index].job : NULL;

	return job != NULL && job->state == JOB_ACTIVE && m->urged_mono_ms > job->started_mono_ms;
}

static void
set_next(struct queue *q, struct message *m, uint32_t index)
{
	struct fate *fate = &m->envelope.recipients[index].fate;

	fate->next_ms = is_overtaken(m, index) ? 0 :
	    retry_next_ms(ladder_of(q, fate), fate->attempts, clock_wall_ms(), (uint32_t)random_u64());
	q->deferred++;
}

void
queue_outcome(struct queue *q, struct message *m, uint32_t index, const struct outcome *o)
{
	struct fate *fate = &m->envelope.recipients[index].fate;

	if (action_final(fate->last.action))
		return;		/* what is final stays */
	message_set_outcome(m, index, o);
	fate->attempts++;
	m->places[index].news = true;
	if (o->action == ACTION_UNKNOWN)
		fate->flags |= FATE_UNKNOWN | FATE_MAYBE;
	if (o->action == ACTION_FAILED && bounce_is_last_resort(q->process->conf, m, index))
		hold_last_resort(m, index);
	if (action_final(fate->last.action))
		end_recipient(q, m, index);
	else
		set_next(q, m, index);
	queue_settle(q, m);
}

static enum expiry_verdict
expiry_verdict_of(const struct queue *q, const struct message *m, uint32_t index)
{
	const struct fate *fate = &m->envelope.recipients[index].fate;
	const struct place *place = &m->places[index];
	struct expiry_facts facts = {
		.arrival_mono_ms = m->arrival_mono_ms, .start_mono_ms = q->start_mono_ms, .attempts = fate->attempts,
		.null_path = message_is_bounce(m), .warned = (fate->flags & FATE_WARNED) != 0 || place->warn,
		.unwanted = !notify_wants(m->envelope.recipients[index].notify, NOTIFY_DELAY),
	};

	/* What lookup could not place, or what waits for a destination that answers nobody, was tried, too. */
	if (place->stage == STAGE_ROUTING || (place->stage == STAGE_JOB && schedule_in_vain(place->job)))
		facts.attempts++;
	return expiry_of(&q->process->conf->queue, &facts, clock_mono_ms());
}

static void
give_up(struct queue *q, struct message *m, uint32_t index)
{
	const struct outcome *last = &m->envelope.recipients[index].fate.last;
	struct outcome o = { .action = ACTION_FAILED, .status = STATUS(5, 4, 7), .text = last->text, .mta = last->mta };
	char words[OUTCOME_TEXT_MAX];
	size_t len;

	/* The words are about to be replaced: keep what the last attempt said. */
	len = last->text.len < sizeof(words) ? last->text.len : sizeof(words);
	if (len > 0)
		memcpy(words, last->text.p, len);
	o.text = len > 0 ? slice_of(words, len) : m->places[index].stage == STAGE_JOB ?
	    SLICE_LIT("delivery time expired; the destination did not answer") : SLICE_LIT("delivery time expired");
	o.mta = slice_of("", 0);
	queue_outcome(q, m, index, &o);
}

bool
queue_expire(struct queue *q, struct message *m)
{
	bool any = false, expired = false;

	for (uint32_t i = 0; i < m->envelope.count; i++) {
		struct fate *fate = &m->envelope.recipients[i].fate;

		if (action_final(fate->last.action) || (fate->flags & FATE_HELD) ||
		    (m->places[i].job != NULL && m->places[i].job->state == JOB_ACTIVE))
			continue;
		switch (expiry_verdict_of(q, m, i)) {
		case EXPIRY_GIVE_UP:
			if (!expired)
				log_event(EVENT_EXPIRED, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id),
				    LOG_SLICE(KEY_FROM, m->envelope.reverse_path));
			give_up(q, m, i);
			expired = any = true;
			break;
		case EXPIRY_WARN:
			m->places[i].warn = any = true;
			break;
		default:
			break;
		}
	}
	return any;
}

/* --- giving a job to an agent ------------------------------------------------------------------ */

/* Those that are still open: somebody has to look. The hold goes to disk with the next settlement. */
static void
hold_open(struct job *job)
{
	struct message *m = job->message;

	for (uint32_t i = 0; i < job->count; i++)
		if (job_wants(job, i)) {
			m->envelope.recipients[job->indexes[i]].fate.flags |= FATE_HELD;
			m->places[job->indexes[i]].dirty = true;
		}
}

static void
hold_unreadable(struct job *job, const char *why)
{
	char id[QUEUE_ID_LEN + 1];

	log_error("%s: its content cannot be read and it is held: %s", queue_id_print(job->message->id, id), why);
	hold_open(job);
}

/* Nobody has it yet: it goes back to where jobs wait. */
static enum start_result
keep_back(struct queue *q, struct job *job)
{
	struct message *m = job->message;

	schedule_again(q->schedule, job);
	queue_settle(q, m);
	return START_GONE;
}

/* No descriptor, no memory: our trouble, which passes. Nobody had the message, so it is tried again like after any delay. */
static enum start_result
put_off(struct queue *q, struct job *job, const char *why)
{
	static const struct outcome trouble = { .action = ACTION_DELAYED, .status = { 4, 3, 0 },
	    .text = { "the delivery could not be started", 33 } };
	struct message *m = job->message;
	char id[QUEUE_ID_LEN + 1];

	log_warn("%s: %s; it is tried again later", queue_id_print(m->id, id), why);
	for (uint32_t i = 0; i < job->count; i++)
		if (job_wants(job, i))
			queue_outcome(q, m, job->indexes[i], &trouble);
	schedule_again(q->schedule, job);
	return START_GONE;
}

/* This message kills agents: somebody has to look at it, or at them. */
static enum start_result
hold_deadly(struct queue *q, struct job *job)
{
	char id[QUEUE_ID_LEN + 1];

	log_error("%s: %u delivery agents died with it in hand and it is held; once released it is tried alone",
	    queue_id_print(job->message->id, id), job->deaths);
	job->deaths = JOB_DEATHS_ALONE;
	hold_open(job);
	return keep_back(q, job);
}

/* The result of giving: 0, or why not. */
enum given { GIVEN, GIVEN_LATER, GIVEN_UNREADABLE, GIVEN_TROUBLE };

static enum given
give_fd(struct queue *q, struct job *job, int fd)
{
	int result = agents_give(q->agents, job, slice_of("", 0), fd);

	fd_close(&fd);
	return result == -1 ? GIVEN_LATER : GIVEN;
}

static enum given
give_inline(struct queue *q, struct job *job, struct err *err)
{
	struct message *m = job->message;
	const char *content = queue_content(q, m, m->envelope.size, err);
	int fd;

	if (content == NULL)
		return GIVEN_UNREADABLE;
	if (m->envelope.size + job->count * FRAME_RECIPIENT + FRAME_OVERHEAD < FRAME_MAX)
		return agents_give(q->agents, job, slice_of(content, m->envelope.size), -1) == -1 ? GIVEN_LATER : GIVEN;
	/* Content and addresses together are too much for a frame: the content goes beside it. */
	fd = fd_sealed("content", content, m->envelope.size, err);
	return fd == -1 ? GIVEN_TROUBLE : give_fd(q, job, fd);
}

static enum given
give_large(struct queue *q, struct job *job, struct err *err)
{
	int fd = stored_open_large(job->message->stored, err);

	if (fd != -1)
		return give_fd(q, job, fd);
	return err->code == EMFILE || err->code == ENFILE || err->code == ENOMEM ? GIVEN_TROUBLE : GIVEN_UNREADABLE;
}

static enum start_result
give(struct queue *q, struct job *job)
{
	struct message *m = job->message;
	struct err err = { 0 };

	switch (m->large ? give_large(q, job, &err) : give_inline(q, job, &err)) {
	case GIVEN_UNREADABLE:
		hold_unreadable(job, err.text);
		return keep_back(q, job);
	case GIVEN_TROUBLE:
		return put_off(q, job, err.text);
	case GIVEN_LATER:
		return START_LATER;
	default:
		break;
	}
	job->started_mono_ms = clock_mono_ms();
	for (uint32_t i = 0; i < job->count; i++)
		m->places[job->indexes[i]].reported = false;
	return START_TAKEN;
}

static enum start_result
start(void *arg, struct job *job)
{
	struct queue *q = arg;
	struct message *m = job->message;

	if (job->deaths >= JOB_DEATHS_HELD)
		return hold_deadly(q, job);
	if (!agents_have_room(q->agents, job))
		return START_LATER;
	if (queue_expire(q, m))
		queue_settle(q, m);
	/* Expired now, or when another job of the message had its turn: there is nothing left to try. */
	if (job_next_wall_ms(job) == -1) {
		schedule_again(q->schedule, job);
		return START_GONE;
	}
	return give(q, job);
}

const struct schedule_ops queue_schedule_ops = { .start = start, .wake = queue_wake_due };

/* --- what the agent says ----------------------------------------------------------------------- */

static void
note_delays(const struct job *job, struct place *place, const struct deliver_results *results)
{
	int64_t arrival = job->message->arrival_mono_ms;

	place->delays_ms[0] = job->ready_mono_ms > arrival ? job->ready_mono_ms - arrival : 0;
	place->delays_ms[1] = job->started_mono_ms > job->ready_mono_ms ? job->started_mono_ms - job->ready_mono_ms : 0;
	place->delays_ms[2] = results->delays_ms[0];
	place->delays_ms[3] = results->delays_ms[1];
}

static bool
job_has(const struct job *job, uint32_t index)
{
	return index < job->message->envelope.count && job->message->places[index].job == job;
}

/* RFC 3463 x.4.y: the network or the name service failed, nobody said no to this message. */
static bool
is_unreachable(const struct outcome *o)
{
	return o->action == ACTION_DELAYED && o->status.subject == 4 && o->status.detail <= 4;
}

static void
end_job(struct queue *q, struct job *job, bool reachable)
{
	static const struct outcome silence = { .action = ACTION_DELAYED, .status = { 4, 3, 0 },
	    .text = { "the delivery agent said nothing about this recipient", 52 } };
	struct message *m = job->message;

	for (uint32_t i = 0; i < job->count; i++)
		if (job_wants(job, i) && !m->places[job->indexes[i]].reported)
			queue_outcome(q, m, job->indexes[i], &silence);
	schedule_settling(q->schedule, job, reachable);
	queue_settle(q, m);		/* COMMITTED follows when nothing of the job is dirty any more (settle.c) */
}

static bool
any_reported(const struct job *job)
{
	for (uint32_t i = 0; i < job->count; i++)
		if (job->message->places[job->indexes[i]].reported)
			return true;
	return false;
}

/*
 * What an agent read is not what was accepted. That is no news about a recipient or a destination: nobody was given anything. What
 * was in memory is not offered again; what lies on the disk is the store's to judge.
 */
static void
hold_damaged(struct queue *q, struct job *job)
{
	struct message *m = job->message;

	queue_drop_content(q, m);
	stored_suspect(m->stored);
	hold_unreadable(job, "a delivery agent found that it fails its checksum");
	for (uint32_t i = 0; i < job->count; i++)
		m->places[job->indexes[i]].reported = true;
}

static void
on_results(void *arg, struct job *job, const struct deliver_results *results)
{
	struct queue *q = arg;
	struct message *m = job->message;
	bool reachable = results->count == 0 || results->damaged;

	for (uint32_t i = 0; i < results->count; i++) {
		const struct deliver_result *r = &results->results[i];

		if (!is_unreachable(&r->outcome))
			reachable = true;
		if (!job_has(job, r->index))
			continue;
		note_delays(job, &m->places[r->index], results);
		m->places[r->index].reported = true;
		m->places[r->index].passed = r->tells;
		queue_outcome(q, m, r->index, &r->outcome);
	}
	if (results->damaged && !m->deleted)
		hold_damaged(q, job);
	if (results->finished && !any_reported(job)) {
		/* Given up before anything was sent: no attempt was made, nothing is to be recorded. */
		queue_put_back(q, job);
		agents_committed(q->agents, results->lease);
	} else if (results->finished) {
		end_job(q, job, reachable);
	}
}

void
queue_drop_job(struct queue *q, struct job *job)
{
	struct message *m = job->message;

	for (uint32_t i = 0; i < job->count; i++)
		if (m->places[job->indexes[i]].stage == STAGE_JOB)
			m->places[job->indexes[i]].stage = STAGE_NONE;
	agents_forget(q->agents, job);
	schedule_drop(q->schedule, job);
}

/* An adopted job has no destination: its open recipients look for their way again. A deleted message goes nowhere. */
void
queue_put_back(struct queue *q, struct job *job)
{
	struct message *m = job->message;

	if (m->deleted) {
		queue_drop_job(q, job);
	} else if (job->destination != NULL) {
		for (uint32_t i = 0; i < job->count; i++)
			(void)queue_fit_next(q, &m->envelope.recipients[job->indexes[i]].fate);
		schedule_again(q->schedule, job);
	} else {
		queue_drop_job(q, job);
		queue_route(q, m);
	}
}

static void
on_lost(void *arg, struct job *job)
{
	struct queue *q = arg;

	job->flags |= JOB_MAYBE;
	for (uint32_t i = 0; i < job->count; i++)
		if (job_wants(job, i))
			job->message->envelope.recipients[job->indexes[i]].fate.flags |= FATE_MAYBE;
	queue_put_back(q, job);
}

/* --- leases that an agent kept while queue was away -------------------------------------------- */

static bool
is_idle(const struct job *job)
{
	return job->state != JOB_ACTIVE && job->state != JOB_SETTLING;
}

/* Takes the recipients of a lease that nobody else has in hand and that are still open out of wherever they wait. */
static uint32_t
claim(struct queue *q, struct message *m, const struct lease *lease, uint32_t *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < lease->count; i++) {
		uint32_t index = lease->indexes[i];
		struct place *place = index < m->envelope.count ? &m->places[index] : NULL;

		if (place == NULL)
			continue;
		if (place->stage == STAGE_ROUTING) {
			queue_unroute_one(q, m, index);
			place->stage = STAGE_NONE;
		} else if (place->stage == STAGE_JOB && is_idle(place->job)) {
			queue_drop_job(q, place->job);
		}
		if (place->stage == STAGE_NONE)
			out[count++] = index;
	}
	return count;
}

struct bringing {
	struct queue	*queue;
	queue_id	 id;
};

static void
brought(void *arg, const struct store_woken *w)
{
	struct bringing *b = arg;
	char id[QUEUE_ID_LEN + 1];

	if (w->failed)
		log_warn("%s: an agent has it in hand and it cannot be read; it may be sent again", queue_id_print(b->id, id));
	agents_brought(b->queue->agents, b->id);
	mem_free(b);
}

/* What waited in the spool when it was given away still does, unless it has ended. */
static bool
on_bring(void *arg, queue_id id)
{
	struct queue *q = arg;
	struct bringing *b;

	if (q->stopping || q->store == NULL || queue_find(q, id) != NULL || (b = mem_alloc(sizeof(*b))) == NULL)
		return false;
	*b = (struct bringing){ q, id };
	if (store_wake(q->store, id, brought, b) == 0)
		return true;
	mem_free(b);
	return false;
}

static void
on_lease(void *arg, struct agent *agent, const struct lease *lease)
{
	struct queue *q = arg;
	struct message *m = queue_find(q, lease->id);
	uint32_t indexes[JOB_RECIPIENTS_MAX], count;
	struct job *job = NULL;

	if (m == NULL || m->deleted || lease->count > JOB_RECIPIENTS_MAX)
		return;		/* its results will be acknowledged and forgotten */
	count = claim(q, m, lease, indexes);
	if (count > 0)
		job = schedule_adopt(q->schedule, m, indexes, count);
	if (job != NULL)
		agents_adopt(q->agents, agent, job, lease->lease);
	queue_route(q, m);
}

static void
on_room(void *arg, enum transport transport, bool all_known)
{
	struct queue *q = arg;

	if (all_known && !q->process->paused && !q->stopping)
		schedule_pause(q->schedule, transport, false);
	schedule_wake(q->schedule, transport);
}

const struct agents_ops queue_agents_ops = {
	.bring = on_bring,
	.lease = on_lease,

	.results = on_results,
	.lost = on_lost,
	.room = on_room,
};
