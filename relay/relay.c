/*
 * relay — jobs come in over the deliver wire, results go back and are kept until queue says that they are on disk.
 *
 * When queue is replaced the wire comes anew: HELLO presents every lease that is still held, finished or not, and the
 * results that the old queue did not confirm are said again. So nothing is sent twice because queue has died.
 *
 * queue gives another job for each result, and confirms results only when a sync has taken them to disk; a wire holds so many
 * leases and no more. So results are told only while there is room for what they bring: the others wait for confirmations, and
 * meanwhile use up queue's credit.
 */
#include "relay/relay.h"

#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "net/tls_context.h"
#include "relay/job/job.h"
#include "wire/deliver.h"

#define CREDIT		600		/* jobs at once; each may hold CONTENT_INLINE_MAX bytes */
#define TOLD_MOST	(AGENT_LEASES_MAX - CREDIT)	/* results that queue has and did not confirm */
#define FRAME_ARENA_MAX	(64 * 1024)	/* the arrays of one frame */

struct relay {
	struct loop		*loop;
	const struct conf	*conf;
	struct own		 own;
	struct sockaddress	 servers[RESOLVER_SERVERS_MAX];	/* the system's */
	uint32_t		 server_count;
	struct resolver		*resolver;
	struct health		 health;
	struct pool		*pool;
	struct client_house	*house;
	struct job_world	 world;
	struct channel		*queue;		/* NULL while there is none */
	struct arena		 frame;
	struct hash		 jobs;		/* by lease: under way, or not confirmed yet */
	uint32_t		 told;		/* of them: queue has the results */
	uint64_t		 untold[CREDIT];	/* a ring of leases whose results wait for their turn */
	uint32_t		 untold_first, untold_count;
	uint32_t		 running;
	uint64_t		 started;	/* jobs so far */
	bool			 stopping;
	void			(*stopped)(void *);	/* to be told; NULL: nobody, or told */
	void			*stopped_arg;
};

static void
stop_if_idle(struct relay *relay)
{
	void (*stopped)(void *) = relay->stopped;

	/* What is not confirmed stays on the wire for queue to read; it is told again to nobody after this. */
	if (stopped == NULL || relay->running > 0 || (relay->queue != NULL && relay->jobs.count > 0))
		return;
	relay->stopped = NULL;
	stopped(relay->stopped_arg);
}

/* ---- jobs ---- */

static struct job *
job_find(struct relay *relay, uint64_t lease)
{
	struct hash_node *node;

	for (node = hash_first(&relay->jobs, hash_u64(lease)); node != NULL; node = hash_next(node)) {
		struct job *job = job_of_node(node);

		if (job_number(job) == lease)
			return job;
	}
	return NULL;
}

static void
forget(struct relay *relay, struct job *job)
{
	hash_remove(&relay->jobs, job_node(job));
	job_free(&job);
}

static void
send_results(struct relay *relay, const struct deliver_results *results)
{
	if (relay->queue == NULL)
		return;
	deliver_results_put(channel_begin(relay->queue, DELIVER_RESULTS), results);
	(void)channel_end(relay->queue);
}

static void
tell(struct relay *relay, struct job *job)
{
	struct deliver_results results;

	job_results(job, &results);
	send_results(relay, &results);
	relay->told++;
}

static void
tell_in_turn(struct relay *relay, struct job *job)
{
	/* A ring that is full: queue gave more than its credit. The wire's own limit is the next one to be met. */
	if (relay->told < TOLD_MOST || relay->untold_count == CREDIT) {
		tell(relay, job);
		return;
	}
	relay->untold[(relay->untold_first + relay->untold_count++) % CREDIT] = job_number(job);
}

/* One was confirmed: the turn of the next. */
static void
tell_next(struct relay *relay)
{
	struct job *job;

	if (relay->told > 0)
		relay->told--;
	while (relay->untold_count > 0 && relay->told < TOLD_MOST) {
		job = job_find(relay, relay->untold[relay->untold_first]);
		relay->untold_first = (relay->untold_first + 1) % CREDIT;
		relay->untold_count--;
		if (job != NULL)
			tell(relay, job);
	}
}

static void
on_job_done(void *arg, struct job *job)
{
	struct relay *relay = arg;
	struct deliver_results none;

	relay->running--;
	if (job_given_up(job)) {
		job_results(job, &none);
		send_results(relay, &none);
		forget(relay, job);	/* there is nothing to be confirmed */
	} else {
		tell_in_turn(relay, job);
	}
	stop_if_idle(relay);
}

/* No memory for a job: its recipients are delayed, and nothing of it is kept. If queue dies before it writes that down, it will
 * simply try again. */
static void
decline(struct relay *relay, const struct deliver_job *in)
{
	struct deliver_results out = { .lease = in->lease, .id = in->id, .finished = true };

	out.results = arena_array(&relay->frame, in->count, sizeof(*out.results));
	if (out.results == NULL)
		return;			/* queue keeps the lease until it or we start anew */
	for (uint32_t i = 0; i < in->count; i++) {
		out.results[i].index = in->recipients[i].index;
		out.results[i].outcome = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 1),
		    .text = SLICE_LIT("relay is short of memory") };
	}
	out.count = in->count;
	send_results(relay, &out);
}

static int
accept_job(struct relay *relay, const struct deliver_job *in, int fd)
{
	struct job *job;

	/* Not ours any more: it goes to another relay when this wire ends. An answer would bring it back at once. */
	if (relay->stopping) {
		fd_close(&fd);
		return 0;
	}
	if (in->by_fd != (fd != -1) || relay->jobs.count >= AGENT_LEASES_MAX || job_find(relay, in->lease) != NULL) {
		fd_close(&fd);
		return -1;
	}
	job = job_new(&relay->world, in, fd);
	if (job == NULL) {
		decline(relay, in);
		return 0;
	}
	hash_insert(&relay->jobs, job_node(job), hash_u64(in->lease));
	relay->running++;
	relay->started++;
	job_start(job);
	return 0;
}

/* ---- the wire ---- */

static int
on_job(void *arg, struct reader *in, int fd)
{
	struct relay *relay = arg;
	struct deliver_job job;
	int result;

	if (deliver_job_get(in, &relay->frame, &job) == -1) {
		fd_close(&fd);
		result = -1;
	} else {
		result = accept_job(relay, &job, fd);
	}
	arena_reset(&relay->frame);
	return result;
}

static int
on_committed(void *arg, struct reader *in, int fd)
{
	struct relay *relay = arg;
	struct deliver_lease lease;
	struct job *job;

	(void)fd;
	if (deliver_lease_get(in, &lease) == -1)
		return -1;
	job = job_find(relay, lease.lease);
	if (job != NULL && job_finished(job)) {
		forget(relay, job);
		tell_next(relay);
	} else if (job != NULL) {
		job_cancel(job);	/* a queue that does not know the lease: results, if any, will be confirmed, too */
	}
	stop_if_idle(relay);
	return 0;
}

static int
on_cancel(void *arg, struct reader *in, int fd)
{
	struct relay *relay = arg;
	struct deliver_lease lease;
	struct job *job;

	(void)fd;
	if (deliver_lease_get(in, &lease) == -1)
		return -1;
	job = job_find(relay, lease.lease);
	if (job != NULL)
		job_cancel(job);
	return 0;
}

static void
on_queue_end(void *arg, const char *why)
{
	struct relay *relay = arg;

	log_warn("the wire to queue is gone: %s", why);
	channel_close(&relay->queue);
	stop_if_idle(relay);
}

static const struct frame_handler handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_JOB] = { "JOB", on_job, true },
	[DELIVER_COMMITTED] = { "COMMITTED", on_committed, false },
	[DELIVER_CANCEL] = { "CANCEL", on_cancel, false },
};

static const struct channel_ops queue_ops = {
	.wire = "deliver",
	.version = DELIVER_VERSION,
	.handlers = handlers,
	.handler_count = DELIVER_FRAME_COUNT,
	.on_end = on_queue_end,
};

struct greeting {
	struct relay	*relay;
	struct lease	*leases;
	uint32_t	 count;
};

static void
add_lease(struct hash_node *node, void *arg)
{
	struct greeting *g = arg;

	job_lease(job_of_node(node), &g->leases[g->count++]);
}

static void
say_again(struct hash_node *node, void *arg)
{
	struct job *job = job_of_node(node);

	if (job_finished(job))
		tell(arg, job);
}

/* -1: no memory. An incomplete list would let queue send mail twice, so there is none. */
static int
say_hello(struct relay *relay)
{
	struct greeting g = { .relay = relay };
	size_t count = relay->jobs.count;

	g.leases = mem_array(count + 1, sizeof(*g.leases));
	if (g.leases == NULL)
		return -1;
	hash_each(&relay->jobs, add_lease, &g);
	deliver_hello_put(channel_begin(relay->queue, DELIVER_HELLO),
	    &(struct deliver_hello){ .credit = CREDIT, .count = g.count, .leases = g.leases });
	mem_free(g.leases);
	return channel_end(relay->queue);
}

void
relay_wire(struct relay *relay, int fd)
{
	struct err err;

	channel_close(&relay->queue);
	relay->queue = channel_open(relay->loop, fd, &queue_ops, relay, &err);
	if (relay->queue == NULL) {
		log_error("the wire to queue cannot be opened: %s", err.text);
		return;
	}
	if (say_hello(relay) == -1) {
		log_error("no memory to greet queue");
		channel_close(&relay->queue);
		return;
	}
	relay->told = relay->untold_count = 0;		/* what waited for its turn is among those told now */
	hash_each(&relay->jobs, say_again, relay);
}

/* ---- life ---- */

static bool
is_own(void *arg, const struct sockaddress *a)
{
	const struct relay *relay = arg;

	return own_holds(&relay->own, a);
}

static struct resolver_conf
dns_conf(const struct relay *relay, const struct conf *conf)
{
	bool named = conf->dns.servers.count > 0;

	return (struct resolver_conf){
		.servers = named ? conf->dns.servers.v : relay->servers,
		.count = named ? conf->dns.servers.count : relay->server_count,
		.timeout_ms = conf->dns.timeout,
		.tries = conf->dns.tries,
	};
}

static void
set_world(struct relay *relay)
{
	relay->own.conf = relay->conf;
	relay->world = (struct job_world){
		.loop = relay->loop,
		.conf = relay->conf,
		.resolver = relay->resolver,
		.health = &relay->health,
		.pool = relay->pool,
		.house = relay->house,
		.is_own = is_own,
		.is_own_arg = relay,
		.done = on_job_done,
		.done_arg = relay,
	};
}

/* Takes the context when all is well. */
static int
make_rooms(struct relay *relay, struct tls_context **tls, struct err *err)
{
	const struct resolver_conf dns = dns_conf(relay, relay->conf);

	relay->resolver = resolver_new(relay->loop, &dns, err);
	if (relay->resolver == NULL)
		return -1;
	relay->pool = pool_new(relay->loop, err);
	if (relay->pool == NULL)
		return -1;
	relay->house = client_house_new(relay->loop, relay->conf, tls, err);
	return relay->house == NULL ? -1 : 0;
}

struct relay *
relay_new(struct loop *loop, const struct conf *conf, const struct relay_system *system, struct tls_context **tls, struct err *err)
{
	struct relay *relay = mem_zalloc(sizeof(*relay));

	if (relay == NULL) {
		(void)err_set(err, "no memory for relay");
		tls_context_drop(tls);
		return NULL;
	}
	relay->loop = loop;
	relay->conf = conf;
	relay->own = system->own;
	relay->server_count = system->server_count;
	memcpy(relay->servers, system->servers, sizeof(relay->servers));
	hash_init(&relay->jobs);
	arena_init(&relay->frame, FRAME_ARENA_MAX);
	if (make_rooms(relay, tls, err) == -1)
		relay_free(&relay);
	else
		set_world(relay);
	tls_context_drop(tls);
	return relay;
}

static void
free_job(struct hash_node *node, void *arg)
{
	forget(arg, job_of_node(node));
}

void
relay_free(struct relay **rp)
{
	struct relay *relay = *rp;

	*rp = NULL;
	if (relay == NULL)
		return;
	channel_close(&relay->queue);
	hash_each(&relay->jobs, free_job, relay);
	hash_fini(&relay->jobs);
	pool_free(&relay->pool);
	client_house_free(&relay->house);
	resolver_free(&relay->resolver);
	arena_fini(&relay->frame);
	mem_free(relay);
}

int
relay_reload(struct relay *relay, const struct conf *conf, struct tls_context **tls, struct err *err)
{
	const struct resolver_conf dns = dns_conf(relay, conf);

	if (resolver_configure(relay->resolver, &dns, err) == -1) {
		tls_context_drop(tls);
		return -1;
	}
	relay->conf = conf;
	client_house_conf(relay->house, conf, tls);
	pool_drop_all(relay->pool);		/* they were made by the old one: name, source address, authorities */
	set_world(relay);
	return 0;
}

static void
cancel_job(struct hash_node *node, void *arg)
{
	(void)arg;
	job_cancel(job_of_node(node));
}

void
relay_stop(struct relay *relay, void (*done)(void *), void *arg)
{
	relay->stopping = true;
	relay->stopped = done;
	relay->stopped_arg = arg;
	pool_drop_all(relay->pool);
	hash_each(&relay->jobs, cancel_job, NULL);
	stop_if_idle(relay);
}

void
relay_status(const struct relay *relay, struct buf *out)
{
	(void)buf_printf(out, "jobs %u\nunconfirmed %zu\njobs-started %llu\nconnections %u\nidle %u\ndns-packets %llu\n", relay->running,
	    relay->jobs.count - relay->running, (unsigned long long)relay->started, client_house_count(relay->house),
	    pool_count(relay->pool), (unsigned long long)resolver_packets(relay->resolver));
}

bool
relay_is_whole(const struct relay *relay)
{
	/* What it did while queue was away has to be told: a queue that takes long to recover is worth the wait. */
	return relay->queue != NULL || relay->jobs.count > 0;
}
