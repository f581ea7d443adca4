/*
 * job — the small questions about recipients that go one way. Where jobs wait is schedule.c's business.
 */
#include "queue/schedule/job.h"

#include "base/mem.h"

struct job *
job_new(struct message *m, struct destination *d, uint32_t places)
{
	struct job *job = mem_zalloc(sizeof(*job) + places * sizeof(job->indexes[0]));

	if (job == NULL)
		return NULL;
	job->message = m;
	job->destination = d;
	return job;
}

void
job_free(struct job **jp)
{
	struct job *job = *jp;

	*jp = NULL;
	if (job == NULL)
		return;
	if (job->is_lost)
		LIST_REMOVE(job, lost);
	for (uint32_t i = 0; i < job->count; i++)
		job->message->places[job->indexes[i]].job = NULL;
	mem_free(job);
}

static const struct fate *
fate_of(const struct job *job, uint32_t nth)
{
	return &job->message->envelope.recipients[job->indexes[nth]].fate;
}

bool
job_wants(const struct job *job, uint32_t nth)
{
	const struct fate *fate = fate_of(job, nth);

	return !action_final(fate->last.action) && !(fate->flags & FATE_HELD);
}

uint32_t
job_open(const struct job *job)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < job->count; i++)
		if (!action_final(fate_of(job, i)->last.action))
			open++;
	return open;
}

int64_t
job_next_wall_ms(const struct job *job)
{
	int64_t next = -1;

	for (uint32_t i = 0; i < job->count; i++)
		if (job_wants(job, i) && (next == -1 || fate_of(job, i)->next_ms < next))
			next = fate_of(job, i)->next_ms;
	return next;
}
