/* desk — see desk.h. A question is here until its verdict is on the wire; then it is wiped. */
#include "lookup/pam/desk.h"

#include <bsd/sys/queue.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "lookup/pam/wire.h"
#include "lookup/pool.h"
#include "lookup/worker.h"

struct question {
	TAILQ_ENTRY(question)	 entry;
	struct desk		*desk;
	uint32_t		 id;
	bool			 given;		/* a checker has it ... */
	bool			 judges;	/* ... and runs modules for it; not believed of the checker's answer */
	size_t			 len;
	char			 bytes[];	/* a checker's frame */
};

struct desk {
	struct loop		*loop;
	const struct stack	*stack;
	struct pool		*pool;
	struct channel		*channel;	/* NULL: lookup is away */
	TAILQ_HEAD(, question)	 questions;
	uint32_t		 count;		/* of them */
	uint64_t		 asked, results[SASL_RESULT_COUNT];
};

static void
question_drop(struct question *q)
{
	struct desk *d = q->desk;

	if (q->given)
		pool_forget(d->pool, q);
	TAILQ_REMOVE(&d->questions, q, entry);
	d->count--;
	explicit_bzero(q->bytes, q->len);
	mem_free(q);
}

static void
tell(struct desk *d, uint32_t id, const struct check_answer *answer)
{
	d->results[answer->result]++;
	if (d->channel == NULL)
		return;
	pam_verdict_put(channel_begin(d->channel, PAM_WIRE_STEPPED), &(struct pam_verdict){ id, *answer });
	(void)channel_end(d->channel);
}

static void
give_up(struct question *q, const char *why)
{
	tell(q->desk, q->id, &(struct check_answer){ .result = SASL_TROUBLE, .why = slice_str(why), .challenge = SLICE_LIT(""),
	    .login = SLICE_LIT("") });
	question_drop(q);
}

static struct question *
first_waiting(const struct desk *d)
{
	struct question *q;

	TAILQ_FOREACH(q, &d->questions, entry)
		if (!q->given)
			return q;
	return NULL;
}

static void
dispatch(void *arg)
{
	struct desk *d = arg;
	struct question *q;

	while (pool_ready(d->pool) && (q = first_waiting(d)) != NULL) {
		q->given = true;
		(void)buf_append(pool_begin(d->pool, WORKER_STEP, q), q->bytes, q->len);
		pool_end(d->pool);
	}
	/* All checkers rest after early deaths. */
	while (!pool_hopeful(d->pool) && (q = first_waiting(d)) != NULL)
		give_up(q, "nobody can ask PAM now");
}

/* --- checkers ----------------------------------------------------------------------------------- */

static int
on_checker_frame(void *arg, void *question, uint16_t type, struct reader *in)
{
	struct question *q = question;
	struct check_answer answer;
	bool last;

	if (type == WORKER_SAY)
		return worker_said(in);
	if (type != WORKER_STEPPED || check_answer_get(in, &answer) == -1)
		return -1;
	if (q == NULL)
		return 2;
	last = q->judges;
	tell(arg, q->id, &answer);
	q->given = false;	/* the pool has its answer */
	question_drop(q);
	return last ? 2 : 1;
}

static void
on_checker_lost(void *arg, void *question)
{
	struct question *q = question;

	(void)arg;
	q->given = false;
	give_up(q, "PAM did not answer in time");
}

/* In the child, before anything foreign runs: what it has inherited of others' questions goes. */
static int
on_fork(void *arg, int fd)
{
	struct desk *d = arg;
	struct sasl_users users = { .judge = stack_judge, .arg = (void *)(uintptr_t)d->stack };
	struct question *q;

	TAILQ_FOREACH(q, &d->questions, entry)
		explicit_bzero(q->bytes, q->len);
	return checker_run(fd, &users);
}

/* --- lookup ------------------------------------------------------------------------------------- */

static bool
is_open(const struct desk *d, uint32_t id)
{
	const struct question *q;

	TAILQ_FOREACH(q, &d->questions, entry)
		if (q->id == id)
			return true;
	return false;
}

static int
on_step(void *arg, struct reader *in, int fd)
{
	struct desk *d = arg;
	struct slice body = in->in;
	struct pam_question question;
	struct question *q;

	(void)fd;
	if (pam_question_get(in, &question) == -1 || d->count >= PAM_QUESTIONS_MAX || is_open(d, question.id))
		return -1;
	slice_drop(&body, sizeof(question.id));		/* what is left is a checker's frame */
	d->asked++;
	if ((q = mem_zalloc(sizeof(*q) + body.len)) == NULL) {
		tell(d, question.id, &(struct check_answer){ .result = SASL_TROUBLE, .why = SLICE_LIT("no memory"),
		    .challenge = SLICE_LIT(""), .login = SLICE_LIT("") });
		return 0;
	}
	q->desk = d;
	q->id = question.id;
	q->judges = sasl_judges(&question.said);
	q->len = body.len;
	memcpy(q->bytes, body.p, body.len);
	explicit_bzero((void *)(uintptr_t)body.p, body.len);	/* the wire's buffer: the next checker has a copy of it */
	TAILQ_INSERT_TAIL(&d->questions, q, entry);
	d->count++;
	dispatch(d);
	return 0;
}

static const struct frame_handler handlers[PAM_WIRE_FRAME_COUNT] = {
	[PAM_WIRE_STEP] = { "STEP", on_step, false },
};

/* Nobody waits for any answer now. */
static void
hang_up(struct desk *d)
{
	channel_close(&d->channel);
	while (!TAILQ_EMPTY(&d->questions))
		question_drop(TAILQ_FIRST(&d->questions));
}

static void
on_end(void *arg, const char *why)
{
	log_debug("lookup's pam wire ended: %s", why);
	hang_up(arg);
}

static const struct channel_ops ops = {
	.wire = PAM_WIRE, .version = PAM_WIRE_VERSION, .handlers = handlers, .handler_count = PAM_WIRE_FRAME_COUNT, .secret = true,
	.on_end = on_end,
};

void
desk_wire(struct desk *d, int fd)
{
	struct err err;

	hang_up(d);
	if ((d->channel = channel_open(d->loop, fd, &ops, d, &err)) == NULL)
		log_error("%s", err.text);
}

/* --- life --------------------------------------------------------------------------------------- */

struct desk *
desk_new(struct loop *loop, const struct conf *conf, const struct stack *stack, struct err *err)
{
	struct desk *d = mem_zalloc(sizeof(*d));
	const struct pool_ops pool_ops = { on_fork, on_checker_frame, on_checker_lost, dispatch, d };

	if (d == NULL) {
		(void)err_memory(err, "no memory for the questions of lookup");
		return NULL;
	}
	d->loop = loop;
	d->stack = stack;
	TAILQ_INIT(&d->questions);
	d->pool = pool_new(loop, (uint32_t)conf->submission.workers, conf->lookup.answer_timeout, &pool_ops, err);
	if (d->pool == NULL)
		desk_free(&d);
	return d;
}

void
desk_free(struct desk **dp)
{
	struct desk *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	hang_up(d);
	pool_free(&d->pool);
	mem_free(d);
}

void
desk_status(const struct desk *d, struct buf *out)
{
	(void)buf_printf(out, "questions %" PRIu64 "\nquestions_open %u\nchallenges %" PRIu64 "\nlogins_right %" PRIu64 "\nlogins_wrong %"
	    PRIu64 "\ntroubles %" PRIu64 "\ncheckers_lost %" PRIu64 "\n", d->asked, d->count, d->results[SASL_CHALLENGE],
	    d->results[SASL_OK], d->results[SASL_FAILED], d->results[SASL_TROUBLE], pool_deaths(d->pool));
}
