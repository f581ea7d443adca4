/*
 * handoff — sends copies to workers, at most so many at once, and follows each through its two syncs.
 */
#include "mda/handoff.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"

#define PIECE		(64 * 1024)	/* of content read from a file */
#define PENDING_MOST	(1024 * 1024)	/* bytes a worker has not read: then the next waits */
#define LIVES		2		/* workers that one copy may see die */
#define SYNCS		2		/* failed syncs it may see */
#define MOVES		3		/* Maildirs moved beneath it */

struct handoff {
	struct loop	*loop;
	struct sync	*sync;
	struct crew	*crew;
	struct hash	 by_id;
	uint64_t	 id;
	unsigned	 worker_jobs;
	struct deliveries late;		/* to be delayed at the end of the round */
	struct hook	 late_hook;
	uint64_t	 delivered, delayed, damaged, rewritten, maybe;
	char		 piece[PIECE];
};

static void	worker_feed(struct worker *);

/* --- the end of a delivery -------------------------------------------------------------------- */

/* Nothing of the handoff holds it any more when `done` runs. */
static void
delivery_finish(struct delivery *d, enum action action, struct status status, const char *text)
{
	struct handoff *h = d->handoff;

	if (action == ACTION_DELIVERED)
		h->delivered++;
	else
		h->delayed++;
	d->state = DELIVERY_NONE;
	d->done(d->arg, action, status, text);
}

static void
delivery_unsend(struct delivery *d)
{
	hash_remove(&d->handoff->by_id, &d->by_id);
	TAILQ_REMOVE(&d->worker->sent, d, entry);
	d->worker->sent_count--;
	if (d->worker->streaming == d)
		d->worker->streaming = NULL;
	sync_forget(&d->wait);
}

static void
delivery_wait(struct delivery *d, struct worker *w)
{
	d->worker = w;
	d->state = DELIVERY_WAITING;
	d->reader = (struct content_reader){ 0 };
	TAILQ_INSERT_TAIL(&w->waiting, d, entry);
	worker_wanted(w);
}

static void
delivered(struct delivery *d)
{
	delivery_finish(d, ACTION_DELIVERED, STATUS(2, 0, 0), "delivered to maildir");
}

/* --- to the worker ---------------------------------------------------------------------------- */

static void
worker_ids(struct worker *w, uint16_t type, uint64_t id)
{
	struct mailbox_ids ids;		/* not zeroed: only the first is looked at */

	ids.count = 1;
	ids.ids[0] = id;
	mailbox_ids_put(channel_begin(w->channel, type), &ids);
	(void)channel_end(w->channel);
}

/* The worker never gets the end of such a content, so what it has of it stays in tmp/, and goes. */
static void
delivery_unreadable(struct delivery *d, enum content_result result, const struct err *err)
{
	struct worker *w = d->worker;

	log_error("%s", err->text);
	d->damaged = result == CONTENT_DAMAGED;
	d->handoff->damaged += d->damaged;
	if (d->state == DELIVERY_SENDING) {
		worker_ids(w, MAILBOX_ABANDON, d->id);
		delivery_unsend(d);
	} else {
		TAILQ_REMOVE(&w->waiting, d, entry);
	}
	delivery_finish(d, ACTION_DELAYED, STATUS(4, 3, 0), "the message could not be read from the queue");
}

/* The first frame of a copy; small content goes with it whole. */
static enum content_result
delivery_send(struct delivery *d, struct err *err)
{
	struct handoff *h = d->handoff;
	struct worker *w = d->worker;
	size_t most = d->content->bytes != NULL ? MAILBOX_PIECE_MAX : PIECE;
	struct mailbox_deliver deliver = { .id = ++h->id, .seconds = d->seconds, .nonce = d->nonce, .index = d->index,
	    .reverse_path = d->reverse_path, .recipient = d->recipient, .size = d->content->size };
	enum content_result result = content_next(d->content, &d->reader, most, h->piece, &deliver.content, err);

	if (result != CONTENT_GOOD)
		return result;
	deliver.flags = (d->maybe ? DELIVER_MAYBE : 0u) | (w->device == NULL ? DELIVER_OWN_SYNC : 0u);
	mailbox_deliver_put(channel_begin(w->channel, MAILBOX_DELIVER), &deliver);
	(void)channel_end(w->channel);
	TAILQ_REMOVE(&w->waiting, d, entry);
	TAILQ_INSERT_TAIL(&w->sent, d, entry);
	w->sent_count++;
	w->owed++;
	d->id = deliver.id;
	hash_insert(&h->by_id, &d->by_id, hash_u64(d->id));
	d->state = d->reader.at < d->content->size ? DELIVERY_SENDING : DELIVERY_SENT;
	w->streaming = d->state == DELIVERY_SENDING ? d : NULL;
	d->sent_ms = loop_now(h->loop);
	h->maybe += d->maybe;
	return CONTENT_GOOD;
}

/* The next piece of the copy that is being sent. */
static void
delivery_stream(struct delivery *d)
{
	struct handoff *h = d->handoff;
	struct worker *w = d->worker;
	struct mailbox_content content = { .id = d->id };
	enum content_result result;
	struct err err;

	if ((result = content_next(d->content, &d->reader, PIECE, h->piece, &content.content, &err)) != CONTENT_GOOD) {
		w->owed--;
		delivery_unreadable(d, result, &err);
		return;
	}
	mailbox_content_put(channel_begin(w->channel, MAILBOX_CONTENT), &content);
	(void)channel_end(w->channel);
	if (d->reader.at == d->content->size) {
		d->state = DELIVERY_SENT;
		w->streaming = NULL;
	}
}

/* Sends what there is, as much as the worker takes and may have. */
static void
worker_feed(struct worker *w)
{
	enum content_result result;
	struct delivery *d;
	struct err err;

	while (w->state == WORKER_SERVING && channel_pending(w->channel) < PENDING_MOST) {
		if (w->streaming != NULL) {
			delivery_stream(w->streaming);
			continue;
		}
		d = TAILQ_FIRST(&w->waiting);
		if (d == NULL || w->sent_count >= d->handoff->worker_jobs)
			break;
		if ((result = delivery_send(d, &err)) != CONTENT_GOOD)
			delivery_unreadable(d, result, &err);
	}
	worker_touched(w);
}

/* --- syncs ------------------------------------------------------------------------------------ */

/* What a failed sync was to make durable may be gone though it can still be read: write it afresh. */
static void
delivery_rewrite(struct delivery *d, int error)
{
	struct worker *w = d->worker;

	log_error("syncing the file system of %s: %s", w->maildir, strerror(error));
	if (d->state == DELIVERY_WRITTEN && w->state == WORKER_SERVING)
		worker_ids(w, MAILBOX_ABANDON, d->id);
	delivery_unsend(d);
	if (++d->failed_syncs >= SYNCS) {
		delivery_finish(d, ACTION_DELAYED, STATUS(4, 3, 0), "the mailbox's file system could not be synced");
	} else {
		d->handoff->rewritten++;
		delivery_wait(d, w);
	}
	worker_feed(w);
}

static void
on_sync(void *arg, int error)
{
	struct delivery *d = arg;
	struct worker *w = d->worker;

	if (error != 0) {
		delivery_rewrite(d, error);
	} else if (d->state == DELIVERY_WRITTEN) {
		d->state = DELIVERY_SYNCED;
		w->owed++;
		worker_ids(w, MAILBOX_SYNCED, d->id);
		worker_touched(w);
	} else {
		delivery_unsend(d);
		delivered(d);
		worker_feed(w);
	}
}

static void
delivery_sync(struct delivery *d, enum delivery_state state)
{
	d->state = state;
	d->wait.done = on_sync;
	d->wait.arg = d;
	sync_ask(d->worker->device, &d->wait);
}

/* --- from the worker -------------------------------------------------------------------------- */

static struct delivery *
delivery_find(const struct handoff *h, const struct worker *w, uint64_t id)
{
	struct hash_node *node;

	for (node = hash_first(&h->by_id, hash_u64(id)); node != NULL; node = hash_next(node)) {
		struct delivery *d = CONTAINER_OF(node, struct delivery, by_id);

		if (d->id == id && d->worker == w)
			return d;
	}
	return NULL;
}

/* -1: this worker may not say this about that copy now. */
static int
delivery_advance(struct delivery *d, uint16_t type)
{
	struct worker *w = d->worker;

	if (type == MAILBOX_WRITTEN && d->state == DELIVERY_SENT && w->device != NULL) {
		delivery_sync(d, DELIVERY_WRITTEN);
	} else if (type == MAILBOX_RENAMED && d->state == DELIVERY_SYNCED && w->device != NULL) {
		delivery_sync(d, DELIVERY_RENAMED);
	} else if (type == MAILBOX_STORED && d->state == DELIVERY_SENT && (w->device == NULL || d->maybe)) {
		delivery_unsend(d);
		delivered(d);
	} else {
		return -1;
	}
	w->owed--;
	return 0;
}

static int
on_ids(struct handoff *h, struct worker *w, uint16_t type, struct reader *in)
{
	struct mailbox_ids ids;

	if (mailbox_ids_get(in, &ids) == -1)
		return -1;
	for (uint32_t i = 0; i < ids.count; i++) {
		struct delivery *d = delivery_find(h, w, ids.ids[i]);

		if (d == NULL || delivery_advance(d, type) == -1)
			return -1;
	}
	worker_feed(w);
	return 0;
}

static int
on_refused(struct handoff *h, struct worker *w, struct reader *in)
{
	struct mailbox_refused refused;
	struct delivery *d;
	char text[MAILBOX_TEXT_MAX + 1];
	bool again;

	if (mailbox_refused_get(in, &refused) == -1 || (d = delivery_find(h, w, refused.id)) == NULL)
		return -1;
	if (d->state != DELIVERY_SENDING && d->state != DELIVERY_SENT && d->state != DELIVERY_SYNCED)
		return -1;
	w->owed--;
	again = refused.again && ++d->moves < MOVES;
	memcpy(text, refused.text.p, refused.text.len);
	text[refused.text.len] = '\0';
	delivery_unsend(d);
	if (again)
		delivery_wait(d, w);
	else
		delivery_finish(d, ACTION_DELAYED, refused.status, text);
	if (again)
		worker_retire(w);
	else
		worker_feed(w);
	return 0;
}

static int
on_frame(void *arg, struct worker *w, uint16_t type, struct reader *in)
{
	return type == MAILBOX_REFUSED ? on_refused(arg, w, in) : on_ids(arg, w, type, in);
}

/* --- from the crew ---------------------------------------------------------------------------- */

static void
on_ready(void *arg, struct worker *w)
{
	(void)arg;
	worker_feed(w);
}

static void
on_drained(void *arg, struct worker *w)
{
	(void)arg;
	worker_feed(w);
}

/*
 * What lies in new/ needs its worker no more: RENAMED copies wait on for their sync. Of the others
 * nobody knows how far they came: the next worker looks first.
 */
static void
on_lost(void *arg, struct worker *w, bool hopeless, struct status status, const char *text)
{
	struct delivery *d, *next;

	(void)arg;
	for (d = TAILQ_FIRST(&w->sent); d != NULL; d = next) {
		next = TAILQ_NEXT(d, entry);
		if (d->state == DELIVERY_RENAMED)
			continue;
		delivery_unsend(d);
		d->maybe = true;
		if (++d->deaths >= LIVES)
			delivery_finish(d, ACTION_DELAYED, STATUS(4, 3, 0), "delivery workers of this mailbox died twice");
		else
			delivery_wait(d, w);
	}
	while (hopeless && (d = TAILQ_FIRST(&w->waiting)) != NULL) {
		TAILQ_REMOVE(&w->waiting, d, entry);
		delivery_finish(d, ACTION_DELAYED, status, text);
	}
}

/* --- deliveries ------------------------------------------------------------------------------- */

static void
tell_late(void *arg)
{
	struct handoff *h = arg;
	struct delivery *d;

	while ((d = TAILQ_FIRST(&h->late)) != NULL) {
		TAILQ_REMOVE(&h->late, d, entry);
		delivery_finish(d, ACTION_DELAYED, STATUS(4, 3, 0), "no memory for a delivery worker");
	}
}

void
handoff_deliver(struct handoff *h, struct delivery *d, const struct mailbox_answer *mailbox)
{
	struct worker *w = crew_worker(h->crew, mailbox);

	d->handoff = h;
	d->deaths = d->failed_syncs = d->moves = 0;
	d->sent_ms = 0;
	d->worker = NULL;
	if (w == NULL) {
		d->state = DELIVERY_WAITING;
		TAILQ_INSERT_TAIL(&h->late, d, entry);
		loop_at_end(h->loop, &h->late_hook, tell_late, h);
		return;
	}
	delivery_wait(d, w);
	worker_feed(w);
}

bool
handoff_cancel(struct delivery *d)
{
	struct worker *w = d->worker;

	if (d->state != DELIVERY_WAITING || d->deaths > 0 || d->failed_syncs > 0)
		return false;
	if (w == NULL) {
		TAILQ_REMOVE(&d->handoff->late, d, entry);
	} else {
		TAILQ_REMOVE(&w->waiting, d, entry);
		worker_touched(w);
	}
	d->state = DELIVERY_NONE;
	return true;
}

struct handoff *
handoff_new(struct loop *loop, sync_flush_fn *flush, struct err *err)
{
	struct handoff *h = mem_zalloc(sizeof(*h));
	const struct crew_ops ops = { on_ready, on_lost, on_drained, on_frame, h };

	if (h == NULL) {
		err_set(err, "no memory for the handoff");
		return NULL;
	}
	h->loop = loop;
	h->worker_jobs = 1;
	hash_init(&h->by_id);
	TAILQ_INIT(&h->late);
	if ((h->sync = sync_new(loop, flush, err)) == NULL || (h->crew = crew_new(loop, h->sync, &ops, err)) == NULL)
		handoff_free(&h);
	return h;
}

void
handoff_configure(struct handoff *h, const struct conf *conf)
{
	h->worker_jobs = (unsigned)conf->mda.worker_jobs;
	crew_configure(h->crew, (unsigned)conf->mda.max_workers, conf->mda.worker_idle, conf->hostname);
}

void
handoff_wire(struct handoff *h, int fd)
{
	crew_wire(h->crew, fd);
}

void
handoff_free(struct handoff **hp)
{
	struct handoff *h = *hp;

	if (h == NULL)
		return;
	loop_hook_cancel(h->loop, &h->late_hook);
	crew_free(&h->crew);
	sync_free(&h->sync);
	hash_fini(&h->by_id);
	mem_free(h);
	*hp = NULL;
}

void
handoff_status(const struct handoff *h, struct buf *out)
{
	(void)buf_printf(out, "workers %zu\ndelivered %" PRIu64 "\ndelayed %" PRIu64 "\ndamaged %" PRIu64 "\nmaybe %" PRIu64 "\nrewritten %" PRIu64
	    "\nsync_rounds %" PRIu64 "\nsyncs_served %" PRIu64 "\n", crew_living(h->crew), h->delivered, h->delayed, h->damaged,
	    h->maybe, h->rewritten, sync_rounds(h->sync), sync_served(h->sync));
}
