/*
 * settle — fates go to disk: the states that changed, the notifications that are owed, the DONE.
 *
 * What belongs together is one change of the store. A recipient whose end has to be told (a failure, or an arrival that the
 * sender asked about) is written with FATE_OWED until the very change that
 * holds the notification about it, so at no moment the failure is recorded and the debt is not (the bounce is
 * durable before the original is done); the flag in memory goes only when that change is durable, because the store may copy the
 * envelope (on_fold) at any time between. One settlement of a message is under way at a time; outcomes that come meanwhile are
 * the next one's. An agent is told COMMITTED only when nothing of its job is dirty any more.
 */
#include "queue/queue.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "queue/bounce/bounce.h"
#include "queue/bounce/quota.h"
#include "wire/fields.h"

#define PATIENCE	20		/* ms that outcomes wait for somebody else's batch */
#define AGAIN		INT64_C(1000)	/* ms until a settlement is tried again after trouble */
#define PROBES		64		/* settlements at a time that ask whether a full ring has room again */
#define HEADER_READ	(64 * 1024)	/* of the content, for the notification's copy of the header */
#define DELTA_MAX	256		/* recipients in one record */
#define NOTICES		2		/* notifications in one change */
/* Of states in one change; with NOTICES notifications beside them they stay below STORE_CHANGE_MAX. More wait for the next one. */
#define STATES_BYTES	(384 * 1024)
#define FATE_BYTES	40		/* a fate's encoding without its words, and the index */

struct told {			/* a notification on its way to disk, and whom it is about */
	enum dsn_kind	 kind;
	struct message	*notice;
	uint32_t	 indexes[DSN_RECIPIENTS_MAX];
	uint32_t	 count;
};

struct settlement {
	struct queue		*queue;
	struct message		*message;
	bool			 done;			/* the change holds the DONE */
	struct told		 told[NOTICES];
	size_t			 bytes;			/* of the states */
	uint32_t		 count;
	uint32_t		 indexes[];		/* whose fates are in the change */
};

static void settled(void *, enum store_result);

/* --- what there is to do ----------------------------------------------------------------------- */

/* In the order in which senders want to know. */
static const enum dsn_kind kinds[] = { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS };

/* More may be known of this recipient in a moment. */
static bool
is_under_way(const struct place *place)
{
	return place->routing != NULL || (place->stage == STAGE_JOB && place->job != NULL &&
	    (place->job->state == JOB_FRESH || place->job->state == JOB_ACTIVE));
}

/* Good news waits for the others of its round, so that they come in one notification. */
static bool
is_due(const struct message *m, enum dsn_kind kind)
{
	if (!bounce_is_owed(m, kind))
		return false;
	for (uint32_t i = 0; kind == DSN_SUCCESS && m->open > 0 && i < m->envelope.count; i++)
		if (is_under_way(&m->places[i]))
			return false;
	return true;
}

/* Somebody is to be told, and may be told now. */
static bool
owes_now(const struct queue *q, const struct message *m)
{
	if (m->deleted || m->notice_after_ms > loop_now(q->loop))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is_due(m, kinds[i]))
			return true;
	return false;
}

/* A sender that was told enough within the hour waits; what it is owed stays owed, on disk, too. */
static void
ask_quota(struct queue *q, struct message *m)
{
	int64_t wait;

	if (!owes_now(q, m))
		return;
	wait = quota_wait_ms(q->quotas, m->envelope.reverse_path, (uint32_t)q->process->conf->queue.sender_notices,
	    loop_now(q->loop));
	m->notice_after_ms = wait > 0 ? loop_now(q->loop) + wait : 0;
}

static bool
needs_change(const struct queue *q, const struct message *m)
{
	if (m->deleted || owes_now(q, m) || (m->open == 0 && !bounce_owes(m)))
		return true;
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].dirty)
			return true;
	return false;
}

static enum store_class
class_of(const struct queue *q, const struct message *m)
{
	if (m->deleted)
		return STORE_DONE;
	if (owes_now(q, m))
		return STORE_DSN;
	return m->open == 0 && !bounce_owes(m) ? STORE_DONE : STORE_STATE;
}

/* --- making the change ------------------------------------------------------------------------- */

static struct settlement *
settlement_new(struct queue *q, struct message *m)
{
	struct settlement *s;
	size_t most = NOTICES * DSN_RECIPIENTS_MAX;

	for (uint32_t i = 0; i < m->envelope.count; i++)
		most += m->places[i].dirty ? 1 : 0;
	s = mem_zalloc(sizeof(*s) + most * sizeof(s->indexes[0]));
	if (s == NULL)
		return NULL;
	s->queue = q;
	s->message = m;
	return s;
}

static void
settlement_free(struct settlement *s)
{
	for (int k = 0; k < NOTICES; k++)
		message_free(&s->told[k].notice);
	mem_free(s);
}

static int
put_notice(struct settlement *s, struct change *change, struct told *told)
{
	struct message *n = told->notice;
	struct buf *scratch = &s->queue->scratch;
	struct store_put put = { .id = n->id, .version = 1 };

	buf_reset(scratch);
	put_envelope(scratch, &n->envelope);
	put.envelope = arena_slice(&n->arena, buf_slice(scratch));
	put.content = slice_of(n->content, n->envelope.size);
	if (scratch->failed || put.envelope.p == NULL)
		return -1;
	n->stored = change_put(change, &put, n);
	return n->stored == NULL ? -1 : 0;
}

/* These recipients are being told, or are not after all. */
static void
mark_told(struct settlement *s, const struct told *told, bool yes)
{
	for (uint32_t i = 0; i < told->count; i++) {
		struct place *place = &s->message->places[told->indexes[i]];
		struct fate *fate = &s->message->envelope.recipients[told->indexes[i]].fate;

		place->dirty = true;
		if (told->kind != DSN_DELAY) {
			place->owed = !yes;
			continue;
		}
		place->warn = !yes;
		fate->flags = yes ? fate->flags | FATE_WARNED : fate->flags & ~(uint32_t)FATE_WARNED;
	}
}

/* The original's first bytes; better a notification without them than none. */
static struct slice
header_of(struct queue *q, struct message *m)
{
	size_t len = m->envelope.size < HEADER_READ ? m->envelope.size : HEADER_READ;
	struct err err = { 0 };
	const char *header = queue_content(q, m, len, &err);

	if (header != NULL)
		return slice_of(header, len);
	log_error("the header for a notification cannot be read: %s", err.text);
	return slice_of("", 0);
}

static int
make_notice(struct settlement *s, struct change *change, enum dsn_kind kind, struct told *told, struct err *err)
{
	struct queue *q = s->queue;
	struct message *m = s->message;
	uint64_t own;

	if (store_next_ids(q->store, 1, &own) == -1)
		return err_set(err, "no queue id for a notification");
	told->kind = kind;
	told->notice = bounce_new(q->process->conf, m, kind, own, header_of(q, m), told->indexes, &told->count, err);
	if (told->notice == NULL) {
		told->count = 0;
		return -1;
	}
	quota_take(q->quotas, m->envelope.reverse_path, loop_now(q->loop));
	mark_told(s, told, true);
	return put_notice(s, change, told) == -1 ? err_set(err, "no memory for a notification") : 0;
}

static void
take(struct settlement *s, uint32_t index)
{
	const struct outcome *last = &s->message->envelope.recipients[index].fate.last;

	if (!s->message->places[index].dirty)
		return;
	s->message->places[index].dirty = false;
	s->indexes[s->count++] = index;
	s->bytes += FATE_BYTES + last->text.len + last->mta.len;
}

/* Those that are being told must be in this change; of the others as many as fit. A DONE needs none of them, but is their news. */
static void
take_dirty(struct settlement *s)
{
	for (int k = 0; k < NOTICES; k++)
		for (uint32_t i = 0; i < s->told[k].count; i++)
			take(s, s->told[k].indexes[i]);
	for (uint32_t i = 0; i < s->message->envelope.count && (s->done || s->bytes < STATES_BYTES); i++)
		take(s, i);
}

/* As it will be when this change is durable: whoever is being told is owed nothing then. */
static void
put_state(struct buf *out, const struct message *m, uint32_t index)
{
	struct fate fate = m->envelope.recipients[index].fate;

	if (!m->places[index].owed)
		fate.flags &= ~(uint32_t)FATE_OWED;
	put_u32(out, index);
	put_fate(out, &fate);
}

static int
put_states(struct settlement *s, struct change *change)
{
	struct message *m = s->message;
	struct buf *scratch = &s->queue->scratch;

	/* A record holds a part of the recipients; the parts become durable together. */
	for (uint32_t at = 0; at < s->count; at += DELTA_MAX) {
		uint32_t n = s->count - at < DELTA_MAX ? s->count - at : DELTA_MAX;

		buf_reset(scratch);
		put_u32(scratch, n);
		for (uint32_t i = at; i < at + n; i++)
			put_state(scratch, m, s->indexes[i]);
		if (scratch->failed || change_state(change, m->stored, buf_slice(scratch)) == -1)
			return -1;
	}
	return 0;
}

/* What does not fit into this change is still owed when it is durable, and comes with the next. */
static int
make_notices(struct settlement *s, struct change *change, struct err *err)
{
	int n = 0;

	if (!owes_now(s->queue, s->message))
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && n < NOTICES; i++)
		if (is_due(s->message, kinds[i]) && make_notice(s, change, kinds[i], &s->told[n++], err) == -1)
			return -1;
	return 0;
}

static int
fill(struct settlement *s, struct change *change, struct err *err)
{
	struct message *m = s->message;

	if (make_notices(s, change, err) == -1)
		return -1;
	s->done = m->deleted || (m->open == 0 && !bounce_owes(m));
	take_dirty(s);
	if (s->done)
		return change_done(change, m->stored) == -1 ? err_set(err, "no memory for a DONE record") : 0;
	return put_states(s, change) == -1 ? err_set(err, "no memory for a state record") : 0;
}

/* Nothing of it reached the disk: all of it is to do again. The notices are made anew. */
static void
give_back(struct settlement *s)
{
	struct message *m = s->message;

	for (uint32_t i = 0; i < s->count; i++)
		m->places[s->indexes[i]].dirty = true;
	for (int k = 0; k < NOTICES; k++) {
		mark_told(s, &s->told[k], false);
		if (s->told[k].notice != NULL)
			quota_give_back(s->queue->quotas, m->envelope.reverse_path);
	}
}

void
queue_unsettle(struct queue *q, struct message *m)
{
	if (m->due_queued)
		TAILQ_REMOVE(&q->due, m, due);
	if (m->blocked)
		TAILQ_REMOVE(&q->blocked, m, due);
	m->due_queued = m->blocked = false;
}

static void
try_again_later(struct queue *q, struct message *m)
{
	queue_unsettle(q, m);
	m->blocked = true;
	TAILQ_INSERT_TAIL(&q->blocked, m, due);
	if (!timer_is_set(&q->settle_again) && !q->stopping)
		timer_set(&q->settle_again, AGAIN);
}

static void
settle_one(struct queue *q, struct message *m)
{
	struct settlement *s = settlement_new(q, m);
	struct change *change = s == NULL ? NULL : change_new(q->store, class_of(q, m), settled, s);
	struct err err = { 0 };

	if (change == NULL || fill(s, change, &err) == -1) {
		log_error("an outcome waits: %s", change == NULL ? "no memory" : err.text);
		change_drop(&change);
		if (s != NULL) {
			give_back(s);
			settlement_free(s);
		}
		try_again_later(q, m);
		return;
	}
	m->settling = true;
	m->folded = false;
	store_commit(q->store, &change, PATIENCE);
}

/* Jobs whose every fate is on disk now: the agent may forget them, and they go back to wait, or end. */
static void
release_job(struct job *job, void *arg)
{
	struct queue *q = arg;
	struct message *m = job->message;

	if (job->state != JOB_SETTLING)
		return;
	for (uint32_t i = 0; i < job->count; i++)
		if (m->places[job->indexes[i]].dirty)
			return;
	agents_committed(q->agents, job->lease);
	queue_put_back(q, job);
}

/* While the ring is full only what frees space goes on, and a few that find out whether it still is. */
static bool
may_settle(struct queue *q, const struct message *m)
{
	if (!q->ring_full || class_of(q, m) == STORE_DONE)
		return true;
	if (q->probes == 0)
		return false;
	q->probes--;
	return true;
}

static void
settle_due(void *arg)
{
	struct queue *q = arg;
	struct message *m;

	/* What cannot go now is blocked, so this ends. */
	while (q->store != NULL && (m = TAILQ_FIRST(&q->due)) != NULL) {
		TAILQ_REMOVE(&q->due, m, due);
		m->due_queued = false;
		if (m->settling)
			continue;	/* looked at again when that is over */
		ask_quota(q, m);
		if (!needs_change(q, m)) {
			schedule_each_job(m, release_job, q);
			queue_rest(q, m);
		} else if (may_settle(q, m)) {
			settle_one(q, m);
		} else {
			try_again_later(q, m);
		}
	}
}

void
queue_settle(struct queue *q, struct message *m)
{
	queue_unsettle(q, m);
	m->due_queued = true;
	TAILQ_INSERT_TAIL(&q->due, m, due);
	loop_at_end(q->loop, &q->settle_hook, settle_due, q);
}

void
queue_settle_blocked(struct queue *q)
{
	struct message *m;

	q->probes = PROBES;
	while ((m = TAILQ_FIRST(&q->blocked)) != NULL) {
		TAILQ_REMOVE(&q->blocked, m, due);
		m->blocked = false;
		m->due_queued = true;
		TAILQ_INSERT_TAIL(&q->due, m, due);
	}
	loop_at_end(q->loop, &q->settle_hook, settle_due, q);
}

/* --- it is durable ----------------------------------------------------------------------------- */

static const char *const status_words[ACTION_COUNT] = {
	[ACTION_DELIVERED] = "delivered to mailbox",
	[ACTION_RELAYED]   = "relayed",
	[ACTION_EXPANDED]  = "expanded",
	[ACTION_DELAYED]   = "delayed",
	[ACTION_UNKNOWN]   = "may be sent more than once",
	[ACTION_FAILED]    = "failed",
};

static void
log_delivery(const struct message *m, uint32_t index)
{
	const struct recipient *rcpt = &m->envelope.recipients[index];
	const struct place *place = &m->places[index];
	const struct outcome *last = &rcpt->fate.last;
	int64_t total = place->delays_ms[0] + place->delays_ms[1] + place->delays_ms[2] + place->delays_ms[3];
	char delays[100];

	(void)snprintf(delays, sizeof(delays), "%" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64, place->delays_ms[0],
	    place->delays_ms[1], place->delays_ms[2], place->delays_ms[3]);
	log_event(EVENT_DELIVERY, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_SLICE(KEY_TO, rcpt->address),
	    LOG_SLICE(KEY_ORIG_TO, rcpt->original), LOG_SLICE(KEY_RELAY, last->mta), LOG_NUM(KEY_DELAY, total),
	    LOG_STR(KEY_DELAYS, delays), LOG_STATUS(KEY_STATUS, last->status), LOG_NUM(KEY_ACTION, last->action),
	    last->text.len > 0 ? LOG_SLICE(KEY_TEXT, last->text) : LOG_STR(KEY_TEXT, status_words[last->action]));
}

/* It failed, and nobody wants to hear of that: an audit that misses the notification has to know. */
static void
log_silence(const struct message *m, uint32_t index)
{
	const struct recipient *rcpt = &m->envelope.recipients[index];

	if (rcpt->fate.last.action == ACTION_FAILED && !notify_wants(rcpt->notify, NOTIFY_FAILURE))
		log_event(EVENT_UNTOLD, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_SLICE(KEY_TO, rcpt->address),
		    LOG_SLICE(KEY_ORIG_TO, rcpt->original));
}

static void
log_news(struct settlement *s)
{
	struct message *m = s->message;

	for (uint32_t i = 0; i < s->count; i++) {
		if (m->places[s->indexes[i]].news) {
			log_delivery(m, s->indexes[i]);
			log_silence(m, s->indexes[i]);
		}
		m->places[s->indexes[i]].news = false;
	}
}

/* The phrase that log readers know, and for an audit whose bounce it tells of: recipients of one message may fail at different times. */
static void
log_notice(const struct message *m, const struct told *told, queue_id own)
{
	static const char *const phrases[] = { [DSN_FAILURE] = "sender non-delivery notification",
	    [DSN_DELAY] = "sender delay notification", [DSN_SUCCESS] = "sender delivery status notification" };

	log_event(EVENT_NOTIFICATION, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_ID(KEY_NEW_ID, own),
	    LOG_STR(KEY_KIND, phrases[told->kind]));
	for (uint32_t i = 0; told->kind == DSN_FAILURE && i < told->count; i++) {
		const struct recipient *rcpt = &m->envelope.recipients[told->indexes[i]];

		log_event(EVENT_TOLD, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_ID(KEY_NEW_ID, own),
		    LOG_SLICE(KEY_TO, rcpt->address), LOG_SLICE(KEY_ORIG_TO, rcpt->original));
	}
}

static void
adopt_notice(struct settlement *s, struct told *told)
{
	struct message *n = told->notice;

	if (n == NULL)
		return;
	told->notice = NULL;
	log_notice(s->message, told, n->id);
	log_event(EVENT_QUEUED, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, n->id), LOG_SLICE(KEY_FROM, n->envelope.reverse_path),
	    LOG_NUM(KEY_SIZE, n->envelope.size), LOG_NUM(KEY_NRCPT, n->envelope.count));
	queue_adopt(s->queue, n);
}

/* The debts are paid. What the store copied in the meantime still shows them: then the states are written once more. */
static void
clear_debts(struct settlement *s)
{
	for (int k = 0; k < NOTICES; k++) {
		const struct told *told = &s->told[k];

		for (uint32_t i = 0; told->kind != DSN_DELAY && i < told->count; i++) {
			s->message->envelope.recipients[told->indexes[i]].fate.flags &= ~(uint32_t)FATE_OWED;
			s->message->places[told->indexes[i]].dirty |= s->message->folded;
		}
	}
}

static void
commit_job(struct job *job, void *arg)
{
	struct queue *q = arg;

	if (job->state == JOB_SETTLING)
		agents_committed(q->agents, job->lease);
}

static void
finish_message(struct queue *q, struct message *m)
{
	log_event(EVENT_REMOVED, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id));
	schedule_each_job(m, commit_job, q);
	m->stored = NULL;
	queue_forget(q, m);
}

static void
not_settled(struct settlement *s, enum store_result result)
{
	give_back(s);
	s->message->settling = false;
	s->queue->ring_full = result == STORE_FULL;
	try_again_later(s->queue, s->message);
	settlement_free(s);
}

static void
settled(void *arg, enum store_result result)
{
	struct settlement *s = arg;
	struct queue *q = s->queue;
	struct message *m = s->message;

	if (result != STORE_DURABLE) {
		not_settled(s, result);
		return;
	}
	m->settling = false;
	if (!s->done && q->ring_full) {
		q->ring_full = false;		/* a state was admitted */
		queue_settle_blocked(q);
	}
	clear_debts(s);
	log_news(s);
	for (int k = 0; k < NOTICES; k++)
		adopt_notice(s, &s->told[k]);
	if (s->done) {
		finish_message(q, m);
	} else {
		schedule_each_job(m, release_job, q);
		queue_settle(q, m);
	}
	settlement_free(s);
}
