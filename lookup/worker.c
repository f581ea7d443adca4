/*
 * worker — a loop of read, look up, write. No events, no
 * deadline of its own: the broker has a clock and SIGKILL.
 */
#include "lookup/worker.h"

#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "lookup/address/sender.h"

#define ARENA_MAX	(1024 * 1024)

struct worker {
	struct chan_sync	*wire;
	struct accounts		*accounts;
	struct domains		*domains;
	struct resolver		 resolver;
	struct sender_file	*senders;	/* NULL: none is configured */
	struct arena		 arena;		/* of one question */
	bool			 broken;	/* the broker is gone */
};

static void
worker_send(struct worker *w)
{
	if (chan_sync_send(w->wire, -1, NULL) == -1)
		w->broken = true;
}

static void
on_loaded(void *arg, const char *path, uint64_t stamp)
{
	struct worker *w = arg;
	struct buf *out = chan_sync_begin(w->wire, WORKER_TABLE);

	put_u64(out, stamp);
	put_str(out, path);
	worker_send(w);
}

static void
on_log(enum log_level level, struct slice text, void *arg)
{
	struct worker *w = arg;
	struct buf *out = chan_sync_begin(w->wire, WORKER_SAY);

	if (text.len > WORKER_TEXT_MAX)
		text.len = WORKER_TEXT_MAX;
	put_u8(out, (uint8_t)level);
	put_slice(out, text);
	worker_send(w);
}

static int
on_route(struct worker *w, struct reader *in)
{
	struct route_answer answer = { 0 };
	struct route_question question;

	if (route_question_get(in, &w->arena, &question) == -1)
		return -1;
	if ((answer.routes = arena_array(&w->arena, question.count, sizeof(*answer.routes))) == NULL)
		return -1;
	answer.serial = question.serial;
	answer.count = question.count;
	for (uint32_t i = 0; i < question.count; i++)
		resolve_route(&w->resolver, question.addresses[i], &w->arena, &answer.routes[i]);
	route_answer_put(chan_sync_begin(w->wire, LOOKUP_ROUTES), &answer);
	worker_send(w);
	return 0;
}

static int
on_mailbox(struct worker *w, struct reader *in)
{
	struct mailbox_question question;
	struct mailbox_answer answer = { 0 };

	if (mailbox_question_get(in, &question) == -1)
		return -1;
	answer.serial = question.serial;
	resolve_mailbox(&w->resolver, question.address, &w->arena, &answer);
	mailbox_answer_put(chan_sync_begin(w->wire, LOOKUP_MAILBOX_OF), &answer);
	worker_send(w);
	return 0;
}

/* The first that is not the login's decides, and trouble with any of them is trouble. */
static int
on_sender(struct worker *w, struct reader *in)
{
	struct sender_answer answer = { .verdict = SENDER_OWN };
	struct sender_question question;

	if (sender_question_get(in, &question) == -1)
		return -1;
	answer.serial = question.serial;
	for (uint32_t i = 0; i < question.count && answer.verdict == SENDER_OWN; i++) {
		answer.verdict = sender_judge(&w->resolver, w->senders, question.login, question.addresses[i], &w->arena);
		answer.which = answer.verdict == SENDER_FOREIGN ? i : 0;
	}
	sender_answer_put(chan_sync_begin(w->wire, LOOKUP_SENDER_OF), &answer);
	worker_send(w);
	return 0;
}

static int
on_check(struct worker *w, struct reader *in)
{
	const struct conf_domain *domain;

	if (reader_end(in) == -1)
		return -1;
	for (uint32_t i = 0; (domain = domains_at(w->domains, i)) != NULL; i++)
		if (domain->users == USERS_FILE && domain->users_file != NULL)
			accounts_check(w->accounts, domain->users_file);
	(void)chan_sync_begin(w->wire, WORKER_CHECKED);
	worker_send(w);
	return 0;
}

static int (*const handlers[WORKER_FRAME_COUNT])(struct worker *, struct reader *) = {
	[LOOKUP_ROUTE]   = on_route,
	[LOOKUP_MAILBOX] = on_mailbox,
	[LOOKUP_SENDER]  = on_sender,
	[WORKER_CHECK]   = on_check,
};

static void
worker_serve(struct worker *w)
{
	struct reader in;
	int type, fd;

	while (!w->broken && (type = chan_sync_next(w->wire, &in, &fd, NULL)) > 0) {
		arena_reset(&w->arena);
		if (type >= WORKER_FRAME_COUNT || handlers[type] == NULL || handlers[type](w, &in) == -1)
			return;
	}
}

int
worker_said(struct reader *in)
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

/* -1: no memory. */
static int
open_tables(struct worker *w, const struct conf *conf, const struct accounts_ops *ops)
{
	const char *senders = conf->submission.senders;

	w->domains = domains_new(conf, NULL);
	w->accounts = accounts_new(ops, NULL);
	if (w->domains == NULL || w->accounts == NULL)
		return -1;
	if (senders != NULL && senders[0] != '\0' && (w->senders = sender_file_new(senders + strlen("file:"))) == NULL)
		return -1;
	w->resolver = (struct resolver){ conf, w->domains, accounts_source(w->accounts) };
	return 0;
}

int
worker_run(int fd, const struct conf *conf)
{
	struct worker w = { 0 };
	struct accounts_ops ops = { on_loaded, &w };

	arena_init(&w.arena, ARENA_MAX);
	if ((w.wire = chan_sync_open(fd, WORKER_WIRE, WORKER_VERSION, NULL)) == NULL)
		return 1;
	log_sink_set(on_log, &w);
	if (open_tables(&w, conf, &ops) == 0)
		worker_serve(&w);
	log_sink_set(NULL, NULL);
	sender_file_free(&w.senders);
	accounts_free(&w.accounts);
	domains_free(&w.domains);
	arena_fini(&w.arena);
	chan_sync_close(&w.wire);
	return 0;
}
