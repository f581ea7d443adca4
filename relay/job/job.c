/* job — copies what queue sent, and says what became of it. How it gets there is attempt.c's. Called by relay.c. */
#include "relay/job/attempt.h"

#include "base/fd.h"
#include "base/mem.h"

#define JOB_ARENA_MAX	(1024 * 1024)

static int
copy_recipient(struct job *job, const struct job_recipient *in, struct tx_recipient *out)
{
	out->address = arena_slice(&job->arena, in->address);
	out->original = arena_slice(&job->arena, in->original);
	out->orcpt = arena_slice(&job->arena, in->orcpt);
	out->notify = in->notify;
	return out->address.p == NULL || out->original.p == NULL || out->orcpt.p == NULL ? -1 : 0;
}

static int
copy_recipients(struct job *job, const struct deliver_job *in)
{
	job->count = in->count;
	job->indexes = arena_array(&job->arena, in->count, sizeof(*job->indexes));
	job->recipients = arena_array(&job->arena, in->count, sizeof(*job->recipients));
	job->pending = arena_array(&job->arena, in->count, sizeof(struct tx_recipient *));
	job->results = arena_array(&job->arena, in->count, sizeof(*job->results));
	if (job->indexes == NULL || job->recipients == NULL || job->pending == NULL || job->results == NULL)
		return -1;
	for (uint32_t i = 0; i < in->count; i++) {
		job->indexes[i] = in->recipients[i].index;
		if (copy_recipient(job, &in->recipients[i], &job->recipients[i]) == -1)
			return -1;
	}
	return 0;
}

static int
copy_job(struct job *job, const struct deliver_job *in)
{
	job->lease = in->lease;
	job->id = in->id;
	job->body = in->body;
	job->smtputf8 = (in->flags & JOB_SMTPUTF8) != 0;
	job->tls = in->tls;
	job->ret = in->ret;
	job->envid = arena_slice(&job->arena, in->envid);
	job->nexthop = arena_slice(&job->arena, in->nexthop);
	job->reverse_path = arena_slice(&job->arena, in->reverse_path);
	job->content.size = in->size;
	job->content.crc = in->crc;
	if (!in->by_fd)
		job->content.bytes = mem_dup(in->content.len > 0 ? in->content.p : "", in->content.len + (in->content.len == 0));
	if (job->nexthop.p == NULL || job->reverse_path.p == NULL || job->envid.p == NULL || (!in->by_fd && job->content.bytes == NULL))
		return -1;
	return copy_recipients(job, in);
}

struct job *
job_new(const struct job_world *world, const struct deliver_job *in, int fd)
{
	struct job *job = mem_zalloc(sizeof(*job));

	if (job == NULL) {
		fd_close(&fd);
		return NULL;
	}
	job->world = world;
	job->content.fd = fd;
	job->trouble = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 0), .text = SLICE_LIT("not tried") };
	arena_init(&job->arena, JOB_ARENA_MAX);
	if (copy_job(job, in) == -1)
		job_free(&job);
	return job;
}

void
job_free(struct job **jp)
{
	struct job *job = *jp;

	*jp = NULL;
	if (job == NULL)
		return;
	attempt_end(job);
	arena_fini(&job->arena);
	mem_free(job);
}

void
job_start(struct job *job)
{
	attempt_start(job);
}

void
job_cancel(struct job *job)
{
	attempt_cancel(job);
}

/* ---- what queue hears ---- */

void
job_results(struct job *job, struct deliver_results *out)
{
	int64_t ready = job->ready != 0 ? job->ready : job->ended;
	uint32_t n = 0;

	/* Without an outcome are those for whom a damaged content was meant. */
	for (uint32_t i = 0; i < job->count; i++) {
		if (job->recipients[i].outcome.action == ACTION_NONE)
			continue;
		job->results[n].index = job->indexes[i];
		job->results[n].tells = job->recipients[i].outcome.action == ACTION_RELAYED && job->recipients[i].dsn;
		job->results[n++].outcome = job->recipients[i].outcome;
	}
	*out = (struct deliver_results){
		.lease = job->lease,
		.id = job->id,
		.finished = true,
		.damaged = job->damaged,
		.delays_ms = { ready - job->began, job->ended - ready },
		.count = job->given_up ? 0 : n,	/* nothing has happened to anybody */
		.results = job->results,
	};
}

void
job_lease(struct job *job, struct lease *out)
{
	*out = (struct lease){ .lease = job->lease, .id = job->id, .count = job->count, .indexes = job->indexes };
}

bool
job_given_up(const struct job *job)
{
	return job->given_up;
}

bool
job_finished(const struct job *job)
{
	return job->finished;
}

uint64_t
job_number(const struct job *job)
{
	return job->lease;
}

struct hash_node *
job_node(struct job *job)
{
	return &job->node;
}

struct job *
job_of_node(struct hash_node *node)
{
	return CONTAINER_OF(node, struct job, node);
}
