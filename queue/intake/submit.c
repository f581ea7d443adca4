/*
 * submit — the submit wires from queue's side.
 */
#include "queue/intake/submit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "event/timer.h"
#include "ipc/channel.h"

#define LEASE_IDS	1024		/* in one block */
#define LEASES_MAX	1024		/* blocks that one wire may have open: a million ids given up in the middle */
#define IDS_AGAIN	1000		/* ms until ids that could not be had are asked for again */
#define LARGE_MAX	256		/* large files open for one wire */

struct id_lease {
	TAILQ_ENTRY(id_lease)	link;
	uint64_t		first;
	uint32_t		spent;
	uint64_t		bits[LEASE_IDS / 64];	/* spent ones */
};

struct submit_wire {
	TAILQ_ENTRY(submit_wire)	 link;
	struct submits			*all;
	enum wire_role			 role;
	uint32_t			 number;
	struct channel			*channel;
	TAILQ_HEAD(id_leases_of_wire, id_lease) leases;	/* newest first */
	uint32_t			 lease_count;
	uint64_t			 large[LARGE_MAX];	/* ids whose file is with smtpd */
	uint32_t			 large_count;
	bool				 owed;		/* ids that could not be had */
	uint32_t			 replies;	/* owed; the wire's memory stays until they are given */
	bool				 gone;
};

struct submit_reply {
	struct submit_wire	*wire;
	uint64_t		 serial;
};

struct submits {
	struct loop			*loop;
	const struct submits_ops	*ops;
	void				*arg;
	TAILQ_HEAD(, submit_wire)	 wires;
	enum submit_room		 room;
	struct timer			 again;		/* for ids that were owed */
};

static void	send_ids(struct submit_wire *);
static void	send_owed(void *);

struct submits *
submits_new(struct loop *loop, const struct submits_ops *ops, void *arg, struct err *err)
{
	struct submits *all = mem_zalloc(sizeof(*all));

	if (all == NULL || timer_init(&all->again, loop, send_owed, all) == -1) {
		mem_free(all);
		(void)err_set(err, "no memory for the submit wires");
		return NULL;
	}
	all->loop = loop;
	all->ops = ops;
	all->arg = arg;
	all->room = ROOM_ALL;
	TAILQ_INIT(&all->wires);
	return all;
}

/* --- leases of ids ----------------------------------------------------------------------------- */

static void
drop_lease(struct submit_wire *w, struct id_lease *lease)
{
	TAILQ_REMOVE(&w->leases, lease, link);
	w->lease_count--;
	mem_free(lease);
}

static void
send_owed(void *arg)
{
	struct submits *all = arg;
	struct submit_wire *w;

	TAILQ_FOREACH(w, &all->wires, link)
		if (w->owed)
			send_ids(w);
}

static void
send_ids(struct submit_wire *w)
{
	struct id_lease *lease = mem_zalloc(sizeof(*lease));

	if (lease == NULL || w->all->ops->ids(w->all->arg, LEASE_IDS, &lease->first) == -1) {
		mem_free(lease);
		w->owed = true;		/* smtpd says 451 until then */
		timer_set(&w->all->again, IDS_AGAIN);
		return;
	}
	w->owed = false;
	if (w->lease_count == LEASES_MAX)
		drop_lease(w, TAILQ_LAST(&w->leases, id_leases_of_wire));
	TAILQ_INSERT_HEAD(&w->leases, lease, link);
	w->lease_count++;
	submit_ids_put(channel_begin(w->channel, SUBMIT_IDS),
	    &(struct submit_ids){ .first = lease->first, .count = LEASE_IDS });
	(void)channel_end(w->channel);
}

/* 0: a leased id, spent now. -1: never leased, or used before. */
static int
spend_id(struct submit_wire *w, uint64_t id)
{
	struct id_lease *lease;

	TAILQ_FOREACH(lease, &w->leases, link) {
		uint64_t nth = id - lease->first, bit = UINT64_C(1) << nth % 64;

		if (nth >= LEASE_IDS)
			continue;
		if (lease->bits[nth / 64] & bit)
			return -1;
		lease->bits[nth / 64] |= bit;
		/* The newest block is half used: the next one is on its way before smtpd has to ask. */
		if (lease == TAILQ_FIRST(&w->leases) && nth >= LEASE_IDS / 2)
			send_ids(w);
		if (++lease->spent == LEASE_IDS)
			drop_lease(w, lease);
		return 0;
	}
	return -1;
}

/* --- the wire comes and goes ------------------------------------------------------------------- */

static void
free_if_done(struct submit_wire *w)
{
	struct id_lease *lease;

	if (!w->gone || w->replies > 0)
		return;
	while ((lease = TAILQ_FIRST(&w->leases)) != NULL)
		drop_lease(w, lease);
	mem_free(w);
}

static void
detach(struct submit_wire *w)
{
	if (w->gone)
		return;
	w->gone = true;
	for (uint32_t i = 0; i < w->large_count; i++)
		w->all->ops->large_drop(w->all->arg, w->large[i]);
	TAILQ_REMOVE(&w->all->wires, w, link);
	channel_close(&w->channel);
	free_if_done(w);
}

static void
wire_ended(void *arg, const char *why)
{
	struct submit_wire *w = arg;

	log_warn("smtpd %u is gone: %s", w->number, why);
	detach(w);
}

void
submits_free(struct submits **allp)
{
	struct submits *all = *allp;

	*allp = NULL;
	if (all == NULL)
		return;
	while (!TAILQ_EMPTY(&all->wires))
		detach(TAILQ_FIRST(&all->wires));
	timer_fini(&all->again);
	mem_free(all);
}

void
submit_answer_wait(struct submit_reply **rp, enum submit_verdict verdict, uint32_t wait_s, struct slice text)
{
	struct submit_reply *reply = *rp;
	struct submit_wire *w = reply->wire;

	*rp = NULL;
	if (!w->gone) {
		submit_verdict_put(channel_begin(w->channel, SUBMIT_VERDICT),
		    &(struct submit_verdict_of){ .serial = reply->serial, .verdict = verdict, .wait_s = wait_s, .text = text });
		(void)channel_end(w->channel);
	}
	mem_free(reply);
	w->replies--;
	free_if_done(w);
}

void
submit_answer(struct submit_reply **rp, enum submit_verdict verdict, struct slice text)
{
	submit_answer_wait(rp, verdict, 0, text);
}

static void
send_room(struct submit_wire *w)
{
	submit_room_put(channel_begin(w->channel, SUBMIT_ROOM), w->all->room);
	(void)channel_end(w->channel);
}

void
submits_room(struct submits *all, enum submit_room room)
{
	struct submit_wire *w;

	if (all->room == room)
		return;
	all->room = room;
	TAILQ_FOREACH(w, &all->wires, link)
		send_room(w);
}

/* --- large contents ---------------------------------------------------------------------------- */

size_t
submits_large(const struct submits *all)
{
	const struct submit_wire *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &all->wires, link)
		n += w->large_count;
	return n;
}

static bool
take_large(struct submit_wire *w, uint64_t id)
{
	for (uint32_t i = 0; i < w->large_count; i++)
		if (w->large[i] == id) {
			w->large[i] = w->large[--w->large_count];
			return true;
		}
	return false;
}

/* A file is for a message of this wire that is still to come, never for one that is in the queue. */
static bool
is_unspent(const struct submit_wire *w, uint64_t id)
{
	const struct id_lease *lease;

	TAILQ_FOREACH(lease, &w->leases, link) {
		uint64_t nth = id - lease->first;

		if (nth < LEASE_IDS)
			return (lease->bits[nth / 64] & UINT64_C(1) << nth % 64) == 0;
	}
	return false;
}

static int
on_large_open(void *arg, struct reader *r, int fd)
{
	struct submit_wire *w = arg;
	struct submit_large large;
	int file = -1;

	(void)fd;
	if (submit_large_get(r, &large) == -1)
		return -1;
	if (w->large_count < LARGE_MAX && w->all->room == ROOM_ALL && is_unspent(w, large.id))
		file = w->all->ops->large_file(w->all->arg, large.id);
	if (file != -1)
		w->large[w->large_count++] = large.id;
	submit_large_put(channel_begin(w->channel, SUBMIT_LARGE_FILE),
	    &(struct submit_large){ .id = large.id, .ok = file != -1 });
	(void)channel_end_fd(w->channel, file);
	fd_close(&file);
	return 0;
}

static int
on_large_drop(void *arg, struct reader *r, int fd)
{
	struct submit_wire *w = arg;
	struct submit_large large;

	(void)fd;
	if (submit_large_get(r, &large) == -1)
		return -1;
	if (take_large(w, large.id))
		w->all->ops->large_drop(w->all->arg, large.id);
	return 0;
}

/* --- messages ---------------------------------------------------------------------------------- */

static struct message *
message_from(const struct submit_message *frame, struct message *m)
{
	m->id = frame->id;
	m->large = frame->large;
	m->envelope = frame->envelope;
	m->envelope.arrival_ms = clock_wall_ms();
	m->envelope.nonce = random_u64();
	if (!frame->large) {
		m->envelope.size = (uint32_t)frame->content.len;
		m->content = mem_dup(frame->content.p, frame->content.len);
	}
	if ((!frame->large && m->content == NULL) || message_ready(m) == -1)
		message_free(&m);
	return m;
}

static int
on_message(void *arg, struct reader *r, int fd)
{
	struct submit_wire *w = arg;
	struct message *m = message_new(0);
	struct submit_reply *reply = mem_alloc(sizeof(*reply));
	struct submit_message frame;

	(void)fd;
	if (m == NULL || reply == NULL || submit_message_get(r, &m->arena, &frame) == -1)
		goto bad;
	*reply = (struct submit_reply){ .wire = w, .serial = frame.serial };
	if (frame.large && !take_large(w, frame.id))
		goto bad;
	if (spend_id(w, frame.id) == -1) {
		if (frame.large)
			w->all->ops->large_drop(w->all->arg, frame.id);
		log_warn("smtpd %u used a queue id that it was not given", w->number);
		goto bad;
	}
	w->replies++;
	m = message_from(&frame, m);
	if (m == NULL) {
		if (frame.large)
			w->all->ops->large_drop(w->all->arg, frame.id);
		submit_answer(&reply, VERDICT_TRY_LATER, SLICE_LIT("no memory for the message"));
		return 0;
	}

	w->all->ops->message(w->all->arg, w->role, &frame.token, m, frame.crc, reply);
	return 0;

bad:
	mem_free(reply);
	message_free(&m);
	return -1;
}

static int
on_want_ids(void *arg, struct reader *r, int fd)
{
	(void)fd;
	if (reader_end(r) == -1)
		return -1;
	send_ids(arg);
	return 0;
}

static int
on_flush(void *arg, struct reader *r, int fd)
{
	struct submit_wire *w = arg;
	struct submit_flush flush;
	enum submit_verdict verdict;

	(void)fd;
	if (submit_flush_get(r, &flush) == -1)
		return -1;
	verdict = w->all->ops->flush(w->all->arg, w->role, &flush.token, flush.domain);
	submit_verdict_put(channel_begin(w->channel, SUBMIT_VERDICT), &(struct submit_verdict_of){ .serial = flush.serial, .verdict = verdict,
	    .text = slice_of("", 0) });
	(void)channel_end(w->channel);
	return 0;
}

static const struct frame_handler handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_MESSAGE]    = { "message", on_message, false },
	[SUBMIT_LARGE_OPEN] = { "large-open", on_large_open, false },
	[SUBMIT_LARGE_DROP] = { "large-drop", on_large_drop, false },
	[SUBMIT_FLUSH]      = { "flush", on_flush, false },
	[SUBMIT_WANT_IDS]   = { "want-ids", on_want_ids, false },
};

static const struct channel_ops channel_ops = {
	.wire = "submit",
	.version = SUBMIT_VERSION,
	.handlers = handlers,
	.handler_count = SUBMIT_FRAME_COUNT,
	.on_end = wire_ended,
};

int
submits_attach(struct submits *all, enum wire_role role, uint32_t number, int fd, struct err *err)
{
	struct submit_wire *w = mem_zalloc(sizeof(*w));

	if (w == NULL) {
		fd_close(&fd);
		return err_set(err, "no memory for a submit wire");
	}
	w->all = all;
	w->role = role;
	w->number = number;
	TAILQ_INIT(&w->leases);
	w->channel = channel_open(all->loop, fd, &channel_ops, w, err);
	if (w->channel == NULL) {
		mem_free(w);
		return -1;
	}
	TAILQ_INSERT_TAIL(&all->wires, w, link);
	send_ids(w);
	send_room(w);
	return 0;
}
