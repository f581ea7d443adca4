/*
 * limit — what each login has sent counts against its limits, in this life of queue and, by a file, in the next.
 *
 * A message counts from the moment it is handed to the store, so that a hundred at once cannot all be the last that fits; one that
 * is not accepted in the end is given back. The file lags behind by LIMIT_LAG at most.
 */
#include "queue/queue.h"

#include <inttypes.h>

#include "base/fmt.h"
#include "queue/intake/allowance_file.h"

#define LIMIT_LAG	INT64_C(2000)	/* ms */
#define SHOWN_MAX	200		/* bytes of a login in a log line */

static struct allowance_limits
limits_of(const struct queue *q)
{
	const struct conf_submission *conf = &q->process->conf->submission;

	return (struct allowance_limits){ .an_hour = { [ALLOWANCE_MESSAGES] = (uint32_t)conf->login_messages,
	    [ALLOWANCE_RECIPIENTS] = (uint32_t)conf->login_recipients } };
}

/* --- the file ----------------------------------------------------------------------------------- */

/* Who failed once is likely to fail again: said once, tried with each new message. */
static void
write_file(struct queue *q, int64_t now_ms)
{
	const struct allowance_limits limits = limits_of(q);
	struct err err = { 0 };
	bool failed;

	failed = allowance_file_write(q->process->conf->queue.directory, q->allowances, &limits, now_ms, &err) == -1;
	if (failed && !q->allowances_failed)
		log_warn("what each login has sent is not written down, and would be forgotten at a restart: %s", err.text);
	q->allowances_failed = failed;
	q->allowances_changed = failed;
}

static void
write_due(void *arg)
{
	struct queue *q = arg;

	if (!q->stopping)
		write_file(q, store_now(q->store));
}

static void
changed(struct queue *q)
{
	q->allowances_changed = true;
	if (!q->stopping && !timer_is_set(&q->allowances_due))
		timer_set(&q->allowances_due, LIMIT_LAG);
}

static void
read_file(struct queue *q)
{
	struct err err = { 0 };
	size_t bad;

	if (allowance_file_read(q->process->conf->queue.directory, q->allowances, store_now(q->store), &bad, &err) == -1)
		log_warn("what each login has sent is forgotten: %s", err.text);
	if (bad > 0)
		log_warn("logins: %zu lines make no sense, or are too many, and are left out", bad);
}

int
queue_limits_start(struct queue *q)
{
	q->allowances = allowances_new();
	if (q->allowances == NULL || timer_init(&q->allowances_due, q->loop, write_due, q) == -1)
		return -1;
	read_file(q);
	return 0;
}

void
queue_limits_stop(struct queue *q, int64_t now_ms)
{
	timer_stop(&q->allowances_due);
	if (q->allowances_changed)
		write_file(q, now_ms);
}

void
queue_limits_free(struct queue *q)
{
	timer_fini(&q->allowances_due);
	allowances_free(&q->allowances);
}

/* --- one message -------------------------------------------------------------------------------- */

static void
log_no(const struct message *m, struct slice login, const struct allowance_limits *limits, const struct allowance_answer *answer)
{
	static const char *const settings[ALLOWANCE_KINDS] = { "login-messages", "login-recipients" };
	char id[QUEUE_ID_LEN + 1], shown[SHOWN_MAX];

	queue_id_print(m->id, id);
	(void)fmt_shown(shown, sizeof(shown), login);
	if (answer->verdict == ALLOWANCE_NEVER)
		log_warn("%s: login %s: %" PRIu32 " recipients are more than an hour has: %s is %" PRIu32, id, shown, m->envelope.count,
		    settings[answer->kind], limits->an_hour[answer->kind]);
	else
		log_warn("%s: login %s: %s is %" PRIu32 " an hour; a message to %" PRIu32 " fits in %" PRIu32 " s", id, shown,
		    settings[answer->kind], limits->an_hour[answer->kind], m->envelope.count, allowance_wait_s(answer));
}

/* Said once an hour. */
static void
note_crowd(struct queue *q, const struct allowance_limits *limits)
{
	int64_t now = loop_now(q->loop);

	if (limits->an_hour[ALLOWANCE_MESSAGES] == 0 && limits->an_hour[ALLOWANCE_RECIPIENTS] == 0)
		return;
	if (q->crowd_said_ms != 0 && now - q->crowd_said_ms < ALLOWANCE_PERIOD)
		return;
	q->crowd_said_ms = now;
	log_warn("more logins than can be counted have sent mail within the hour: the limits are not for all of them");
}

struct allowance_answer
queue_charge(struct queue *q, const struct message *m, struct slice login)
{
	const struct allowance_limits limits = limits_of(q);
	struct allowance_answer answer = allowance_take(q->allowances, &limits, login, m->envelope.count, store_now(q->store));

	if (answer.counted)
		changed(q);
	else if (answer.verdict == ALLOWANCE_FITS)
		note_crowd(q, &limits);
	else
		log_no(m, login, &limits, &answer);
	return answer;
}

void
queue_discharge(struct queue *q, const struct message *m, struct slice login)
{
	allowance_give_back(q->allowances, login, m->envelope.count);
	changed(q);
}

size_t
queue_limited(struct queue *q)
{
	const struct allowance_limits limits = limits_of(q);

	return allowances_limited(q->allowances, &limits, store_now(q->store));
}
