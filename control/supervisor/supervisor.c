/*
 * supervisor — one loop over signals, control wires and deadlines.
 *
 * Start: rank by rank, the next when all of this one serve. From then on each child is on its own: it dies, is reaped, and comes
 * back by backoff.c. Stop: rank by rank from the top, so that whoever hands something on goes before whoever takes it.
 */
#include "control/supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/supervisor/backoff.h"
#include "control/supervisor/cast.h"
#include "control/supervisor/listeners.h"
#include "control/supervisor/notify.h"
#include "control/supervisor/operator.h"
#include "control/supervisor/reload.h"
#include "control/supervisor/rundir.h"
#include "control/supervisor/spawn.h"
#include "control/supervisor/survey.h"
#include "control/supervisor/tickets.h"
#include "control/supervisor/tls_files.h"
#include "control/supervisor/wiring.h"
#include "event/signal.h"
#include "wire/log.h"

#define EXIT_CONFIG		78
#define TICK_MS			1000
#define PREDECESSOR_MS		10000	/* how long lock and ports may still be held by those before us */

enum { SIGNAL_CHLD, SIGNAL_TERM, SIGNAL_INT, SIGNAL_HUP, SIGNAL_COUNT };

struct supervisor {
	struct stage			 stage;
	struct conf			*conf;
	const struct supervisor_options	*options;
	struct child_list		 children;
	struct listeners		 listeners;
	struct tls_files		 tls;		/* of conf */
	struct tickets			 tickets;
	struct spawn			 spawn;
	struct operator			 operator;
	struct reload			 reload;
	struct survey			 survey;
	struct signal_watch		 signals[SIGNAL_COUNT];
	struct timer			 tick;
	int64_t				 ticked;
	int				 log;		/* logger's end of our own log socket */
	bool				 started, stopping, mda_waits;
	unsigned			 stop_rank;
	int				 exit_status;
	char				 failure[CHILD_WHY_MAX + 80];	/* why start-up failed */
};

static void begin_stop(struct supervisor *);
static void stop_step(struct supervisor *);

/* ---- the cast ---- */

static void
start(struct supervisor *s, struct child *c)
{
	if (c->row->role == ROLE_MDA && s->spawn.count > 0) {
		s->mda_waits = true;	/* until its predecessor's workers are reaped */
		return;
	}
	child_start(c);
	wiring_log(&s->children, c);
}

/* ---- starting ---- */

static void
complete(struct supervisor *s)
{
	s->started = true;
	log_info("posthorn %s serves as %s%s", PACKAGE_VERSION, s->conf->hostname, s->stage.paused ? ", delivery paused" : "");
	notify("READY=1");
	if (s->options->started != NULL)
		s->options->started(s->options->arg);
}

/* Starts the lowest rank that does not serve yet; true when all of it already does. */
static bool
rank_serves(struct supervisor *s, unsigned rank)
{
	struct child *c;
	bool serves = true;

	TAILQ_FOREACH(c, &s->children, entry) {
		if (c->row->rank != rank)
			continue;
		if (c->state == CHILD_GONE && c->wanted)
			start(s, c);
		serves = serves && c->state == CHILD_READY;
	}
	return serves;
}

static void
advance(struct supervisor *s)
{
	unsigned rank = 0;

	if (s->started || s->stopping)
		return;
	while (rank < RANK_COUNT && rank_serves(s, rank))
		rank++;
	if (rank == RANK_COUNT)
		complete(s);
}

static void
fail(struct supervisor *s, const char *name, const char *why)
{
	(void)snprintf(s->failure, sizeof(s->failure), "%s: %s", name, why);
	log_error("posthorn does not start: %s", s->failure);
	s->exit_status = EXIT_CONFIG;
	begin_stop(s);
}

/* ---- what children do ---- */

static void
child_ready(void *arg, struct child *c)
{
	struct supervisor *s = arg;

	if (s->stopping) {
		child_kill(c, NULL);
		return;
	}
	if (c->row->role == ROLE_LOGGER)
		child_send_wire(c, WIRE_LOG, ROLE_SUPERVISOR, 0, s->log);
	wiring_join(&s->children, c);
	if (c->row->role == ROLE_LOGGER)
		child_send_wire(c, WIRE_LOG, ROLE_LOGGER, c->number, c->log);
	if (c->row->role == ROLE_MDA)
		spawn_join(&s->spawn, c);
	tickets_give(&s->tickets, c);
	listeners_give(&s->listeners, c);
	advance(s);
}

/* Back at once, or a little later. */
static void
revive(struct supervisor *s, struct child *c, int status)
{
	int64_t lived = loop_now(s->stage.loop) - c->born, wait;
	char death[64];

	if (c->renew) {
		c->renew = false;
		start(s, c);
		return;
	}
	wait = backoff_after(lived, &c->early);
	log_warn("%s %s%s%s after %lld s; it is started again %s%.0lld%s", c->name, child_death(status, death, sizeof(death)),
	    c->refused ? ": " : "", c->refused ? c->why : "", (long long)lived / 1000, wait == 0 ? "at once" : "in ",
	    (long long)wait / 1000, wait == 0 ? "" : " s");
	if (wait == 0)
		start(s, c);
	else
		child_start_later(c, wait);
}

static bool
refused_to_start(const struct child *c, int status)
{
	return c->refused || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG);
}

static void
child_ended(void *arg, struct child *c, int status)
{
	struct supervisor *s = arg;
	char death[64];

	reload_lost(&s->reload, c);
	c->asked = false;
	if (c->row->role == ROLE_MDA)
		spawn_end(&s->spawn);
	if (s->stopping)
		stop_step(s);
	else if (!s->started && refused_to_start(c, status))
		fail(s, c->name, c->refused ? c->why : child_death(status, death, sizeof(death)));
	else if (!c->wanted)
		cast_forget(&s->children, c);
	else
		revive(s, c, status);
}

static void
child_prepared(void *arg, struct child *c, const struct control_conf *answer)
{
	struct supervisor *s = arg;

	reload_answer(&s->reload, c, answer);
}

static void
child_status(void *arg, struct child *c, struct slice text)
{
	struct supervisor *s = arg;

	survey_answer(&s->survey, c, text);
}

static void
child_wants_stop(void *arg, struct child *c)
{
	log_info("stop, asked for at %s", c->name);
	begin_stop(arg);
}

static void
child_due(void *arg, struct child *c)
{
	start(arg, c);
}

static const struct child_ops child_ops = {
	.ready = child_ready,
	.due = child_due,
	.ended = child_ended,
	.prepared = child_prepared,
	.status = child_status,
	.wants_stop = child_wants_stop,
};

/* ---- stopping ---- */

/* Goes down to the first rank that still has somebody running. */
static void
stop_step(struct supervisor *s)
{
	while (s->stop_rank > 0 && !cast_rank_runs(&s->children, s->stop_rank - 1)) {
		s->stop_rank--;
		if (s->stop_rank > 0)
			cast_stop_rank(&s->children, s->stop_rank - 1);
	}
	if (s->stop_rank == 0 && s->spawn.count == 0)
		loop_stop(s->stage.loop);
}

static void
begin_stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	log_info("posthorn is stopping");
	notify("STOPPING=1");
	s->stop_rank = RANK_COUNT;
	cast_stop_rank(&s->children, RANK_COUNT - 1);
	stop_step(s);
}

/* ---- signals and time ---- */

static void
worker_reaped(struct supervisor *s)
{
	struct child *c;

	if (s->spawn.count > 0)
		return;
	if (s->stopping)
		stop_step(s);
	else if (s->mda_waits) {
		s->mda_waits = false;
		TAILQ_FOREACH(c, &s->children, entry)
			if (c->row->role == ROLE_MDA && !child_running(c))
				start(s, c);
	}
}

static void
on_child(void *arg, int signo)
{
	struct supervisor *s = arg;
	struct child *c;
	pid_t pid;
	int status;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		c = cast_of_pid(&s->children, pid);
		if (c != NULL)
			child_reaped(c, status);
		else if (spawn_reaped(&s->spawn, pid, status))
			worker_reaped(s);
	}
}

static void
on_terminate(void *arg, int signo)
{
	(void)signo;
	begin_stop(arg);
}

static void
on_hangup(void *arg, int signo)
{
	struct supervisor *s = arg;

	(void)signo;
	if (!s->stopping)
		reload_wish(&s->reload);
}

/* We may have been stopped or starved ourselves: silence is then no one else's fault. */
static void
forgive(struct supervisor *s, int64_t late)
{
	struct child *c;

	TAILQ_FOREACH(c, &s->children, entry)
		c->heard += late;
}

static void
on_tick(void *arg)
{
	struct supervisor *s = arg;
	int64_t now = loop_now(s->stage.loop), late = now - s->ticked - TICK_MS;
	struct child *c;

	if (late > TICK_MS)
		forgive(s, late);
	TAILQ_FOREACH(c, &s->children, entry)
		child_watch(c, now);
	s->ticked = now;
	timer_set(&s->tick, TICK_MS);
}

/* ---- reload, status, stop: asked for by tools ---- */

static void
tool_status(void *arg)
{
	struct supervisor *s = arg;

	survey_ask(&s->survey);
}

static void
tool_reload(void *arg)
{
	struct supervisor *s = arg;

	if (s->stopping)
		operator_tell_reload(&s->operator, false, "posthorn is stopping");
	else
		reload_wish(&s->reload);
}

static void
tool_stop(void *arg)
{
	begin_stop(arg);
}

static const struct operator_ops operator_ops = { tool_status, tool_reload, tool_stop };

static void
status_done(void *arg, struct slice text, struct slice json)
{
	struct supervisor *s = arg;

	operator_tell_status(&s->operator, text, json);
}

/* Those whose sandbox cannot widen, and those that are just starting with the old configuration, are begun anew. */
static void
renew_children(struct supervisor *s)
{
	struct child *c;

	TAILQ_FOREACH(c, &s->children, entry) {
		if (c->state == CHILD_GONE)
			start(s, c);
		else if (c->state == CHILD_STARTING || (c->state == CHILD_READY && c->row->replaced)) {
			c->renew = true;
			child_stop(c, c->row->stop_share * STOP_SHARE_MS);
		}
	}
}

static void
reload_committed(void *arg, struct conf *next, struct tls_files *files)
{
	struct supervisor *s = arg;
	struct conf *old = s->conf;
	struct child *c;
	struct err err;

	s->conf = next;
	s->stage.conf = next;
	tls_files_close(&s->tls);
	s->tls = *files;
	TAILQ_FOREACH(c, &s->children, entry)
		tickets_give(&s->tickets, c);		/* to those that had no TLS before */
	if (cast_add(&s->children, &s->stage, &err) == -1)
		log_error("%s", err.text);
	cast_trim(&s->children, next);
	listeners_commit(&s->listeners, next, &s->children);
	renew_children(s);
	conf_free(&old);
}

static void
reload_told(void *arg, bool ok, const char *text)
{
	struct supervisor *s = arg;

	if (ok)
		log_info("reload: %s (generation %llu)", text, (unsigned long long)s->conf->generation);
	else
		log_error("reload refused, nothing has changed: %s", text);
	operator_tell_reload(&s->operator, ok, text);
	notify("READY=1");
}

static const struct reload_ops reload_ops = { reload_committed, reload_told };

/* ---- from nothing to a loop, and back ---- */

static int
open_log(struct supervisor *s, struct err *err)
{
	int ends[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1)
		return err_sys(err, "a log socket");
	s->log = ends[0];
	(void)setsockopt(s->log, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	log_wire_open(ends[1], 0);
	loop_every_round(s->stage.loop, log_wire_flush, NULL);
	return 0;
}

static int
watch_signals(struct supervisor *s, struct err *err)
{
	static const struct {
		int	signo;
		void	(*fn)(void *, int);
	} rows[SIGNAL_COUNT] = {
		[SIGNAL_CHLD] = { SIGCHLD, on_child },
		[SIGNAL_TERM] = { SIGTERM, on_terminate },
		[SIGNAL_INT]  = { SIGINT,  on_terminate },
		[SIGNAL_HUP]  = { SIGHUP,  on_hangup },
	};

	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		if (signal_start(&s->signals[i], s->stage.loop, rows[i].signo, rows[i].fn, s) == -1)
			return err_set(err, "no memory for a signal");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	return 0;
}

static int
open_rooms(struct supervisor *s, struct err *err)
{
	s->reload = (struct reload){ .stage = &s->stage, .children = &s->children, .listeners = &s->listeners,
	    .path = s->options->conf_path, .ops = &reload_ops, .arg = s, .generation = s->conf->generation };
	s->survey = (struct survey){ .stage = &s->stage, .children = &s->children, .done = status_done, .arg = s };
	spawn_init(&s->spawn, &s->stage);
	if (reload_init(&s->reload) == -1 || survey_init(&s->survey) == -1 || timer_init(&s->tick, s->stage.loop, on_tick, s) == -1)
		return err_set(err, "no memory for a timer");
	if (tickets_init(&s->tickets, s->stage.loop, &s->children) == -1)
		return err_set(err, "no memory for a timer");
	if (spawn_know_users(&s->spawn, err) == -1 || rundir_prepare(s->conf, err) == -1 ||
	    tls_files_open(&s->tls, s->conf, err) == -1)
		return -1;
	s->stage.lock = rundir_lock(s->conf->run_directory, PREDECESSOR_MS, err);
	if (s->stage.lock == -1 || listeners_open(&s->listeners, s->conf, PREDECESSOR_MS, err) == -1)
		return -1;
	if (operator_open(&s->operator, s->stage.loop, s->conf->run_directory, &operator_ops, s, err) == -1)
		return -1;
	return cast_add(&s->children, &s->stage, err);
}

static int
begin(struct supervisor *s, struct err *err)
{
	s->stage.loop = loop_new(err);
	if (s->stage.loop == NULL || open_rooms(s, err) == -1 || watch_signals(s, err) == -1 || open_log(s, err) == -1)
		return -1;
	s->ticked = loop_now(s->stage.loop);
	timer_set(&s->tick, TICK_MS);
	advance(s);
	return 0;
}

static void
remove_socket(const struct supervisor *s, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", s->conf->run_directory, name);
	(void)unlink(path);
}

static void
end(struct supervisor *s)
{
	struct child *c;

	if (s->listeners.queue != -1)
		remove_socket(s, "queue");
	if (s->operator.fd > 0)
		remove_socket(s, "control");
	while ((c = TAILQ_FIRST(&s->children)) != NULL)
		cast_forget(&s->children, c);
	if (s->stage.loop != NULL) {
		spawn_end(&s->spawn);
		operator_close(&s->operator);
		reload_fini(&s->reload);
		survey_fini(&s->survey);
		timer_fini(&s->tick);
		tickets_fini(&s->tickets);
		for (size_t i = 0; i < SIGNAL_COUNT; i++)
			signal_stop(&s->signals[i]);
	}
	listeners_fini(&s->listeners);
	tls_files_close(&s->tls);
	log_wire_close();
	fd_close(&s->log);
	fd_close(&s->stage.lock);
	loop_free(s->stage.loop);
	conf_free(&s->conf);
}

int
supervisor_run(struct conf *conf, const struct supervisor_options *options)
{
	struct supervisor s = { .conf = conf, .options = options, .log = -1 };
	struct err err = { 0, "" };
	int status;

	TAILQ_INIT(&s.children);
	listeners_init(&s.listeners);
	conf->generation = 1;
	s.stage = (struct stage){ .conf = conf, .libexec = options->libexec, .lock = -1, .paused = options->paused,
	    .tls = &s.tls, .ops = &child_ops, .arg = &s };
	if (begin(&s, &err) == -1) {
		(void)snprintf(s.failure, sizeof(s.failure), "%s", err.text);
		s.exit_status = EXIT_CONFIG;
	} else if (loop_run(s.stage.loop) == -1)
		s.exit_status = EXIT_CONFIG;
	status = s.exit_status;
	end(&s);
	if (s.failure[0] != '\0')
		log_error("posthorn does not start: %s", s.failure);
	return status;
}
