/*
 * accept — from a submit frame to a promise: the claim, the commit, the answer; then a way for each recipient.
 */
#include "queue/queue.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/random.h"
#include "queue/schedule/expiry.h"
#include "wire/fields.h"

#define ROUTE_AGAIN	INT64_C(30000)	/* ms between questions after "try later" */

struct accept {			/* a message that is not promised yet */
	struct queue		*queue;
	struct message		*message;
	struct submit_reply	*reply;
	uint32_t		 large_crc;
	uint32_t		 asked;		/* answers of lookup to come; + 1 while asking */
	enum submit_verdict	 verdict;	/* VERDICT_DURABLE as long as nothing is against it */
	struct slice		 login;		/* it counts as a message of this one's; in the message's arena. Empty: nobody's */
	uint32_t		 wait_s;	/* with a verdict that says so */
};

struct routing {		/* one recipient whose way lookup is asked for */
	struct queue	*queue;
	struct ask	*ask;
	struct message	*message;
	uint32_t	 index;
};

/* --- the commit -------------------------------------------------------------------------------- */

static void
large_drop(void *arg, uint64_t id)
{
	struct queue *q = arg;

	if (q->store != NULL)		/* else stopped: the next start finds it */
		store_large_drop(q->store, id);
}

static void
refuse(struct accept *a, enum submit_verdict verdict, struct slice text)
{
	a->queue->refused++;
	if (a->login.len > 0)
		queue_discharge(a->queue, a->message, a->login);
	submit_answer_wait(&a->reply, verdict, a->wait_s, text);
	if (a->message->large)
		large_drop(a->queue, a->message->id);
	message_free(&a->message);
	mem_free(a);
}

static void
log_queued(const struct message *m)
{
	log_event(EVENT_QUEUED, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, m->id), LOG_SLICE(KEY_FROM, m->envelope.reverse_path),
	    LOG_NUM(KEY_SIZE, m->envelope.size), LOG_NUM(KEY_NRCPT, m->envelope.count));
}

/* The sync is over: the only place where a client's 250 begins. */
static void
committed(void *arg, enum store_result result)
{
	struct accept *a = arg;

	if (result != STORE_DURABLE) {
		a->message->stored = NULL;
		if (result == STORE_FULL)
			refuse(a, VERDICT_NO_SPACE, SLICE_LIT("the queue is full"));
		else
			refuse(a, VERDICT_TRY_LATER, SLICE_LIT("the queue's disk is in trouble"));
		return;
	}
	submit_answer(&a->reply, VERDICT_DURABLE, slice_of("", 0));
	a->queue->accepted++;
	log_queued(a->message);
	queue_adopt(a->queue, a->message);
	mem_free(a);
}

static int
fill_put(struct accept *a, struct change *change)
{
	struct message *m = a->message;
	struct buf *scratch = &a->queue->scratch;
	struct store_put put = { .id = m->id, .version = 1, .large = m->large };

	buf_reset(scratch);
	put_envelope(scratch, &m->envelope);
	/* The store borrows it until the batch is on disk; the message lives at least as long. */
	put.envelope = arena_slice(&m->arena, buf_slice(scratch));
	if (scratch->failed || put.envelope.p == NULL)
		return -1;
	if (m->large) {
		put.large_size = m->envelope.size;
		put.large_crc = a->large_crc;
	} else {
		put.content = slice_of(m->content, m->envelope.size);
	}
	m->stored = change_put(change, &put, m);
	return m->stored == NULL ? -1 : 0;
}

static void
commit(struct accept *a)
{
	struct change *change = change_new(a->queue->store, STORE_CLIENT, committed, a);

	if (change == NULL || fill_put(a, change) == -1) {
		change_drop(&change);
		a->message->stored = NULL;
		refuse(a, VERDICT_TRY_LATER, SLICE_LIT("no memory for the message"));
		return;
	}
	store_commit(a->queue->store, &change, 0);
}

/* --- the limits of a login ----------------------------------------------------------------------- */

struct limit_words {
	enum submit_verdict	verdict;
	struct slice		text;
};

static void
refuse_for_now(struct accept *a, const struct allowance_answer *answer)
{
	static const struct limit_words words[ALLOWANCE_KINDS] = {
		[ALLOWANCE_MESSAGES]   = { VERDICT_TOO_MUCH_MAIL, SLICE_LIT("the login has sent as many messages as it may in an hour") },
		[ALLOWANCE_RECIPIENTS] = { VERDICT_TOO_MANY_NAMES, SLICE_LIT("the login has named as many recipients as it may in an hour") },
	};

	a->wait_s = allowance_wait_s(answer);
	refuse(a, words[answer->kind].verdict, words[answer->kind].text);
}

/* `login` is empty where nobody has logged in: then there is no limit. */
static void
commit_for(struct accept *a, struct slice login)
{
	struct slice name = arena_slice(&a->message->arena, login);
	struct allowance_answer answer = { .verdict = ALLOWANCE_FITS };

	if (name.p == NULL) {
		refuse(a, VERDICT_TRY_LATER, SLICE_LIT("no memory for the message"));
		return;
	}
	if (name.len > 0)
		answer = queue_charge(a->queue, a->message, name);
	if (answer.counted)
		a->login = name;
	if (answer.verdict == ALLOWANCE_FITS)
		commit(a);
	else if (answer.verdict == ALLOWANCE_LATER)
		refuse_for_now(a, &answer);
	else
		refuse(a, VERDICT_NEVER, SLICE_LIT("more recipients than the login may name in an hour"));
}

/* --- the claim: who may submit what is not ours ------------------------------------------------- */

enum claim {
	CLAIM_NONE,
	CLAIM_OURS,		/* every recipient has to be ours */
	CLAIM_ANY,
	CLAIM_LATER		/* it cannot be judged now */
};

/*
 * Of a submission wire the login counts, which is told by lookup. A token that is not known belongs to a login that lookup has lost,
 * or has not told yet: trouble, and the client may come again. Where nobody can log in it serves trusted networks only, and is
 * believed about them as a trusted wire is.
 */
static enum claim
claim_of(const struct queue *q, enum wire_role role, const struct auth_token *token, struct slice *login)
{
	*login = SLICE_LIT("");
	if (role == ROLE_MX)
		return CLAIM_OURS;
	if (role != ROLE_SUBMISSION || q->process->conf->submission.users[0] == '\0')
		return CLAIM_ANY;
	if (!token_is_set(token))
		return CLAIM_OURS;
	return logins_know(q->logins, token, login) ? CLAIM_ANY : CLAIM_LATER;
}

static void
judge(struct accept *a, const struct route *route)
{
	if (route->verdict == ROUTE_TRY_LATER && a->verdict == VERDICT_DURABLE)
		a->verdict = VERDICT_TRY_LATER;
	else if (route->verdict != ROUTE_LOCAL && route->verdict != ROUTE_TRY_LATER)
		a->verdict = VERDICT_REFUSED;
}

static void
claim_answered(struct accept *a)
{
	if (--a->asked > 0)
		return;
	if (a->verdict == VERDICT_DURABLE && a->queue->stopping)
		refuse(a, VERDICT_TRY_LATER, SLICE_LIT("the queue is busy with itself"));
	else if (a->verdict == VERDICT_DURABLE)
		commit(a);
	else if (a->verdict == VERDICT_TRY_LATER)
		refuse(a, VERDICT_TRY_LATER, SLICE_LIT("address lookup is not available"));
	else
		refuse(a, VERDICT_REFUSED, SLICE_LIT("a recipient is not ours to take"));
}

static void
on_claim(void *arg, const struct route *route)
{
	judge(arg, route);
	claim_answered(arg);
}

static void
check_claim(struct accept *a)
{
	struct envelope *e = &a->message->envelope;

	a->asked = 1;
	for (uint32_t i = 0; i < e->count; i++) {
		const struct route *known = routes_known(a->queue->routes, e->recipients[i].address);

		if (known != NULL)
			judge(a, known);
		else if (routes_ask(a->queue->routes, e->recipients[i].address, on_claim, a) != NULL)
			a->asked++;
		else if (a->verdict == VERDICT_DURABLE)
			a->verdict = VERDICT_TRY_LATER;
	}
	claim_answered(a);
}

static void
on_message(void *arg, enum wire_role role, const struct auth_token *token, struct message *m, uint32_t large_crc, struct submit_reply *reply)
{
	struct queue *q = arg;
	struct accept *a = mem_zalloc(sizeof(*a));
	struct slice login;

	if (a == NULL || q->stopping || m->id >> 32 != store_epoch(q->store)) {
		submit_answer(&reply, VERDICT_TRY_LATER, SLICE_LIT("the queue is busy with itself"));
		if (m->large)
			large_drop(q, m->id);
		message_free(&m);
		mem_free(a);
		return;
	}
	m->arrival_mono_ms = clock_mono_ms();
	m->envelope.arrival_ms = store_now(q->store);
	*a = (struct accept){ .queue = q, .message = m, .reply = reply, .large_crc = large_crc,
	    .verdict = VERDICT_DURABLE };
	switch (claim_of(q, role, token, &login)) {
	case CLAIM_ANY:
		commit_for(a, login);
		break;
	case CLAIM_LATER:
		refuse(a, VERDICT_TRY_LATER, SLICE_LIT("the login is not known any more"));
		break;
	default:
		check_claim(a);
		break;
	}
}

static int
give_ids(void *arg, uint32_t count, uint64_t *first)
{
	struct queue *q = arg;

	return q->store == NULL ? -1 : store_next_ids(q->store, count, first);
}

static int
large_file(void *arg, uint64_t id)
{
	struct queue *q = arg;
	struct err err;
	int fd;

	if (q->store == NULL)
		return -1;
	if (!queue_may_begin_large(q)) {
		log_info("no file for a large message: the queue's file system has too little free space");
		return -1;
	}
	fd = store_large_create(q->store, id, &err);
	if (fd == -1)
		log_warn("no file for a large message: %s", err.text);
	return fd;
}

/* ETRN: for domains that the configuration names, and whoever may submit for others than us. */
static enum submit_verdict
on_flush(void *arg, enum wire_role role, const struct auth_token *token, struct slice domain)
{
	struct queue *q = arg;
	struct slice login;

	if (q->stopping)
		return VERDICT_TRY_LATER;
	if (!conf_serves_etrn(q->process->conf, domain))
		return VERDICT_REFUSED;
	switch (claim_of(q, role, token, &login)) {
	case CLAIM_ANY:
		return operators_retry(q->operators, domain) == 0 ? VERDICT_STARTED : VERDICT_TRY_LATER;
	case CLAIM_OURS:
		return VERDICT_REFUSED;
	default:
		return VERDICT_TRY_LATER;
	}
}

const struct submits_ops queue_submits_ops = {
	.message = on_message,
	.flush = on_flush,
	.ids = give_ids,
	.large_file = large_file,
	.large_drop = large_drop,
};

/* --- a way for each recipient ------------------------------------------------------------------ */

static void
ask_later(struct queue *q, struct message *m)
{
	if (!m->no_way) {
		m->no_way = true;
		TAILQ_INSERT_TAIL(&q->lost_way, m, lost_way);
	}
	if (!timer_is_set(&q->route_again) && !q->stopping)
		timer_set(&q->route_again, ROUTE_AGAIN);
}

/* Postmaster without a mailbox: never refused, never returned, held until somebody says where it goes. */
static void
hold_stuck(struct queue *q, struct message *m, uint32_t i)
{
	char id[QUEUE_ID_LEN + 1];

	log_error("%s: mail for postmaster is held: set `postmaster' to a mailbox, then release it",
	    queue_id_print(m->id, id));
	m->places[i].stage = STAGE_STUCK;
	m->envelope.recipients[i].fate.flags |= FATE_HELD;
	m->places[i].dirty = true;
	queue_settle(q, m);
}

static void
take_route(struct queue *q, struct message *m, uint32_t i, const struct route *route)
{
	struct outcome o = { .status = route->status, .text = route->text };
	bool dirty = m->places[i].dirty;

	switch (route->verdict) {
	case ROUTE_LOCAL:
	case ROUTE_REMOTE:
		if (route->nexthop.len == 0)
			hold_stuck(q, m, i);
		else if (schedule_add(q->schedule, m, i, route->transport, route->nexthop) == -1)
			ask_later(q, m);
		else if (m->urged_mono_ms != 0)
			schedule_resume(q->schedule, route->nexthop, m->urged_mono_ms);
		return;
	case ROUTE_UNKNOWN:
	case ROUTE_INVALID:
		o.action = ACTION_FAILED;
		queue_outcome(q, m, i, &o);
		return;
	default:
		o.action = ACTION_DELAYED;
		o.status = STATUS(4, 3, 0);
		message_set_outcome(m, i, &o);
		m->places[i].dirty = dirty;	/* not worth a record: nothing was tried */
		ask_later(q, m);
		return;
	}
}

static void
on_route(void *arg, const struct route *route)
{
	struct routing *routing = arg;
	struct message *m = routing->message;
	uint32_t i = routing->index;

	m->places[i].routing = NULL;
	take_route(routing->queue, m, i, route);
	mem_free(routing);
}

static void
route_one(struct queue *q, struct message *m, uint32_t i)
{
	struct slice address = m->envelope.recipients[i].address;
	const struct route *known = routes_known(q->routes, address);
	struct routing *routing;

	m->places[i].stage = STAGE_ROUTING;
	if (known != NULL) {
		take_route(q, m, i, known);
		return;
	}
	routing = mem_alloc(sizeof(*routing));
	if (routing != NULL)
		*routing = (struct routing){ .queue = q, .message = m, .index = i,
		    .ask = routes_ask(q->routes, address, on_route, routing) };
	if (routing == NULL || routing->ask == NULL) {
		mem_free(routing);
		ask_later(q, m);
		return;
	}
	m->places[i].routing = routing;
}

void
queue_route(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; !m->deleted && i < m->envelope.count; i++) {
		const struct place *place = &m->places[i];

		if (place->stage == STAGE_NONE || (place->stage == STAGE_ROUTING && place->routing == NULL))
			route_one(q, m, i);
	}
}

void
queue_unroute_one(struct queue *q, struct message *m, uint32_t index)
{
	struct routing *routing = m->places[index].routing;

	if (routing == NULL)
		return;
	m->places[index].routing = NULL;
	routes_forget(q->routes, &routing->ask);
	mem_free(routing);
}

void
queue_unroute(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; m->places != NULL && i < m->envelope.count; i++)
		queue_unroute_one(q, m, i);
	if (m->no_way)
		TAILQ_REMOVE(&q->lost_way, m, lost_way);
	m->no_way = false;
}

void
queue_route_again(struct queue *q)
{
	struct messages list = TAILQ_HEAD_INITIALIZER(list);
	struct message *m;

	TAILQ_CONCAT(&list, &q->lost_way, lost_way);
	while ((m = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, m, lost_way);
		m->no_way = false;
		if (queue_expire(q, m))
			queue_settle(q, m);
		queue_route(q, m);
	}
}
