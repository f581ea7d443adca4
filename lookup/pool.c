/*
 * pool — slots; each holds one child, its end of a socket pair, and a deadline.
 */
#include "lookup/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/signal.h"
#include "event/timer.h"
#include "lookup/worker.h"

#define BACKOFF_FIRST	1000	/* ms, as the next two */
#define BACKOFF_MOST	60000
#define LIVED_LONG	1000	/* an older one is replaced at once */
#define REAP_TRIES	50	/* at the end: 100 ms for all */
#define REAP_REST_US	2000

enum slot_state {
	SLOT_NONE,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_DYING,		/* killed or dead, not reaped yet */
	SLOT_RESTING		/* its timer says when it is forked again */
};

struct slot {
	struct pool	*pool;
	enum slot_state	 state;
	pid_t		 pid;
	struct channel	*channel;
	struct timer	 timer;		/* BUSY: the answer's deadline; RESTING: the next fork */
	void		*question;	/* BUSY; NULL when given up */
	bool		 spared;	/* ended by us, slow or with its last answer: no back-off */
	int64_t		 born, backoff;
};

struct pool {
	struct loop		*loop;
	struct pool_ops		 ops;
	int64_t			 answer_ms;
	struct signal_watch	 sigchld;
	struct hook		 idle_hook;
	struct slot		*asking;	/* between pool_begin and pool_end */
	uint64_t		 deaths;
	uint32_t		 count;
	struct slot		 slots[];
};

static void	slot_fork(struct slot *);
static void	slot_end(struct slot *);
static void	slot_due(void *);
static int	on_any(struct slot *, uint16_t, struct reader *);

/* A handler is not told its frame's type, so each type has one of its own. */
#define HANDLER(fn, type) \
	static int \
	fn(void *arg, struct reader *in, int fd) \
	{ \
		(void)fd; \
		return on_any(arg, type, in); \
	}

HANDLER(on_routes, LOOKUP_ROUTES)
HANDLER(on_mailbox_of, LOOKUP_MAILBOX_OF)
HANDLER(on_sender_of, LOOKUP_SENDER_OF)
HANDLER(on_checked, WORKER_CHECKED)
HANDLER(on_table, WORKER_TABLE)
HANDLER(on_say, WORKER_SAY)
HANDLER(on_stepped, WORKER_STEPPED)

static const struct frame_handler handlers[WORKER_FRAME_COUNT] = {
	[LOOKUP_ROUTES]     = { "ROUTES", on_routes, false },
	[LOOKUP_MAILBOX_OF] = { "MAILBOX_OF", on_mailbox_of, false },
	[LOOKUP_SENDER_OF]  = { "SENDER_OF", on_sender_of, false },
	[WORKER_CHECKED]    = { "CHECKED", on_checked, false },
	[WORKER_TABLE]      = { "TABLE", on_table, false },
	[WORKER_SAY]        = { "SAY", on_say, false },
	[WORKER_STEPPED]    = { "STEPPED", on_stepped, false },
};

static void	on_end(void *, const char *);

static const struct channel_ops worker_ops = {
	.wire = WORKER_WIRE, .version = WORKER_VERSION, .handlers = handlers, .handler_count = WORKER_FRAME_COUNT,
	.secret = true, .on_end = on_end,
};

static void
tell_idle(void *arg)
{
	struct pool *pool = arg;

	pool->ops.idle(pool->ops.arg);
}

static void
pool_wake(struct pool *pool)
{
	loop_at_end(pool->loop, &pool->idle_hook, tell_idle, pool);
}

static int
on_any(struct slot *slot, uint16_t type, struct reader *in)
{
	struct pool *pool = slot->pool;
	int result = pool->ops.frame(pool->ops.arg, slot->question, type, in);

	if (result < 1)
		return result;
	if (slot->state != SLOT_BUSY)
		return -1;		/* an answer that nobody asked for */
	slot->state = SLOT_IDLE;
	slot->question = NULL;
	timer_stop(&slot->timer);
	if (result == 2) {
		slot->spared = true;
		slot_end(slot);
	}
	pool_wake(pool);
	return 0;
}

/* The child's place is free when it is reaped. */
static void
slot_end(struct slot *slot)
{
	slot->question = NULL;
	slot->state = SLOT_DYING;
	timer_stop(&slot->timer);
	channel_close(&slot->channel);
	if (slot->pid > 0)
		(void)kill(slot->pid, SIGKILL);
}

/* Ends the child; what it was asked is lost now. */
static void
slot_kill(struct slot *slot)
{
	void *question = slot->question;

	slot_end(slot);
	slot->pool->deaths++;
	if (question != NULL)
		slot->pool->ops.lost(slot->pool->ops.arg, question);
}

static void
on_end(void *arg, const char *why)
{
	struct slot *slot = arg;

	log_warn("worker %ld is lost: %s", (long)slot->pid, why);
	slot_kill(slot);
	pool_wake(slot->pool);
}

static void
slot_rest(struct slot *slot)
{
	slot->state = SLOT_RESTING;
	slot->backoff = slot->backoff == 0 ? BACKOFF_FIRST : slot->backoff * 2;
	if (slot->backoff > BACKOFF_MOST)
		slot->backoff = BACKOFF_MOST;
	log_warn("a worker died young: the next one in %d s", (int)(slot->backoff / 1000));
	timer_set(&slot->timer, slot->backoff);
}

static void
slot_reaped(struct slot *slot)
{
	pid_t pid = slot->pid;

	slot->pid = 0;				/* the number may be somebody else's now */
	if (slot->state != SLOT_DYING) {	/* the signal came before the end of its socket was read */
		log_warn("worker %ld died", (long)pid);
		slot_kill(slot);
	}
	if (!slot->spared && loop_now(slot->pool->loop) - slot->born < LIVED_LONG) {
		slot_rest(slot);
	} else {
		slot->backoff = 0;
		slot_fork(slot);
	}
	pool_wake(slot->pool);
}

static void
on_sigchld(void *arg, int signo)
{
	struct pool *pool = arg;

	(void)signo;
	for (uint32_t i = 0; i < pool->count; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->pid > 0 && waitpid(slot->pid, NULL, WNOHANG) == slot->pid)
			slot_reaped(slot);
	}
}

/* The answer's deadline, or the end of a rest. */
static void
slot_due(void *arg)
{
	struct slot *slot = arg;

	if (slot->state == SLOT_RESTING) {
		slot_fork(slot);
		pool_wake(slot->pool);
	} else if (slot->state == SLOT_BUSY) {
		log_warn("worker %ld did not answer within %d ms and is replaced", (long)slot->pid,
		    (int)slot->pool->answer_ms);
		slot->spared = true;
		slot_kill(slot);
		pool_wake(slot->pool);
	}
}

/*
 * The child keeps its own socket and the standard three: not the loop, no wire, no log socket.
 * It dies with the broker, and as soon as the broker closes its end.
 */
static _Noreturn void
child_main(const struct pool *pool, int fd, pid_t parent)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE };
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], signals[i] == SIGPIPE ? SIG_IGN : SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	_exit(pool->ops.child(pool->ops.arg, fd));
}

static int
slot_start(struct slot *slot, struct err *err)
{
	struct pool *pool = slot->pool;
	pid_t parent = getpid();
	sigset_t all, before;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_sys(err, "a socket pair for a worker");
	slot->born = loop_now(pool->loop);
	slot->spared = false;
	/* No handler of the loop's may run in the child: it would write into the loop's own pipe. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	slot->pid = fork();
	if (slot->pid == 0)
		child_main(pool, pair[1], parent);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (slot->pid == -1) {
		(void)err_sys(err, "forking a worker");
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		slot->pid = 0;
		return -1;
	}
	fd_close(&pair[1]);
	slot->state = SLOT_IDLE;
	if ((slot->channel = channel_open(pool->loop, pair[0], &worker_ops, slot, err)) == NULL) {
		slot->state = SLOT_DYING;
		(void)kill(slot->pid, SIGKILL);
		return -1;
	}
	return 0;
}

static void
slot_fork(struct slot *slot)
{
	struct err err;

	if (slot_start(slot, &err) == 0)
		return;
	log_error("%s", err.text);
	if (slot->state != SLOT_DYING)
		slot_rest(slot);
}

struct pool *
pool_new(struct loop *loop, uint32_t workers, int64_t answer_ms, const struct pool_ops *ops, struct err *err)
{
	struct pool *pool = mem_zalloc(sizeof(*pool) + workers * sizeof(struct slot));

	if (pool == NULL) {
		err_set(err, "no memory for workers");
		return NULL;
	}
	pool->loop = loop;
	pool->ops = *ops;
	pool->answer_ms = answer_ms;
	if (signal_start(&pool->sigchld, loop, SIGCHLD, on_sigchld, pool) == -1) {
		err_set(err, "no memory for a signal");
		mem_free(pool);
		return NULL;
	}
	while (pool->count < workers) {
		struct slot *slot = &pool->slots[pool->count++];

		slot->pool = pool;
		if (timer_init(&slot->timer, loop, slot_due, slot) == -1 || slot_start(slot, err) == -1) {
			pool_free(&pool);
			return NULL;
		}
	}
	return pool;
}

void
pool_free(struct pool **poolp)
{
	struct pool *pool = *poolp;

	if (pool == NULL)
		return;
	signal_stop(&pool->sigchld);
	loop_hook_cancel(pool->loop, &pool->idle_hook);
	for (uint32_t i = 0; i < pool->count; i++) {
		struct slot *slot = &pool->slots[i];

		timer_fini(&slot->timer);
		channel_close(&slot->channel);
		if (slot->pid > 0)
			(void)kill(slot->pid, SIGKILL);
	}
	/* A child that hangs in the kernel is left to its
	 * next parent; the others are gone within a moment. */
	for (int try = 0; try < REAP_TRIES; try++) {
		bool left = false;

		for (uint32_t i = 0; i < pool->count; i++) {
			struct slot *slot = &pool->slots[i];

			if (slot->pid > 0 && waitpid(slot->pid, NULL, WNOHANG) != 0)
				slot->pid = 0;
			left = left || slot->pid > 0;
		}
		if (!left)
			break;
		(void)usleep(REAP_REST_US);
	}
	mem_free(pool);
	*poolp = NULL;
}

bool
pool_ready(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->slots[i].state == SLOT_IDLE)
			return true;
	return false;
}

bool
pool_hopeful(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->slots[i].state != SLOT_RESTING)
			return true;
	return false;
}

struct buf *
pool_begin(struct pool *pool, uint16_t type, void *question)
{
	assert(question != NULL && pool->asking == NULL);
	for (uint32_t i = 0; i < pool->count && pool->asking == NULL; i++)
		if (pool->slots[i].state == SLOT_IDLE)
			pool->asking = &pool->slots[i];
	assert(pool->asking != NULL);
	pool->asking->question = question;
	return channel_begin(pool->asking->channel, type);
}

void
pool_end(struct pool *pool)
{
	struct slot *slot = pool->asking;

	pool->asking = NULL;
	slot->state = SLOT_BUSY;
	timer_set(&slot->timer, pool->answer_ms);
	/* On failure the channel tells its end, and that is the worker's. */
	(void)channel_end(slot->channel);
}

void
pool_forget(struct pool *pool, const void *question)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (pool->slots[i].question == question)
			pool->slots[i].question = NULL;
}

uint64_t
pool_deaths(const struct pool *pool)
{
	return pool->deaths;
}
