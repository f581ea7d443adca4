/*
 * lookup — the questions that wait, the pool that answers them, and the cache.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "lookup/inside.h"
#include "lookup/worker.h"

#define CACHE_MOST		20000
#define SCRATCH_MAX		(1024 * 1024)
#define CHECK_MS		5000	/* how often idle workers look whether passwd-files have changed */

/* --- questions that wait ---------------------------------------------------------------------- */

static void
question_give_up(struct lookup *l, struct question *q)
{
	client_try_later(q->client, q->type, q->serial, q->count);
	question_drop(&l->lines, q);
}

static void
deadline_set(struct lookup *l)
{
	struct question *oldest = TAILQ_FIRST(&l->lines.all);

	if (oldest != NULL)
		timer_set(&l->deadline, oldest->due - loop_now(l->loop));
}

static void
on_deadline(void *arg)
{
	struct lookup *l = arg;
	struct question *q;

	while ((q = TAILQ_FIRST(&l->lines.all)) != NULL && q->due <= loop_now(l->loop)) {
		if (q->given)
			pool_forget(l->pool, q);
		question_give_up(l, q);
	}
	deadline_set(l);
}

/* Gives waiting questions to free workers, one of each wire in turn. */
static void
lookup_dispatch(void *arg)
{
	struct lookup *l = arg;
	struct question *q;

	while (pool_ready(l->pool) && (q = lines_give(&l->lines)) != NULL) {
		q->generation = l->generation;
		(void)buf_append(pool_begin(l->pool, q->type, q), q->bytes, q->len);
		pool_end(l->pool);
	}
	/* All workers rest after early deaths: an answer now
	 * is worth more than a long wait for the same one. */
	while (!pool_hopeful(l->pool) && (q = lines_first(&l->lines)) != NULL)
		question_give_up(l, q);
}

void
lookup_ask(struct client *client, uint16_t type, uint64_t serial, uint32_t count, struct slice frame)
{
	struct lookup *l = client->lookup;
	struct question *q = NULL;

	if (pool_hopeful(l->pool))
		q = line_add(&l->lines, &client->line, frame, loop_now(l->loop) + l->conf->lookup.answer_timeout);
	if (q == NULL) {
		client_try_later(client, type, serial, count);
		return;
	}
	q->client = client;
	q->type = type;
	q->serial = serial;
	q->count = count;
	if (!timer_is_set(&l->deadline))
		deadline_set(l);
	lookup_dispatch(l);
}

/* --- frames from workers ---------------------------------------------------------------------- */

static void
generation_next(struct lookup *l)
{
	struct client *client;

	l->generation++;
	cache_clear(l->cache);
	TAILQ_FOREACH(client, &l->clients, all) {
		lookup_generation_put(channel_begin(client->channel, LOOKUP_GENERATION), l->generation);
		(void)channel_end(client->channel);
	}
}

static int
on_table(struct lookup *l, struct reader *in)
{
	uint64_t stamp = get_u64(in);
	struct slice path = get_slice(in, PATH_TEXT_MAX);
	char words[200];

	if (reader_end(in) == -1)
		return -1;
	if (tables_changed(&l->tables, path, stamp)) {
		log_info("%s has changed", fmt_escaped(words, sizeof(words), path));
		generation_next(l);
	}
	return 0;
}

uint32_t
lookup_ttl_ms(const struct lookup *l)
{
	int64_t ttl = l->conf->lookup.cache_ttl;

	return ttl < 0 ? 0 : ttl > UINT32_MAX ? UINT32_MAX : (uint32_t)ttl;
}

/* What was asked before the tables changed may have been
 * answered from the old ones: good for once, not for keeping. */
static bool
may_keep(const struct lookup *l, const struct question *q)
{
	return lookup_ttl_ms(l) > 0 && q->generation == l->generation;
}

/* The question is there again, decoded from its bytes: its addresses are the keys of the cache. */
static void
remember_routes(struct lookup *l, const struct question *q, const struct route_answer *answer)
{
	struct reader r = reader_of(slice_of(q->bytes, q->len));
	struct route_question question;

	if (route_question_get(&r, &l->scratch, &question) == -1)
		return;
	for (uint32_t i = 0; i < answer->count; i++)
		if (answer->routes[i].verdict == ROUTE_LOCAL)
			cache_put(l->cache, CACHE_ROUTE, question.addresses[i], answer->routes[i].nexthop,
			    loop_now(l->loop) + l->conf->lookup.cache_ttl);
}

static int
on_routes(struct lookup *l, struct question *q, struct reader *in)
{
	struct route_answer answer;

	arena_reset(&l->scratch);
	if (route_answer_get(in, &l->scratch, &answer) == -1)
		return -1;
	if (q == NULL)
		return 1;
	if (q->type != LOOKUP_ROUTE || answer.serial != q->serial || answer.count != q->count)
		return -1;
	answer.ttl_ms = may_keep(l, q) ? lookup_ttl_ms(l) : 0;
	if (answer.ttl_ms > 0)
		remember_routes(l, q, &answer);
	client_send_routes(q->client, &answer);
	question_drop(&l->lines, q);
	return 1;
}

static int
on_mailbox_of(struct lookup *l, struct question *q, struct reader *in)
{
	struct slice frame = in->in;
	struct mailbox_question question;
	struct mailbox_answer answer;
	struct reader r;

	if (mailbox_answer_get(in, &answer) == -1)
		return -1;
	if (q == NULL)
		return 1;
	if (q->type != LOOKUP_MAILBOX || answer.serial != q->serial)
		return -1;
	r = reader_of(slice_of(q->bytes, q->len));
	if (answer.verdict == ROUTE_LOCAL && may_keep(l, q) && mailbox_question_get(&r, &question) == 0)
		cache_put(l->cache, CACHE_MAILBOX, question.address, frame, loop_now(l->loop) + l->conf->lookup.cache_ttl);
	client_send_mailbox(q->client, &answer);
	question_drop(&l->lines, q);
	return 1;
}

static int
on_sender_of(struct lookup *l, struct question *q, struct reader *in)
{
	struct sender_answer answer;

	if (sender_answer_get(in, &answer) == -1)
		return -1;
	if (q == NULL)
		return 1;
	if (q->type != LOOKUP_SENDER || answer.serial != q->serial || answer.which >= q->count)
		return -1;
	client_send_sender(q->client, &answer);
	question_drop(&l->lines, q);
	return 1;
}

static int
on_worker_frame(void *arg, void *question, uint16_t type, struct reader *in)
{
	struct lookup *l = arg;
	bool checking = question == &l->checking;

	switch (type) {
	case LOOKUP_ROUTES:
		return checking ? -1 : on_routes(l, question, in);
	case LOOKUP_MAILBOX_OF:
		return checking ? -1 : on_mailbox_of(l, question, in);
	case LOOKUP_SENDER_OF:
		return checking ? -1 : on_sender_of(l, question, in);
	case WORKER_TABLE:
		return on_table(l, in);
	case WORKER_SAY:
		return worker_said(in);
	case WORKER_CHECKED:
		if (reader_end(in) == -1 || !checking)
			return -1;
		l->checking = false;
		return 1;
	default:
		return -1;
	}
}

static void
on_worker_lost(void *arg, void *question)
{
	struct lookup *l = arg;

	if (question == &l->checking)
		l->checking = false;
	else
		question_give_up(l, question);
}

static int
on_fork(void *arg, int fd)
{
	const struct lookup *l = arg;

	return l->child(fd, l->conf);
}

static bool
has_files(const struct lookup *l)
{
	const struct conf_domain *domain;

	for (uint32_t i = 0; (domain = domains_at(l->domains, i)) != NULL; i++)
		if (domain->users == USERS_FILE)
			return true;
	return false;
}

/* A changed file must end cached answers also when nobody asks about its users. */
static void
on_check_due(void *arg)
{
	struct lookup *l = arg;

	timer_set(&l->check_timer, CHECK_MS);
	if (l->checking || !has_files(l) || !pool_ready(l->pool))
		return;
	l->checking = true;
	(void)pool_begin(l->pool, WORKER_CHECK, &l->checking);
	pool_end(l->pool);
}

/* --- life ------------------------------------------------------------------------------------- */

static int
lookup_begin(struct lookup *l, const struct conf *conf, struct err *err)
{
	const struct pool_ops ops = { on_fork, on_worker_frame, on_worker_lost, lookup_dispatch, l };
	struct domains *domains = domains_new(conf, err);

	if (domains == NULL)
		return -1;
	l->conf = conf;
	domains_free(&l->domains);
	l->domains = domains;
	l->resolver = (struct resolver){ .conf = conf, .domains = domains };
	l->pool = pool_new(l->loop, (uint32_t)(conf->lookup.workers > 0 ? conf->lookup.workers : 1),
	    conf->lookup.answer_timeout, &ops, err);
	return l->pool == NULL ? -1 : 0;
}

struct lookup *
lookup_new(struct loop *loop, const struct conf *conf, lookup_child_fn *child, struct err *err)
{
	struct lookup *l = mem_zalloc(sizeof(*l));

	if (l == NULL)
		goto no_memory;
	l->loop = loop;
	l->child = child;
	/* Greater than in any earlier life, so that nobody takes an old answer for a new one. */
	l->generation = (uint64_t)clock_wall_ms();
	TAILQ_INIT(&l->clients);
	lines_init(&l->lines);
	tables_init(&l->tables);
	arena_init(&l->scratch, SCRATCH_MAX);
	if ((l->cache = cache_new(CACHE_MOST)) == NULL || timer_init(&l->deadline, loop, on_deadline, l) == -1 ||
	    timer_init(&l->check_timer, loop, on_check_due, l) == -1)
		goto no_memory;
	if (lookup_begin(l, conf, err) == -1) {
		lookup_free(&l);
		return NULL;
	}
	timer_set(&l->check_timer, CHECK_MS);
	return l;

no_memory:
	err_set(err, "no memory for lookup");
	lookup_free(&l);
	return NULL;
}

void
lookup_free(struct lookup **lp)
{
	struct lookup *l = *lp;
	struct client *client;

	if (l == NULL)
		return;
	while ((client = TAILQ_FIRST(&l->clients)) != NULL)
		client_drop(client);
	tables_fini(&l->tables);
	pool_free(&l->pool);
	timer_fini(&l->deadline);
	timer_fini(&l->check_timer);
	cache_free(&l->cache);
	domains_free(&l->domains);
	arena_fini(&l->scratch);
	mem_free(l);
	*lp = NULL;
}

int
lookup_reload(struct lookup *l, const struct conf *conf, struct err *err)
{
	struct question *q, *next;

	pool_free(&l->pool);
	l->checking = false;
	if (lookup_begin(l, conf, err) == -1)
		return -1;
	generation_next(l);
	for (q = TAILQ_FIRST(&l->lines.all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, all);
		if (q->given)
			question_give_up(l, q);
	}
	lookup_dispatch(l);
	return 0;
}

void
lookup_status(const struct lookup *l, struct buf *out)
{
	(void)buf_printf(out, "questions %" PRIu64 "\ncached %" PRIu64 "\ntry_later %" PRIu64 "\nworker_deaths %" PRIu64
	    "\nwaiting %zu\ncache_entries %zu\ngeneration %" PRIu64 "\n",
	    l->asked, l->cached, l->refused, pool_deaths(l->pool), l->lines.count, cache_count(l->cache), l->generation);
}

bool
lookup_is_whole(const struct lookup *l)
{
	const struct client *client;

	TAILQ_FOREACH(client, &l->clients, all)
		if (client->role == ROLE_QUEUE)
			return true;
	return false;
}
