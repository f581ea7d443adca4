/*
 * mda — jobs by lease, and the deliver wire.
 */
#include "mda/mda.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "mda/job.h"

/*
 * Every lease held must fit into HELLO, even when each has the most recipients a job may have: so
 * both what runs and what waits for its COMMITTED are bounded. Results above the bound are kept
 * back, which keeps their credit taken.
 */
#define CREDIT_MOST		512
#define UNCOMMITTED_MOST	1024
#define UNCOMMITTED_COPIES	10000
#define ARENA_MAX		(256 * 1024)

enum held_state { HELD_NONE, HELD_RUNNING, HELD_DONE, HELD_TOLD };

struct held {				/* a job that queue has given us */
	struct hash_node	 by_lease;
	TAILQ_ENTRY(held)	 entry;		/* in the list of its state */
	enum held_state		 state;
	struct mda		*mda;
	struct job		*job;
};
TAILQ_HEAD(helds, held);

struct mda {
	struct loop		*loop;
	const struct conf	*conf;
	struct job_rules	 rules;
	struct channel		*queue;
	struct hash		 by_lease;
	struct helds		 running, done, told;
	uint32_t		 running_count, told_count, told_copies;
	struct arena		 arena;		/* of one frame */
	void			(*stopped)(void *);
	void			*stopped_arg;
	struct hook		 stopped_hook;
	uint64_t		 jobs;
};

/* --- results ---------------------------------------------------------------------------------- */

static void
send_results(struct mda *mda, const struct job *job)
{
	struct deliver_result results[JOB_RECIPIENTS_MAX];
	struct deliver_results frame;

	if (mda->queue == NULL)
		return;
	job_show_results(job, results, &frame);
	deliver_results_put(channel_begin(mda->queue, DELIVER_RESULTS), &frame);
	(void)channel_end(mda->queue);
}

/* Tells what is done, as far as it may remain untold by COMMITTED at the same time. */
static void
tell_done(struct mda *mda)
{
	struct held *held;

	while ((held = TAILQ_FIRST(&mda->done)) != NULL && mda->told_count < UNCOMMITTED_MOST &&
	    mda->told_copies < UNCOMMITTED_COPIES) {
		TAILQ_REMOVE(&mda->done, held, entry);
		TAILQ_INSERT_TAIL(&mda->told, held, entry);
		held->state = HELD_TOLD;
		mda->told_count++;
		mda->told_copies += job_count(held->job);
		send_results(mda, held->job);
	}
}

static void
say_stopped(void *arg)
{
	struct mda *mda = arg;

	mda->stopped(mda->stopped_arg);
}

static void
stop_if_empty(struct mda *mda)
{
	if (mda->stopped != NULL && mda->running_count == 0 && TAILQ_EMPTY(&mda->done))
		loop_at_end(mda->loop, &mda->stopped_hook, say_stopped, mda);
}

static void
on_job_done(void *arg, struct job *job)
{
	struct held *held = arg;
	struct mda *mda = held->mda;

	(void)job;
	TAILQ_REMOVE(&mda->running, held, entry);
	mda->running_count--;
	TAILQ_INSERT_TAIL(&mda->done, held, entry);
	held->state = HELD_DONE;
	tell_done(mda);
	stop_if_empty(mda);
}

/* --- leases ----------------------------------------------------------------------------------- */

static struct held *
held_find(const struct mda *mda, uint64_t lease)
{
	struct hash_node *node;

	for (node = hash_first(&mda->by_lease, hash_u64(lease)); node != NULL; node = hash_next(node)) {
		struct held *held = CONTAINER_OF(node, struct held, by_lease);

		if (job_lease(held->job) == lease)
			return held;
	}
	return NULL;
}

static void
held_free(struct held *held)
{
	struct mda *mda = held->mda;

	hash_remove(&mda->by_lease, &held->by_lease);
	if (held->state == HELD_RUNNING) {
		TAILQ_REMOVE(&mda->running, held, entry);
		mda->running_count--;
	} else if (held->state == HELD_DONE) {
		TAILQ_REMOVE(&mda->done, held, entry);
	} else {
		TAILQ_REMOVE(&mda->told, held, entry);
		mda->told_count--;
		mda->told_copies -= job_count(held->job);
	}
	job_free(&held->job);
	mem_free(held);
}

/* --- frames of queue -------------------------------------------------------------------------- */

/* Addresses end up in header lines of a file: one line each. */
static bool
is_one_line(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
job_is_clean(const struct deliver_job *job)
{
	if (!is_one_line(job->reverse_path) || !is_one_line(job->nexthop))
		return false;
	for (uint32_t i = 0; i < job->count; i++)
		if (!is_one_line(job->recipients[i].address))
			return false;
	return true;
}

/* Content by descriptor is a file: from a pipe or a terminal one could wait for ever. */
static bool
content_is_file(const struct deliver_job *job, int fd)
{
	struct stat st;

	if (!job->by_fd)
		return fd == -1;
	return fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Without memory for the job: say so, and hold nothing. Should
 * queue ask again about this lease, we know nothing of it. */
static void
refuse_job(struct mda *mda, const struct deliver_job *job)
{
	struct deliver_result results[JOB_RECIPIENTS_MAX];
	struct deliver_results frame = { .lease = job->lease, .id = job->id, .finished = true, .count = job->count,
	    .results = results };

	for (uint32_t i = 0; i < job->count; i++)
		results[i] = (struct deliver_result){ .index = job->recipients[i].index, .outcome = { .action = ACTION_DELAYED,
		    .status = STATUS(4, 3, 0), .text = SLICE_LIT("no memory for this delivery") } };
	deliver_results_put(channel_begin(mda->queue, DELIVER_RESULTS), &frame);
	(void)channel_end(mda->queue);
}

static int
on_job(void *arg, struct reader *in, int fd)
{
	struct mda *mda = arg;
	struct deliver_job job;
	struct held *held;

	arena_reset(&mda->arena);
	if (deliver_job_get(in, &mda->arena, &job) == -1 || !content_is_file(&job, fd) || !job_is_clean(&job) ||
	    mda->running_count >= CREDIT_MOST || held_find(mda, job.lease) != NULL) {
		fd_close(&fd);
		return -1;
	}
	mda->jobs++;
	if ((held = mem_zalloc(sizeof(*held))) == NULL) {
		fd_close(&fd);
		refuse_job(mda, &job);
		return 0;
	}
	held->mda = mda;
	if ((held->job = job_new(&job, fd, on_job_done, held)) == NULL) {
		mem_free(held);
		refuse_job(mda, &job);
		return 0;
	}
	held->state = HELD_RUNNING;
	hash_insert(&mda->by_lease, &held->by_lease, hash_u64(job.lease));
	TAILQ_INSERT_TAIL(&mda->running, held, entry);
	mda->running_count++;
	job_start(held->job, mda->loop, &mda->rules);
	return 0;
}

static int
on_committed(void *arg, struct reader *in, int fd)
{
	struct mda *mda = arg;
	struct deliver_lease lease;
	struct held *held;

	(void)fd;
	if (deliver_lease_get(in, &lease) == -1)
		return -1;
	held = held_find(mda, lease.lease);
	/* A lease that a new queue does not know is committed while its job runs; its outcome is
	 * told, and committed again. */
	if (held != NULL && held->state == HELD_TOLD) {
		held_free(held);
		tell_done(mda);
		stop_if_empty(mda);
	}
	return 0;
}

static int
on_cancel(void *arg, struct reader *in, int fd)
{
	struct mda *mda = arg;
	struct deliver_lease lease;
	struct deliver_results none;
	struct lease shown;
	struct held *held;

	(void)fd;
	if (deliver_lease_get(in, &lease) == -1)
		return -1;
	held = held_find(mda, lease.lease);
	if (held == NULL || held->state != HELD_RUNNING || !job_cancel(held->job))
		return 0;	/* too late: its results come, or have come */
	job_show_lease(held->job, &shown);
	none = (struct deliver_results){ .lease = shown.lease, .id = shown.id, .finished = true };
	held_free(held);
	deliver_results_put(channel_begin(mda->queue, DELIVER_RESULTS), &none);
	(void)channel_end(mda->queue);
	stop_if_empty(mda);
	return 0;
}

static void
on_queue_end(void *arg, const char *why)
{
	struct mda *mda = arg;

	log_warn("the wire to queue ended: %s", why);
	channel_close(&mda->queue);
}

static const struct frame_handler queue_handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_JOB]       = { "JOB", on_job, true },
	[DELIVER_COMMITTED] = { "COMMITTED", on_committed, false },
	[DELIVER_CANCEL]    = { "CANCEL", on_cancel, false },
};

static const struct channel_ops queue_ops = {
	.wire = "deliver", .version = DELIVER_VERSION, .handlers = queue_handlers, .handler_count = DELIVER_FRAME_COUNT,
	.on_end = on_queue_end,
};

/* --- a new wire to queue ---------------------------------------------------------------------- */

static uint32_t
credit_of(const struct mda *mda)
{
	int64_t credit = mda->conf->mda.max_workers * mda->conf->mda.worker_jobs;

	if (mda->stopped != NULL)
		return 0;
	return credit < 1 ? 1 : credit > CREDIT_MOST ? CREDIT_MOST : (uint32_t)credit;
}

static uint32_t
show_leases(const struct helds *helds, struct lease *leases, uint32_t count)
{
	const struct held *held;

	TAILQ_FOREACH(held, helds, entry)
		if (count < AGENT_LEASES_MAX)
			job_show_lease(held->job, &leases[count++]);
	return count;
}

static int
send_hello(struct mda *mda)
{
	struct deliver_hello hello = { .credit = credit_of(mda) };

	if ((hello.leases = mem_array(AGENT_LEASES_MAX, sizeof(*hello.leases))) == NULL)
		return -1;
	hello.count = show_leases(&mda->running, hello.leases, 0);
	hello.count = show_leases(&mda->done, hello.leases, hello.count);
	hello.count = show_leases(&mda->told, hello.leases, hello.count);
	deliver_hello_put(channel_begin(mda->queue, DELIVER_HELLO), &hello);
	mem_free(hello.leases);
	return channel_end(mda->queue);
}

void
mda_wire_deliver(struct mda *mda, int fd)
{
	const struct held *held;
	struct err err;

	channel_close(&mda->queue);
	if ((mda->queue = channel_open(mda->loop, fd, &queue_ops, mda, &err)) == NULL) {
		log_error("%s", err.text);
		return;
	}
	if (send_hello(mda) == -1) {
		log_error("no memory to present the leases: queue must not take us for idle");
		channel_close(&mda->queue);
		return;
	}
	TAILQ_FOREACH(held, &mda->told, entry)
		send_results(mda, held->job);
}

void
mda_wire_lookup(struct mda *mda, int fd)
{
	mailboxes_wire(mda->rules.mailboxes, fd);
}

void
mda_wire_spawn(struct mda *mda, int fd)
{
	handoff_wire(mda->rules.handoff, fd);
}

/* --- life ------------------------------------------------------------------------------------- */

static void
mda_configure(struct mda *mda, const struct conf *conf)
{
	mda->conf = conf;
	mda->rules.first_uid = conf->mda.first_uid;
	handoff_configure(mda->rules.handoff, conf);
	mailboxes_ttl(mda->rules.mailboxes, conf->lookup.cache_ttl);
}

struct mda *
mda_new(struct loop *loop, const struct conf *conf, bool root, sync_flush_fn *flush, struct err *err)
{
	struct mda *mda = mem_zalloc(sizeof(*mda));

	if (mda == NULL) {
		err_set(err, "no memory for mda");
		return NULL;
	}
	mda->loop = loop;
	mda->rules.root = root;
	mda->rules.uid = geteuid();
	hash_init(&mda->by_lease);
	TAILQ_INIT(&mda->running);
	TAILQ_INIT(&mda->done);
	TAILQ_INIT(&mda->told);
	arena_init(&mda->arena, ARENA_MAX);
	if ((mda->rules.mailboxes = mailboxes_new(loop, conf->lookup.cache_ttl, err)) == NULL ||
	    (mda->rules.handoff = handoff_new(loop, flush, err)) == NULL) {
		mda_free(&mda);
		return NULL;
	}
	mda_configure(mda, conf);
	return mda;
}

static void
free_all(struct helds *helds)
{
	while (!TAILQ_EMPTY(helds))
		held_free(TAILQ_FIRST(helds));
}

void
mda_free(struct mda **mdap)
{
	struct mda *mda = *mdap;

	if (mda == NULL)
		return;
	loop_hook_cancel(mda->loop, &mda->stopped_hook);
	channel_close(&mda->queue);
	handoff_free(&mda->rules.handoff);	/* first: it borrows the jobs' deliveries */
	free_all(&mda->running);
	free_all(&mda->done);
	free_all(&mda->told);
	mailboxes_free(&mda->rules.mailboxes);
	hash_fini(&mda->by_lease);
	arena_fini(&mda->arena);
	mem_free(mda);
	*mdap = NULL;
}

void
mda_reload(struct mda *mda, const struct conf *conf)
{
	mda_configure(mda, conf);
}

/* A new HELLO would need a new wire: what queue still sends is done, too, as far as the time reaches. */
void
mda_stop(struct mda *mda, void (*stopped)(void *), void *arg)
{
	mda->stopped = stopped;
	mda->stopped_arg = arg;
	stop_if_empty(mda);
}

void
mda_status(const struct mda *mda, struct buf *out)
{
	(void)buf_printf(out, "jobs %" PRIu64 "\nrunning %u\nuncommitted %u\n", mda->jobs, mda->running_count, mda->told_count);
	handoff_status(mda->rules.handoff, out);
}

bool
mda_is_whole(const struct mda *mda)
{
	/* As for relay: results are not thrown away. */
	return (mda->queue != NULL && mailboxes_wired(mda->rules.mailboxes)) || mda->by_lease.count > 0;
}
