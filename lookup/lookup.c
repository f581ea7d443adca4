/*
 * lookup — clients, their lines of questions, the pool and the cache.
 */
#include "lookup/lookup.h"

#include <assert.h>
#include <inttypes.h>
#include <bsd/sys/queue.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/address/resolve.h"
#include "lookup/cache.h"
#include "lookup/line.h"
#include "lookup/pool.h"
#include "lookup/tables.h"
#include "lookup/worker.h"

#define CACHE_MOST		20000
#define CLIENT_PENDING		(1024 * 1024)	/* bytes of answers a client has not read: then its questions wait */
#define SCRATCH_MAX		(1024 * 1024)
#define CHECK_MS		5000	/* how often idle workers look whether passwd-files have changed */

struct client {
	TAILQ_ENTRY(client)	 all;
	struct lookup		*lookup;
	enum wire_role		 role;
	struct channel		*channel;
	struct line		 line;
};

struct lookup {
	struct loop		*loop;
	const struct conf	*conf;
	lookup_child_fn		*child;
	struct domains		*domains;
	struct resolver		 resolver;	/* without users: for what needs none */
	struct pool		*pool;
	struct cache		*cache;
	struct arena		 scratch;	/* of one frame */
	uint64_t		 generation;
	TAILQ_HEAD(, client)	 clients;
	struct lines		 lines;
	struct timer		 deadline, check_timer;
	bool			 checking;	/* a worker looks at the passwd-files; its question is this member */
	struct tables		 tables;
	uint64_t		 asked, cached, refused;
};

/* --- answers ------------------------------------------------------------------------------------------------ */

static void
client_sent(struct client *client)
{
	if (channel_pending(client->channel) > CLIENT_PENDING)
		channel_pause(client->channel, true);
}

static void
send_routes(struct client *client, struct route_answer *answer)
{
	answer->generation = client->lookup->generation;
	route_answer_put(channel_begin(client->channel, LOOKUP_ROUTES), answer);
	(void)channel_end(client->channel);
	client_sent(client);
}

static void
send_mailbox(struct client *client, const struct mailbox_answer *answer)
{
	mailbox_answer_put(channel_begin(client->channel, LOOKUP_MAILBOX_OF), answer);
	(void)channel_end(client->channel);
	client_sent(client);
}

static void
send_try_later(struct client *client, uint16_t type, uint64_t serial, uint32_t count)
{
	static const struct route later = { .verdict = ROUTE_TRY_LATER, .status = { 4, 3, 0 } };
	struct slice words = SLICE_LIT("the lookup did not end in time");
	struct route routes[ROUTE_ADDRESSES_MAX];
	struct route_answer answer = { .serial = serial, .count = count, .routes = routes };

	client->lookup->refused++;
	if (type == LOOKUP_MAILBOX) {
		send_mailbox(client, &(struct mailbox_answer){ .serial = serial, .verdict = ROUTE_TRY_LATER,
		    .status = later.status, .text = words });
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		routes[i] = later;
		routes[i].text = words;
	}
	send_routes(client, &answer);
}

/* --- questions that wait ------------------------------------------------------------------------------------ */

static void
question_give_up(struct lookup *l, struct question *q)
{
	send_try_later(q->client, q->type, q->serial, q->count);
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
	/* All workers rest after early deaths: an answer now is worth more than a long wait for the same one. */
	while (!pool_hopeful(l->pool) && (q = lines_first(&l->lines)) != NULL)
		question_give_up(l, q);
}

/* Puts a question in line; `frame` is its body as it came. */
static void
question_add(struct client *client, uint16_t type, uint64_t serial, uint32_t count, struct slice frame)
{
	struct lookup *l = client->lookup;
	struct question *q = NULL;

	if (pool_hopeful(l->pool))
		q = line_add(&l->lines, &client->line, frame, loop_now(l->loop) + l->conf->lookup.answer_timeout);
	if (q == NULL) {
		send_try_later(client, type, serial, count);
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

/* --- frames from clients ------------------------------------------------------------------------------------ */

static uint32_t
ttl_of(const struct lookup *l)
{
	int64_t ttl = l->conf->lookup.cache_ttl;

	return ttl < 0 ? 0 : ttl > UINT32_MAX ? UINT32_MAX : (uint32_t)ttl;
}

/* One address without a worker; false when that is not possible. */
static bool
route_at_once(struct lookup *l, struct slice address, struct route *out, uint32_t *ttl)
{
	struct slice nexthop;
	int64_t left;

	if (resolve_known(&l->resolver, address, &l->scratch, out) != ROUTE_NONE)
		return true;
	nexthop = cache_get(l->cache, CACHE_ROUTE, address, loop_now(l->loop), &left);
	if (nexthop.p == NULL || (nexthop = arena_slice(&l->scratch, nexthop)).p == NULL)
		return false;
	*out = (struct route){ .verdict = ROUTE_LOCAL, .transport = TRANSPORT_LOCAL, .nexthop = nexthop };
	if (left < *ttl)
		*ttl = (uint32_t)left;
	l->cached++;
	return true;
}

static int
on_route(void *arg, struct reader *in, int fd)
{
	struct client *client = arg;
	struct lookup *l = client->lookup;
	struct route_answer answer = { .ttl_ms = ttl_of(l) };
	struct route_question question;
	struct slice frame = in->in;

	(void)fd;
	arena_reset(&l->scratch);
	if (route_question_get(in, &l->scratch, &question) == -1)
		return -1;
	l->asked++;
	answer.serial = question.serial;
	answer.routes = arena_array(&l->scratch, question.count, sizeof(*answer.routes));
	while (answer.routes != NULL && answer.count < question.count) {
		if (!route_at_once(l, question.addresses[answer.count], &answer.routes[answer.count], &answer.ttl_ms))
			break;
		answer.count++;
	}
	if (answer.routes != NULL && answer.count == question.count)
		send_routes(client, &answer);
	else
		question_add(client, LOOKUP_ROUTE, question.serial, question.count, frame);
	return 0;
}

static int
on_mailbox(void *arg, struct reader *in, int fd)
{
	struct client *client = arg;
	struct lookup *l = client->lookup;
	struct mailbox_question question;
	struct mailbox_answer answer;
	struct slice frame = in->in, known;
	int64_t left;

	(void)fd;
	/* Homes and uids are the mailman's business only. */
	if (client->role != ROLE_MDA || mailbox_question_get(in, &question) == -1)
		return -1;
	l->asked++;
	known = cache_get(l->cache, CACHE_MAILBOX, question.address, loop_now(l->loop), &left);
	if (known.p != NULL) {
		struct reader r = reader_of(known);

		if (mailbox_answer_get(&r, &answer) == 0) {
			l->cached++;
			answer.serial = question.serial;
			send_mailbox(client, &answer);
			return 0;
		}
	}
	question_add(client, LOOKUP_MAILBOX, question.serial, 1, frame);
	return 0;
}

static const struct frame_handler client_handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTE]   = { "ROUTE", on_route, false },
	[LOOKUP_MAILBOX] = { "MAILBOX", on_mailbox, false },
};

static void
client_drop(struct client *client)
{
	struct lookup *l = client->lookup;
	struct question *q, *next;

	for (q = TAILQ_FIRST(&l->lines.all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, all);
		if (q->client != client)
			continue;
		if (q->given)
			pool_forget(l->pool, q);
		question_drop(&l->lines, q);
	}
	channel_close(&client->channel);
	TAILQ_REMOVE(&l->clients, client, all);
	mem_free(client);
}

static void
on_client_end(void *arg, const char *why)
{
	struct client *client = arg;

	log_debug("a lookup wire ended: %s", why);
	client_drop(client);
}

static void
on_client_drained(void *arg)
{
	channel_pause(((struct client *)arg)->channel, false);
}

static const struct channel_ops client_ops = {
	.wire = "lookup", .version = LOOKUP_VERSION, .handlers = client_handlers, .handler_count = LOOKUP_FRAME_COUNT,
	.on_end = on_client_end, .on_drained = on_client_drained,
};

void
lookup_wire(struct lookup *l, enum wire_role role, int fd)
{
	struct client *client = mem_zalloc(sizeof(*client));
	struct err err;

	if (client == NULL) {
		fd_close(&fd);
		return;		/* whoever asks there sees the end of the wire */
	}
	client->lookup = l;
	client->role = role;
	line_init(&client->line);
	if ((client->channel = channel_open(l->loop, fd, &client_ops, client, &err)) == NULL) {
		log_error("%s", err.text);
		mem_free(client);
		return;
	}
	TAILQ_INSERT_TAIL(&l->clients, client, all);
}

/* --- frames from workers ------------------------------------------------------------------------------------ */

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

static int
on_say(struct reader *in)
{
	enum log_level level = (enum log_level)get_enum(in, LOG_LEVEL_COUNT);
	struct slice text = get_slice(in, WORKER_TEXT_MAX);
	char words[WORKER_TEXT_MAX];

	if (reader_end(in) == -1)
		return -1;
	(void)fmt_escaped(words, sizeof(words), text);
	(level <= LOG_LEVEL_WARN ? log_warn : log_info)("%s", words);
	return 0;
}

/* What was asked before the tables changed may have been answered from the old ones: good for once, not for keeping. */
static bool
may_keep(const struct lookup *l, const struct question *q)
{
	return ttl_of(l) > 0 && q->generation == l->generation;
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
	answer.ttl_ms = may_keep(l, q) ? ttl_of(l) : 0;
	if (answer.ttl_ms > 0)
		remember_routes(l, q, &answer);
	send_routes(q->client, &answer);
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
	send_mailbox(q->client, &answer);
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
	case WORKER_TABLE:
		return on_table(l, in);
	case WORKER_SAY:
		return on_say(in);
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

/* --- life --------------------------------------------------------------------------------------------------- */

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
