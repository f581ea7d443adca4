/*
 * job — loop check, whose mailbox, then a delivery for each recipient that is left.
 */
#include "mda/job.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "mda/expand/loop.h"

struct job_copy {			/* one recipient */
	struct job		*job;
	struct slice		 address;
	struct delivery		 delivery;
	enum action		 action;	/* NONE: not decided yet */
	bool			 damaged;	/* the content is: there is no outcome to tell */
	struct status		 status;
	char			 text[JOB_TEXT_MAX];
};

struct job {
	job_done_fn		*done;
	void			*arg;
	uint64_t		 lease, id;
	struct content		 content;
	int			 fd;
	struct slice		 nexthop;
	struct loop		*loop;
	const struct job_rules	*rules;
	struct mailbox_wait	 wait;
	int64_t			 began_ms, ended_ms;
	uint32_t		 count, left;
	uint32_t		*indexes;
	struct job_copy		 copies[];
};

static char *
keep(char **at, struct slice s)
{
	char *kept = *at;

	memcpy(kept, s.p, s.len);
	*at += s.len;
	return kept;
}

static size_t
strings_size(const struct deliver_job *in)
{
	size_t size = in->nexthop.len + in->reverse_path.len + in->content.len;

	for (uint32_t i = 0; i < in->count; i++)
		size += in->recipients[i].address.len;
	return size;
}

struct job *
job_new(const struct deliver_job *in, int fd, job_done_fn *done, void *arg)
{
	size_t head = sizeof(struct job) + in->count * (sizeof(struct job_copy) + sizeof(uint32_t));
	struct job *job = mem_alloc(head + strings_size(in));
	struct slice reverse_path;
	char *at;

	if (job == NULL) {
		fd_close(&fd);
		return NULL;
	}
	memset(job, 0, head);	/* not the content: it is copied over */
	job->indexes = (uint32_t *)(void *)(job->copies + in->count);
	at = (char *)(job->indexes + in->count);
	job->done = done;
	job->arg = arg;
	job->lease = in->lease;
	job->id = in->id;
	job->fd = fd;
	job->count = job->left = in->count;
	job->nexthop = slice_of(keep(&at, in->nexthop), in->nexthop.len);
	reverse_path = slice_of(keep(&at, in->reverse_path), in->reverse_path.len);
	for (uint32_t i = 0; i < in->count; i++) {
		struct job_copy *copy = &job->copies[i];

		job->indexes[i] = in->recipients[i].index;
		copy->job = job;
		copy->address = slice_of(keep(&at, in->recipients[i].address), in->recipients[i].address.len);
		copy->delivery = (struct delivery){ .content = &job->content, .seconds = in->arrival_ms / 1000,
		    .nonce = in->nonce, .index = in->recipients[i].index, .reverse_path = reverse_path,
		    .recipient = copy->address, .maybe = (in->flags & JOB_MAYBE) != 0 };
	}
	job->content = (struct content){ .fd = fd, .size = in->size, .crc = in->crc };
	if (!in->by_fd)
		job->content.bytes = keep(&at, in->content);
	return job;
}

void
job_free(struct job **jobp)
{
	struct job *job = *jobp;

	if (job == NULL)
		return;
	mailboxes_forget(&job->wait);
	fd_close(&job->fd);
	mem_free(job);
	*jobp = NULL;
}

/* --- fates ------------------------------------------------------------------------------------ */

static void
copy_decide(struct job_copy *copy, enum action action, struct status status, const char *text)
{
	copy->action = action;
	copy->status = status;
	(void)snprintf(copy->text, sizeof(copy->text), "%s", text);
	copy->job->left--;
}

static void
job_end_if_decided(struct job *job)
{
	if (job->left > 0)
		return;
	job->ended_ms = loop_now(job->loop);
	fd_close(&job->fd);
	job->done(job->arg, job);
}

static void
on_delivery(void *arg, enum action action, struct status status, const char *text)
{
	struct job_copy *copy = arg;

	copy->damaged = copy->delivery.damaged;
	copy_decide(copy, action, status, text);
	job_end_if_decided(copy->job);
}

/* The same for all that have none yet. */
static void
job_decide(struct job *job, enum action action, struct status status, const char *text)
{
	for (uint32_t i = 0; i < job->count; i++)
		if (job->copies[i].action == ACTION_NONE)
			copy_decide(&job->copies[i], action, status, text);
	job_end_if_decided(job);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Why no worker may run as this mailbox' user; NULL: it may. */
static const char *
uid_refusal(const struct job_rules *rules, uint32_t uid, char *room, size_t size)
{
	if (uid == 0)
		return "the mailbox is root's, and nothing is delivered as root";
	if (!rules->root && uid != rules->uid) {
		(void)snprintf(room, size, "posthorn runs without root and cannot deliver as uid %u", uid);
		return room;
	}
	if ((int64_t)uid < rules->first_uid) {
		(void)snprintf(room, size, "uid %u is below first-uid", uid);
		return room;
	}
	return NULL;
}

static void
job_hand_off(struct job *job, const struct mailbox_answer *mailbox)
{
	char room[100];
	const char *why = uid_refusal(job->rules, mailbox->uid, room, sizeof(room));

	if (why != NULL) {
		job_decide(job, ACTION_DELAYED, STATUS(4, 3, 0), why);
		return;
	}
	for (uint32_t i = 0; i < job->count; i++) {
		struct job_copy *copy = &job->copies[i];

		if (copy->action != ACTION_NONE)
			continue;
		copy->delivery.done = on_delivery;
		copy->delivery.arg = copy;
		handoff_deliver(job->rules->handoff, &copy->delivery, mailbox);
	}
}

static void
on_mailbox(void *arg, const struct mailbox_answer *mailbox)
{
	struct job *job = arg;
	char text[ROUTE_TEXT_MAX + 1];

	if (mailbox->verdict == ROUTE_LOCAL) {
		job_hand_off(job, mailbox);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.*s", SLICE_FMT(mailbox->text));
	if (mailbox->verdict == ROUTE_UNKNOWN)
		job_decide(job, ACTION_FAILED, STATUS(5, 1, 1), text[0] != '\0' ? text : "no such user here");
	else
		job_decide(job, ACTION_DELAYED, mailbox->status.class == 4 ? mailbox->status : STATUS(4, 3, 0),
		    text[0] != '\0' ? text : "the mailbox cannot be looked up at the moment");
}

static enum content_result
job_check_loops(struct job *job, struct err *err)
{
	struct slice addresses[JOB_RECIPIENTS_MAX];
	bool looped[JOB_RECIPIENTS_MAX] = { false };
	enum content_result result;

	for (uint32_t i = 0; i < job->count; i++)
		addresses[i] = job->copies[i].address;
	if ((result = loop_check(&job->content, addresses, job->count, looped, err)) != CONTENT_GOOD)
		return result;
	for (uint32_t i = 0; i < job->count; i++)
		if (looped[i])
			copy_decide(&job->copies[i], ACTION_FAILED, STATUS(5, 4, 6), "mail forwarding loop: this message was "
			    "delivered to this address before");
	return CONTENT_GOOD;
}

static void
job_unreadable(struct job *job, enum content_result result, const struct err *err)
{
	log_error("%s", err->text);
	for (uint32_t i = 0; i < job->count; i++)
		job->copies[i].damaged = result == CONTENT_DAMAGED;
	job_decide(job, ACTION_DELAYED, STATUS(4, 3, 0), "the message could not be read from the queue");
}

void
job_start(struct job *job, struct loop *loop, const struct job_rules *rules)
{
	enum content_result result;
	struct err err;

	job->loop = loop;
	job->rules = rules;
	job->began_ms = loop_now(loop);
	if ((result = job_check_loops(job, &err)) != CONTENT_GOOD) {
		job_unreadable(job, result, &err);
		return;
	}
	if (job->left == 0) {
		job_end_if_decided(job);
		return;
	}
	job->wait.done = on_mailbox;
	job->wait.arg = job;
	mailboxes_ask(rules->mailboxes, job->nexthop, &job->wait);
}

/* Not decided, not with a worker, and not back from one. */
static bool
copy_untouched(const struct job_copy *copy)
{
	const struct delivery *d = &copy->delivery;

	return copy->action == ACTION_NONE && d->state <= DELIVERY_WAITING && d->deaths == 0 && d->failed_syncs == 0;
}

bool
job_cancel(struct job *job)
{
	for (uint32_t i = 0; i < job->count; i++)
		if (!copy_untouched(&job->copies[i]))
			return false;
	for (uint32_t i = 0; i < job->count; i++)
		if (job->copies[i].delivery.state == DELIVERY_WAITING)
			(void)handoff_cancel(&job->copies[i].delivery);
	mailboxes_forget(&job->wait);
	return true;
}

/* --- what is told ----------------------------------------------------------------------------- */

uint64_t
job_lease(const struct job *job)
{
	return job->lease;
}

uint32_t
job_count(const struct job *job)
{
	return job->count;
}

void
job_show_lease(const struct job *job, struct lease *out)
{
	*out = (struct lease){ job->lease, job->id, job->count, job->indexes };
}

/* When the first copy went to its worker; what came before is looking up, and waiting for a worker. */
static int64_t
handed_over(const struct job *job)
{
	int64_t first = job->ended_ms;

	for (uint32_t i = 0; i < job->count; i++)
		if (job->copies[i].delivery.sent_ms != 0 && job->copies[i].delivery.sent_ms < first)
			first = job->copies[i].delivery.sent_ms;
	return first;
}

void
job_show_results(const struct job *job, struct deliver_result *results, struct deliver_results *out)
{
	int64_t handed = handed_over(job);

	*out = (struct deliver_results){ .lease = job->lease, .id = job->id, .finished = true,
	    .delays_ms = { handed - job->began_ms, job->ended_ms - handed }, .results = results };
	for (uint32_t i = 0; i < job->count; i++) {
		const struct job_copy *copy = &job->copies[i];

		if (copy->damaged)
			out->damaged = true;
		else
			results[out->count++] = (struct deliver_result){ .index = job->indexes[i], .outcome = { .action = copy->action,
			    .status = copy->status, .text = slice_str(copy->text) } };
	}
}
