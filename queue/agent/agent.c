/*
 * agent — the deliver wires from queue's side.
 */
#include "queue/agent/agent.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"

#define AGENTS_MAX		64
#define HELLO_ARENA_MAX		(4 * 1024 * 1024)
#define RESULTS_ARENA_MAX	(4 * 1024 * 1024)


struct agent {
	struct agents		*all;
	enum transport		 transport;
	uint32_t		 number;
	struct channel		*channel;
	uint32_t		 credit, in_flight;	/* in_flight: also jobs that queue has forgotten */
	uint64_t		 alone;		/* the lease that nothing may be in flight beside; 0: none */
	bool			 known;		/* has said HELLO, and each of its leases was offered */
	struct arena		 arena;		/* of `awaited` */
	struct deliver_hello	 awaited;	/* leases whose messages are being brought to memory */
	struct discard		 discard;
};

struct loss {			/* jobs of an agent that ended; whose fault it was comes with the wire of the next one */
	enum transport		 transport;	/* TRANSPORT_NONE: free */
	uint32_t		 number;
	LIST_HEAD(, job)	 jobs;
};

struct agents {
	struct loop		*loop;
	const struct agents_ops	*ops;
	void			*arg;
	struct agent		*v[AGENTS_MAX];
	uint32_t		 count;
	uint32_t		 expected[TRANSPORT_COUNT];
	uint64_t		 heard[TRANSPORT_COUNT];	/* a bit for each number that said HELLO, or died */
	struct loss		 losses[AGENTS_MAX];
	struct hash		 by_lease;
	uint64_t		 first_lease, next_lease;	/* of this life */
	struct arena		 arena;		/* of the frame in hand */
};

struct agents *
agents_new(struct loop *loop, uint64_t first_lease, const struct agents_ops *ops, void *arg, struct err *err)
{
	struct agents *a = mem_zalloc(sizeof(*a));

	if (a == NULL) {
		(void)err_set(err, "no memory for the agents");
		return NULL;
	}
	a->loop = loop;
	a->ops = ops;
	a->arg = arg;
	a->first_lease = a->next_lease = first_lease;
	hash_init(&a->by_lease);
	arena_init(&a->arena, RESULTS_ARENA_MAX);
	return a;
}

static void
agent_free(void *arg)
{
	struct agent *agent = arg;

	arena_fini(&agent->arena);
	mem_free(agent);
}

void
agents_free(struct agents **ap)
{
	struct agents *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	for (uint32_t i = 0; i < a->count; i++) {
		channel_close(&a->v[i]->channel);
		loop_discard(a->loop, &a->v[i]->discard, agent_free, a->v[i]);
	}
	hash_fini(&a->by_lease);
	arena_fini(&a->arena);
	mem_free(a);
}

static bool
all_known(const struct agents *a, enum transport transport)
{
	return (uint32_t)__builtin_popcountll(a->heard[transport]) >= a->expected[transport];
}

static void
tell_room(struct agents *a, enum transport transport)
{
	a->ops->room(a->arg, transport, all_known(a, transport));
}

void
agents_expect(struct agents *a, enum transport transport, uint32_t count)
{
	a->expected[transport] = count < AGENTS_MAX ? count : AGENTS_MAX;
	tell_room(a, transport);
}

/* --- an agent comes and goes ------------------------------------------------------------------- */

/* The list of what this agent's number lost; NULL: more numbers than anybody has. */
static struct loss *
loss_of(struct agents *a, enum transport transport, uint32_t number)
{
	struct loss *unused = NULL;

	for (uint32_t i = 0; i < AGENTS_MAX; i++) {
		struct loss *loss = &a->losses[i];

		if (loss->transport == transport && loss->number == number)
			return loss;
		if (unused == NULL && loss->transport == TRANSPORT_NONE)
			unused = loss;
	}
	if (unused != NULL) {
		*unused = (struct loss){ .transport = transport, .number = number };
		LIST_INIT(&unused->jobs);
	}
	return unused;
}

static void
blame(struct agents *a, enum transport transport, uint32_t number, bool fault)
{
	struct loss *loss = loss_of(a, transport, number);
	struct job *job;

	while (loss != NULL && (job = LIST_FIRST(&loss->jobs)) != NULL) {
		LIST_REMOVE(job, lost);
		job->is_lost = false;
		job->deaths += fault ? 1 : 0;
	}
}

struct losing {
	struct agents	*all;
	struct agent	*gone;
	struct loss	*loss;
};

static void
lose_job(struct hash_node *node, void *arg)
{
	struct job *job = CONTAINER_OF(node, struct job, by_lease);
	struct losing *losing = arg;

	if (job->agent != losing->gone)
		return;
	hash_remove(&losing->all->by_lease, node);
	job->agent = NULL;
	if (job->is_lost)
		LIST_REMOVE(job, lost);
	job->is_lost = losing->loss != NULL;
	if (job->is_lost)
		LIST_INSERT_HEAD(&losing->loss->jobs, job, lost);
	losing->all->ops->lost(losing->all->arg, job);
}

/* What it held died with it, so nobody has to wait for its HELLO any more; and others may have room for its jobs. */
static void
detach(struct agent *agent)
{
	struct agents *a = agent->all;
	struct losing losing = { .all = a, .gone = agent, .loss = loss_of(a, agent->transport, agent->number) };

	for (uint32_t i = 0; i < a->count; i++)
		if (a->v[i] == agent)
			a->v[i] = a->v[--a->count];
	channel_close(&agent->channel);
	hash_each(&a->by_lease, lose_job, &losing);
	a->heard[agent->transport] |= UINT64_C(1) << agent->number % 64;
	tell_room(a, agent->transport);
	loop_discard(a->loop, &agent->discard, agent_free, agent);
}

static void
agent_ended(void *arg, const char *why)
{
	struct agent *agent = arg;

	log_warn("%s %u is gone: %s; its jobs will be tried again",
	    agent->transport == TRANSPORT_LOCAL ? "mda" : "relay", agent->number, why);
	detach(agent);
}

static bool
has_been_heard(const struct agents *a, const struct agent *agent)
{
	return (a->heard[agent->transport] & UINT64_C(1) << agent->number % 64) != 0;
}

static struct job *
find_job(const struct agents *a, uint64_t lease)
{
	struct hash_node *n;

	for (n = hash_first(&a->by_lease, hash_u64(lease)); n != NULL; n = hash_next(n))
		if (CONTAINER_OF(n, struct job, by_lease)->lease == lease)
			return CONTAINER_OF(n, struct job, by_lease);
	return NULL;
}

static void
offer_lease(struct agent *agent, const struct lease *lease)
{
	struct agents *a = agent->all;

	if (find_job(a, lease->lease) == NULL)		/* nobody presents what another one has */
		a->ops->lease(a->arg, agent, lease);
}

static void
hello_over(struct agent *agent)
{
	struct agents *a = agent->all;

	agent->known = true;
	a->heard[agent->transport] |= UINT64_C(1) << agent->number % 64;
	arena_fini(&agent->arena);
	channel_pause(agent->channel, false);
	tell_room(a, agent->transport);
}

/* A message that it had in hand may sleep by now. Until all of them were brought up nothing more is read from this agent: its results
 * would be about messages that nobody knows, and somebody else would be given what it has done. */
static int
on_hello(void *arg, struct reader *r, int fd)
{
	struct agent *agent = arg;
	struct agents *a = agent->all;
	struct deliver_hello hello;

	(void)fd;
	if (agent->known || deliver_hello_get(r, &agent->arena, &hello) == -1)
		return -1;
	/* Leases outlive a queue, not an agent: one that came in this life of queue has none, and would be taking others' mail. */
	if (hello.count > 0 && has_been_heard(a, agent))
		return -1;
	agent->credit = hello.credit;
	log_debug("%s %u: %u jobs at once, %u leases", agent->transport == TRANSPORT_LOCAL ? "mda" : "relay",
	    agent->number, hello.credit, hello.count);
	agent->awaited = (struct deliver_hello){ .leases = hello.leases };
	for (uint32_t i = 0; i < hello.count; i++) {
		if (a->ops->bring(a->arg, hello.leases[i].id))
			hello.leases[agent->awaited.count++] = hello.leases[i];
		else
			offer_lease(agent, &hello.leases[i]);
	}
	channel_pause(agent->channel, true);
	if (agent->awaited.count == 0)
		hello_over(agent);
	return 0;
}

static void
offer_awaited(struct agent *agent, queue_id id)
{
	struct deliver_hello *awaited = &agent->awaited;

	for (uint32_t i = 0; i < awaited->count;) {
		struct lease lease = awaited->leases[i];

		if (lease.id != id) {
			i++;
			continue;
		}
		awaited->leases[i] = awaited->leases[--awaited->count];
		offer_lease(agent, &lease);
	}
	if (awaited->count == 0)
		hello_over(agent);
}

void
agents_brought(struct agents *a, queue_id id)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->v[i]->awaited.count > 0)
			offer_awaited(a->v[i], id);
}

static void
send_lease(struct agent *agent, enum deliver_frame type, uint64_t lease)
{
	deliver_lease_put(channel_begin(agent->channel, (uint16_t)type), &(struct deliver_lease){ .lease = lease });
	(void)channel_end(agent->channel);
}

/* It is out of the agent's hands. */
static void
untrack(struct agents *a, struct job *job)
{
	struct agent *agent = job->agent;

	hash_remove(&a->by_lease, &job->by_lease);
	agent->in_flight--;
	if (agent->alone == job->lease)
		agent->alone = 0;
	job->agent = NULL;
}

/* The end of a job that queue has forgotten since it was given. */
static void
end_forgotten(struct agents *a, struct agent *agent, uint64_t lease)
{
	send_lease(agent, DELIVER_COMMITTED, lease);
	if (lease >= a->first_lease && agent->in_flight > 0)
		agent->in_flight--;
	if (agent->alone == lease)
		agent->alone = 0;
	tell_room(a, agent->transport);
}

static int
on_results(void *arg, struct reader *r, int fd)
{
	struct agent *agent = arg;
	struct agents *a = agent->all;
	struct deliver_results results;
	struct job *job;

	(void)fd;
	arena_reset(&a->arena);
	if (!agent->known || deliver_results_get(r, &a->arena, &results) == -1)
		return -1;
	job = find_job(a, results.lease);
	if (job == NULL) {
		if (results.finished)
			end_forgotten(a, agent, results.lease);
		return 0;
	}
	if (job->agent != agent || job->message->id != results.id)
		return -1;
	if (results.finished)
		untrack(a, job);
	a->ops->results(a->arg, job, &results);
	if (results.finished)
		tell_room(a, agent->transport);
	return 0;
}

static const struct frame_handler handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_HELLO]   = { "hello", on_hello, false },
	[DELIVER_RESULTS] = { "results", on_results, false },
};

static const struct channel_ops channel_ops = {
	.wire = "deliver",
	.version = DELIVER_VERSION,
	.handlers = handlers,
	.handler_count = DELIVER_FRAME_COUNT,
	.on_end = agent_ended,
};

int
agents_attach(struct agents *a, enum transport transport, uint32_t number, bool fault, int fd, struct err *err)
{
	struct agent *agent = mem_zalloc(sizeof(*agent));

	for (uint32_t i = 0; i < a->count; i++)
		if (a->v[i]->transport == transport && a->v[i]->number == number) {
			detach(a->v[i]);
			break;
		}
	blame(a, transport, number, fault);
	if (agent == NULL || a->count == AGENTS_MAX) {
		mem_free(agent);
		fd_close(&fd);
		return err_set(err, "no room for another agent");
	}
	agent->all = a;
	arena_init(&agent->arena, HELLO_ARENA_MAX);
	agent->transport = transport;
	agent->number = number;
	agent->channel = channel_open(a->loop, fd, &channel_ops, agent, err);
	if (agent->channel == NULL) {
		mem_free(agent);
		return -1;
	}
	a->v[a->count++] = agent;
	return 0;
}

/* --- jobs -------------------------------------------------------------------------------------- */

static bool
may_take(const struct agent *agent, const struct job *job)
{
	if (agent->alone != 0 || agent->in_flight >= agent->credit)
		return false;
	return job->deaths < JOB_DEATHS_ALONE || agent->in_flight == 0;
}

/* A next hop belongs to one relay, whose connections are reused; when that one is away or busy, to the next that may take it. */
static struct agent *
choose(const struct agents *a, const struct job *job)
{
	struct agent *fit[AGENTS_MAX];
	uint32_t n = 0, first;

	for (uint32_t i = 0; i < a->count; i++)
		if (a->v[i]->transport == job->destination->transport && a->v[i]->known)
			fit[n++] = a->v[i];
	first = n > 1 ? (uint32_t)(hash_slice(job->destination->nexthop) % n) : 0;
	for (uint32_t i = 0; i < n; i++)
		if (may_take(fit[(first + i) % n], job))
			return fit[(first + i) % n];
	return NULL;
}

bool
agents_have_room(const struct agents *a, const struct job *job)
{
	return choose(a, job) != NULL;
}

static void
track(struct agents *a, struct agent *agent, struct job *job, uint64_t lease)
{
	job->lease = lease;
	job->agent = agent;
	agent->in_flight++;
	if (job->deaths >= JOB_DEATHS_ALONE)
		agent->alone = lease;
	hash_insert(&a->by_lease, &job->by_lease, hash_u64(lease));
}

int
agents_give(struct agents *a, struct job *job, struct slice content, int fd)
{
	const struct message *m = job->message;
	struct agent *agent = choose(a, job);
	struct job_recipient recipients[JOB_RECIPIENTS_MAX];
	struct deliver_job frame = {
		.lease = a->next_lease, .id = m->id, .nonce = m->envelope.nonce, .arrival_ms = m->envelope.arrival_ms,
		.flags = job->flags | (m->envelope.smtputf8 ? JOB_SMTPUTF8 : 0), .body = m->envelope.body, .tls = m->envelope.tls,
		.ret = m->envelope.ret, .envid = m->envelope.envid,
		.nexthop = job->destination->nexthop,
		.reverse_path = m->envelope.reverse_path, .size = m->envelope.size, .by_fd = fd != -1,
		.crc = fd != -1 ? stored_crc(m->stored) : 0,
		.content = content, .recipients = recipients,
	};

	if (agent == NULL)
		return -1;
	for (uint32_t i = 0; i < job->count; i++) {
		const struct recipient *rcpt = &m->envelope.recipients[job->indexes[i]];

		if (job_wants(job, i))
			recipients[frame.count++] = (struct job_recipient){
			    .index = job->indexes[i], .address = rcpt->address, .original = rcpt->original,
			    .orcpt = rcpt->orcpt, .notify = rcpt->notify };
	}
	deliver_job_put(channel_begin(agent->channel, DELIVER_JOB), &frame);
	if (channel_end_fd(agent->channel, fd) == -1)
		return -1;
	track(a, agent, job, a->next_lease++);
	return 0;
}

void
agents_adopt(struct agents *a, struct agent *agent, struct job *job, uint64_t lease)
{
	track(a, agent, job, lease);
}

void
agents_committed(struct agents *a, uint64_t lease)
{
	/* To all: the agent that had it may have a new wire by now, and the others ignore what they do not hold. */
	for (uint32_t i = 0; i < a->count; i++)
		if (a->v[i]->known)
			send_lease(a->v[i], DELIVER_COMMITTED, lease);
}

void
agents_cancel(struct agents *a, struct job *job)
{
	(void)a;
	if (job->agent != NULL)
		send_lease(job->agent, DELIVER_CANCEL, job->lease);
}

void
agents_forget(struct agents *a, struct job *job)
{
	if (job->agent == NULL || job->state != JOB_ACTIVE)
		return;
	hash_remove(&a->by_lease, &job->by_lease);
	job->agent = NULL;
}

uint32_t
agents_in_flight(const struct agents *a)
{
	return (uint32_t)a->by_lease.count;
}
