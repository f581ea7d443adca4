/*
 * attempt — takes an idle connection, or resolves and connects, address by address, until each recipient has an outcome.
 *
 * An attempt costs at most max-addresses connects and SESSIONS_MAX conversations. Trouble that is the host's own leads to
 * the next address as long as nobody has been given the message; what the last one said is then everybody's outcome.
 * Called by job.c.
 */
#include "relay/job/attempt.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"

#define SESSIONS_MAX	3

static void on_ready(void *);
static void on_sent(void *);
static void on_gone(void *, const struct outcome *);
static void next_target(struct job *);
static void connect_target(struct job *, const struct target *);

static const struct client_ops job_ops = { .ready = on_ready, .sent = on_sent, .gone = on_gone };

/* Whatever is not the results. */
void
attempt_end(struct job *job)
{
	loop_hook_cancel(job->world->loop, &job->hook);
	connect_stop(&job->connecting);
	client_close(&job->client);
	if (job->route != NULL)
		route_stop(job->route);
	mem_free(job->route);
	job->route = NULL;
	mem_free((void *)(uintptr_t)job->content.bytes);
	job->content.bytes = NULL;
	fd_close(&job->content.fd);
}

/* ---- the end ---- */

/* An arena that is full costs the words, never the outcome. */
static struct slice
keep_text(struct job *job, struct slice text)
{
	struct slice copy = text.len == 0 ? text : arena_slice(&job->arena, text);

	return copy.p == NULL ? SLICE_LIT("") : copy;
}

static void
remember_trouble(struct job *job, const struct outcome *why)
{
	job->trouble = *why;
	job->trouble.text = keep_text(job, why->text);
	job->trouble.mta = keep_text(job, why->mta);
}

static void
finish(struct job *job)
{
	for (uint32_t i = 0; i < job->count && !job->damaged; i++) {
		if (job->recipients[i].outcome.action == ACTION_NONE)
			job->recipients[i].outcome = job->trouble;
	}
	if (job->client != NULL)
		pool_give(job->world->pool, job->nexthop, &job->client, (uint32_t)job->world->conf->relay.connection_messages);
	attempt_end(job);
	job->finished = true;
	job->ended = loop_now(job->world->loop);
	job->world->done(job->world->done_arg, job);
}

static void
finish_later(void *arg)
{
	finish(arg);
}

static void
finish_with(struct job *job, enum action action, struct status status, const char *text)
{
	remember_trouble(job, &(struct outcome){ .action = action, .status = status, .text = slice_str(text) });
	loop_at_end(job->world->loop, &job->hook, finish_later, job);
}

/* ---- transactions ---- */

static uint32_t
gather_pending(struct job *job)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->count; i++) {
		if (job->recipients[i].outcome.action == ACTION_NONE)
			job->pending[n++] = &job->recipients[i];
	}
	return n;
}

/* Nothing of it goes where it is not safe. A notification does (RFC 8689 5): its sender would else never hear; it is as safe as can be. */
static bool
must_be_protected(const struct job *job)
{
	return job->tls == TLS_TAG_REQUIRED && job->reverse_path.len > 0;
}

static void
transact(struct job *job)
{
	if (job->ready == 0)
		job->ready = loop_now(job->world->loop);
	job->tx = (struct transaction){
		.reverse_path = job->reverse_path,
		.body = job->body,
		.smtputf8 = job->smtputf8,
		.requiretls = job->tls == TLS_TAG_REQUIRED,
		.protected_only = must_be_protected(job),
		.ret = job->ret,
		.envid = job->envid,
		.content = job->content,
		.recipients = job->pending,
		.count = gather_pending(job),
		.arena = &job->arena,
	};
	job->sending = true;
	client_send(job->client, &job->tx);
}

/* This target is not fit for mail that requires TLS; when no other is, that is final (RFC 8689 4.2.1), unless one of them did not answer. */
static void
pass_over(struct job *job, const struct outcome *why)
{
	struct outcome kept = *why;

	job->unheard |= why->action == ACTION_DELAYED;
	if (job->unheard) {
		kept.action = ACTION_DELAYED;
		kept.status.class = 4;
	}
	remember_trouble(job, &kept);
	next_target(job);
}

static void
on_ready(void *arg)
{
	struct job *job = arg;
	char text[OUTCOME_TEXT_MAX];
	struct outcome why;

	health_worked(job->world->health, client_address(job->client));
	if (must_be_protected(job) && !client_protects(job->client, &why, text)) {
		log_info("%s", text);
		client_quit(&job->client);
		pass_over(job, &why);
		return;
	}
	job->sessions++;
	transact(job);
}

/* The idle connection that we took had been closed by the other side: nothing happened, so begin like a job without one. When it was
 * one of our own, between two transactions, its target was fit for the message and may be again. */
static void
begin_anew(struct job *job)
{
	job->unheard |= job->route != NULL;
	client_close(&job->client);
	job->ready = 0;
	job->sending = false;
	next_target(job);
}

/* The server takes no more in one session (RFC 9422). Each session brings somebody an outcome, so this ends. */
static void
another_session(struct job *job)
{
	client_quit(&job->client);
	job->sessions = 0;
	if (job->route == NULL)
		next_target(job);
	else
		connect_target(job, &job->route->targets.v[job->next_target - 1]);
}

static void
on_sent(void *arg)
{
	struct job *job = arg;

	job->trouble = job->tx.trouble;
	job->damaged = job->tx.damaged;
	if (job->damaged || gather_pending(job) == 0) {
		finish(job);
	} else if (job->tx.stale) {
		begin_anew(job);
	} else if (job->tx.more && client_usable(job->client)) {
		transact(job);
	} else if (job->tx.more && client_spent(job->client)) {
		another_session(job);
	} else if (job->tx.more || job->sessions >= SESSIONS_MAX) {
		finish(job);
	} else {
		job->unheard = true;
		client_close(&job->client);
		next_target(job);
	}
}

/* ---- connections ---- */

static bool
said_by_peer(const struct outcome *why)
{
	return why->text.len > 0 && why->text.p[0] >= '0' && why->text.p[0] <= '9';
}

/* In clear it might work, and may not. That says nothing of the host: other mail can go there. */
static void
tls_failed(struct job *job)
{
	job->unheard |= !client_tls_impossible(job->client);
	client_close(&job->client);
	pass_over(job, &(struct outcome){ .action = ACTION_FAILED, .status = STATUS(5, 7, 10), .text = job->trouble.text, .mta = job->trouble.mta });
}

static void
on_gone(void *arg, const struct outcome *why)
{
	struct job *job = arg;
	char words[2 * OUTCOME_TEXT_MAX];

	if (said_by_peer(why))
		log_info("host %s refused to talk to me: %s", client_name(job->client), fmt_escaped(words, sizeof(words), why->text));
	remember_trouble(job, why);
	if (client_tls_failed(job->client) && must_be_protected(job)) {
		tls_failed(job);
		return;
	}
	job->unheard = true;
	if (client_tls_failed(job->client)) {
		log_info("%s: again in clear", client_name(job->client));
		client_close(&job->client);
		job->plain = true;
		connect_target(job, &job->route->targets.v[job->next_target - 1]);
		return;
	}
	health_failed(job->world->health, client_address(job->client), loop_now(job->world->loop));
	client_close(&job->client);
	next_target(job);
}

/* Errors that say something about the other side; the rest is our own shortage. */
static bool
is_theirs(int error)
{
	return error == ECONNREFUSED || error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH || error == ECONNRESET;
}

static void
connect_failed(struct job *job, const struct target *target, const char *host, int error)
{
	char ip[SOCKADDRESS_TEXT], text[OUTCOME_TEXT_MAX];
	struct status status = is_theirs(error) ? STATUS(4, 4, 1) : STATUS(4, 3, 0);

	(void)snprintf(text, sizeof(text), "connect to %s[%s]:%u: %s", host, sockaddress_print(&target->address, ip),
	    sockaddress_port(&target->address), error == ETIMEDOUT ? "Connection timed out" : strerror(error));
	log_info("%s", text);
	if (is_theirs(error))
		health_failed(job->world->health, &target->address, loop_now(job->world->loop));
	remember_trouble(job, &(struct outcome){ .action = ACTION_DELAYED, .status = status, .text = slice_str(text) });
	job->unheard = true;
	next_target(job);
}

/* Opportunity does not matter to mail that requires TLS; nor does it prove a name that DNS gave, for its answers are not authenticated. */
static unsigned
client_flags(const struct job *job)
{
	bool tls = job->tls == TLS_TAG_REQUIRED || job->world->conf->relay.opportunistic_tls;

	return (tls && !job->plain ? CLIENT_TLS : 0) | (route_names_host(job->route) ? CLIENT_NAMED : 0);
}

static void
on_connected(void *arg, int fd, int error)
{
	struct job *job = arg;
	uint16_t i = (uint16_t)(job->next_target - 1);
	const struct target *target = &job->route->targets.v[i];
	const char *host = route_host(job->route, i);
	struct err err;

	if (error != 0) {
		connect_failed(job, target, host, error);
		return;
	}
	job->client = client_open(job->world->house, fd, host, &target->address, client_flags(job), &job_ops, job, &err);
	if (job->client != NULL)
		return;
	log_warn("connection to %s: %s", host, err.text);
	finish_with(job, ACTION_DELAYED, STATUS(4, 3, 0), err.text);
}

/* The configured source address of the target's family, or NULL. */
static const struct sockaddress *
source_for(const struct conf_relay *conf, const struct target *target, struct sockaddress *room)
{
	const char *text = target->address.any.sa_family == AF_INET ? conf->source_ipv4 : conf->source_ipv6;

	if (text == NULL || text[0] == '\0' || sockaddress_parse(slice_str(text), 0, room) == -1)
		return NULL;
	return room->any.sa_family == target->address.any.sa_family ? room : NULL;
}

static void
connect_target(struct job *job, const struct target *target)
{
	const struct conf_relay *conf = &job->world->conf->relay;
	struct sockaddress source;

	connect_start(&job->connecting, job->world->loop, &target->address, source_for(conf, target, &source), conf->connect_timeout,
	    on_connected, job);
}

static void
on_route(void *arg)
{
	struct job *job = arg;

	job->unheard |= job->route->partial;
	if (job->route->targets.count == 0)
		finish_with(job, job->route->failure.action, job->route->failure.status, job->route->text);
	else if (must_be_protected(job) && !route_names_host(job->route))
		finish_with(job, ACTION_FAILED, STATUS(5, 7, 10), "TLS is required, and nothing authenticates the name of the mail host");
	else
		next_target(job);
}

/* A next hop that the administrator wrote down may be anywhere; one that a stranger's address or DNS names may not. */
static bool
is_trusted(const struct job *job)
{
	const char *smart_host = job->world->conf->relay.smart_host;

	return smart_host != NULL && slice_caseeq(job->nexthop, slice_str(smart_host));
}

/* A mistake in the configuration must not cost mail. */
static void
bad_nexthop(struct job *job)
{
	if (is_trusted(job))
		finish_with(job, ACTION_DELAYED, STATUS(4, 3, 5), "the smart host is no valid host name");
	else
		finish_with(job, ACTION_FAILED, STATUS(5, 1, 2), "the domain is no valid host name");
}

static void
find_route(struct job *job)
{
	const struct conf *conf = job->world->conf;
	const struct route_world world = {
		.loop = job->world->loop,
		.resolver = job->world->resolver,
		.health = job->world->health,
		.own_name = conf->hostname,
		.max_addresses = (uint16_t)conf->relay.max_addresses,
		.private_ok = conf->relay.allow_private_targets,
		.is_own = job->world->is_own,
		.arg = job->world->is_own_arg,
	};
	struct nexthop nexthop;

	if (nexthop_parse(job->nexthop, (uint16_t)conf->relay.mx_port, &nexthop) == -1) {
		bad_nexthop(job);
		return;
	}
	job->route = mem_alloc(sizeof(*job->route));
	if (job->route == NULL)
		finish_with(job, ACTION_DELAYED, STATUS(4, 3, 0), "no memory");
	else
		route_start(job->route, &world, &nexthop, is_trusted(job), on_route, job);
}

/* The next address of the route, which is looked up when there is none yet; behind the last one the job is over. */
static void
next_target(struct job *job)
{
	job->plain = false;
	job->sending = gather_pending(job) < job->count;	/* what somebody has heard is not given up */
	if (job->route == NULL)
		find_route(job);
	else if (job->next_target < job->route->targets.count)
		connect_target(job, &job->route->targets.v[job->next_target++]);
	else
		loop_at_end(job->world->loop, &job->hook, finish_later, job);
}

void
attempt_start(struct job *job)
{
	job->began = loop_now(job->world->loop);
	job->started = true;
	job->client = pool_take(job->world->pool, job->nexthop, job->tls == TLS_TAG_REQUIRED);
	if (job->client == NULL) {
		next_target(job);
		return;
	}
	client_adopt(job->client, &job_ops, job);
	transact(job);
}

void
attempt_cancel(struct job *job)
{
	if (job->finished || job->sending)
		return;
	attempt_end(job);
	job->given_up = true;
	loop_at_end(job->world->loop, &job->hook, finish_later, job);
}
