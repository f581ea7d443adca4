/*
 * service — from descriptor 3 to a serving, fenced-in process, and then its control wire.
 *
 * Order (start-up): 1 control wire and BOOT, 2 prepare (with rights), 3 user, 4 proof of the sandbox, 5 limits, 6 sandbox,
 * 7 start, 8 READY. A step that fails is told to the supervisor as PREPARED "no", and the process ends with EX_CONFIG: the
 * supervisor sends nothing but BOOT before it has READY, so the answer cannot be taken for another.
 *
 * When the supervisor is gone the control wire ends; the process then finishes as if told to stop, and the kernel's alarm
 * ends it if even that hangs.
 */
#include "proc/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "event/timer.h"
#include "proc/evil.h"
#include "proc/grant.h"
#include "proc/limits.h"
#include "proc/options.h"
#include "proc/privdrop.h"
#include "wire/log.h"

#define CONTROL_FD		3
#define EXIT_CONFIG		78	/* EX_CONFIG: trying again would not help */
#define EXIT_LOST		75	/* EX_TEMPFAIL: the supervisor is gone, or a wire */
#define WIRE_PATIENCE_MS	90000
#define BOOT_PATIENCE_MS	15000
#define ORPHAN_PATIENCE_MS	4000	/* then the loop ends */
#define ORPHAN_ALARM_S		5	/* then the kernel does it */
#define STATUS_MAX		32768

struct running {
	struct process		 process;
	pid_t			 parent;
	struct channel		*control;
	struct conf		*next;		/* accepted, not yet committed */
	struct sandbox_grant	 grant;		/* what the sandbox was entered with; paths in own_conf's first version */
	struct conf		*first;		/* the configuration the grant's paths are borrowed from */
	struct timer		 patience;
	int64_t			 incomplete_since;	/* loop time at which a wire was first seen missing; 0: none is */
	bool			 booted, ready, stopping, done;
	int			 status;	/* the exit status */
};

static pid_t the_parent;	/* for the signal handler below */

/* The kernel sends SIGTERM when the supervisor is gone. From anybody else it means nothing: the supervisor decides. */
static void
on_term(int signo)
{
	(void)signo;
	if (getppid() != the_parent)
		(void)alarm(ORPHAN_ALARM_S);
}

static void
set_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, term = { .sa_handler = on_term, .sa_flags = SA_RESTART };

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	(void)sigaction(SIGINT, &ignore, NULL);		/* the terminal's, meant for the supervisor */
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGQUIT, &ignore, NULL);
	(void)sigaction(SIGTERM, &term, NULL);
}

static void
leave(struct running *r, int status)
{
	if (!r->done)
		r->status = status;
	r->done = true;
	loop_stop(r->process.loop);
}

void
process_stopped(struct process *p)
{
	leave(CONTAINER_OF(p, struct running, process), 0);
}

static void
begin_stop(struct running *r, int64_t within_ms)
{
	if (r->stopping)
		return;
	r->stopping = true;
	timer_set(&r->patience, within_ms);
	if (r->process.service->stop == NULL || !r->ready)
		leave(r, r->status);
	else
		r->process.service->stop(&r->process, within_ms);
}

static void
out_of_patience(void *arg)
{
	struct running *r = arg;

	leave(r, r->stopping ? r->status : EXIT_LOST);
}

static void
control_lost(void *arg, const char *why)
{
	struct running *r = arg;

	(void)why;
	channel_close(&r->control);
	(void)alarm(ORPHAN_ALARM_S);
	r->status = EXIT_LOST;
	begin_stop(r, ORPHAN_PATIENCE_MS);
}

/* ---- what the supervisor says ---- */

static void
keep_boot(struct running *r, const struct control_boot *boot)
{
	struct process *p = &r->process;

	(void)snprintf(p->name, sizeof(p->name), "%.*s", SLICE_FMT(boot->name));
	p->role = boot->role;
	p->number = boot->process;
	p->paused = boot->paused;
	p->root = boot->root;
	p->conf->generation = boot->generation;
	(void)prctl(PR_SET_NAME, p->name);
}

static int
on_boot(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct control_boot boot;

	if (r->booted || control_boot_get(in, &boot) == -1 || (r->process.conf = conf_get(boot.conf)) == NULL) {
		fd_close(&fd);
		return -1;
	}
	r->booted = true;
	keep_boot(r, &boot);
	evil_open(r->process.name);
	evil_knows("control", CONTROL_FD);
	evil_knows("log", fd);
	if (fd != -1)
		log_wire_open(fd, boot.process);
	timer_stop(&r->patience);
	loop_stop(r->process.loop);
	return 0;
}

static int
on_file(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct control_file file;

	if (fd == -1)
		return -1;
	if (control_file_get(in, &file) == -1) {
		fd_close(&fd);
		return -1;
	}
	return files_add(&r->process.files, &file, fd);
}

static int
on_tickets(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct control_tickets tickets;

	(void)fd;
	if (!r->ready || control_tickets_get(in, &tickets) == -1)
		return -1;
	if (r->process.service->tickets != NULL)
		r->process.service->tickets(&r->process, &tickets);
	explicit_bzero(&tickets, sizeof(tickets));
	return 0;
}

typedef void passed_fd(struct process *, const struct control_wire *, int fd);

/* A descriptor for the service; one that it has no use for is closed. */
static int
pass_fd(struct running *r, struct reader *in, int fd, passed_fd *take)
{
	struct control_wire wire;

	if (fd == -1)
		return -1;
	if (!r->ready || control_wire_get(in, &wire) == -1 || fd_nonblock(fd) == -1) {
		fd_close(&fd);
		return -1;
	}
	if (take == NULL || r->stopping)
		fd_close(&fd);
	else if (!evil_takes(&wire, fd))
		take(&r->process, &wire, fd);
	return 0;
}

static int
on_wire(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;

	return pass_fd(r, in, fd, r->process.service->wire);
}

static int
on_listener(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;

	return pass_fd(r, in, fd, r->process.service->listener);
}

static void
answer_prepared(struct running *r, uint64_t generation, bool ok, const char *why)
{
	const struct control_conf answer = { .generation = generation, .ok = ok, .text = slice_str(why) };

	control_conf_put(channel_begin(r->control, CONTROL_PREPARED), &answer);
	(void)channel_end(r->control);
}

/* What no service can take while it runs: its sandbox only ever narrows. */
static int
check_sandbox(const struct running *r, const struct conf *next, struct err *err)
{
	struct sandbox_grant wanted;

	grant_of(r->process.service->sandbox, next, &wanted);
	if (r->process.service->sandbox != SANDBOX_NONE && sandbox_grant_widens(&r->grant, &wanted))
		return err_set(err, "%s would need a port or folder that its sandbox no longer allows: restart posthorn",
		    r->process.name);
	return 0;
}

static int
on_prepare(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	const struct service *service = r->process.service;
	struct control_conf ask;
	struct err err = { 0, "" };
	int result;

	(void)fd;
	if (!r->ready || control_conf_get(in, &ask) == -1)
		return -1;
	conf_free(&r->next);
	r->next = conf_get(ask.conf);
	if (r->next == NULL)
		return -1;
	r->next->generation = ask.generation;
	result = check_sandbox(r, r->next, &err);
	if (result == 0 && service->check != NULL)
		result = service->check(&r->process, r->next, &err);
	files_close(&r->process.files);
	if (result == -1)
		conf_free(&r->next);
	answer_prepared(r, ask.generation, result == 0, err.text);
	return 0;
}

static void
commit(struct running *r)
{
	struct conf *old = r->process.conf;

	r->process.conf = r->next;
	r->next = NULL;
	if (r->process.service->reloaded != NULL)
		r->process.service->reloaded(&r->process, old);
	if (old != r->first)
		conf_free(&old);
}

static int
on_commit(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct control_conf order;

	(void)fd;
	if (control_conf_get(in, &order) == -1)
		return -1;
	if (!order.ok) {
		conf_free(&r->next);
		return 0;
	}
	if (r->next == NULL || r->next->generation != order.generation)
		return -1;
	commit(r);
	return 0;
}

/* Longer than a peer that dies young again and again rests (control/supervisor/backoff.c). */
static void
look_at_wires(struct running *r)
{
	const struct service *service = r->process.service;
	int64_t now = loop_now(r->process.loop);

	if (!r->ready || r->stopping || service->whole == NULL || service->whole(&r->process)) {
		r->incomplete_since = 0;
	} else if (r->incomplete_since == 0) {
		r->incomplete_since = now;
	} else if (now - r->incomplete_since >= WIRE_PATIENCE_MS) {
		log_error("a wire that ended did not come back: this process ends, so that the next one has it");
		r->status = EXIT_LOST;
		begin_stop(r, ORPHAN_PATIENCE_MS);
	}
}

static int
on_ping(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;

	(void)fd;
	look_at_wires(r);
	(void)channel_begin(r->control, CONTROL_PONG);
	(void)channel_end(r->control);
	return reader_end(in);
}

static int
on_status_ask(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct buf text;

	(void)fd;
	buf_init(&text, STATUS_MAX);
	if (r->process.service->status != NULL)
		r->process.service->status(&r->process, &text);
	control_text_put(channel_begin(r->control, CONTROL_STATUS_TEXT),
	    &(struct control_text){ .ok = true, .text = buf_slice(&text) });
	(void)channel_end(r->control);
	buf_fini(&text);
	return reader_end(in);
}

static int
on_stop(void *arg, struct reader *in, int fd)
{
	struct running *r = arg;
	struct control_stop stop;

	(void)fd;
	if (control_stop_get(in, &stop) == -1)
		return -1;
	begin_stop(r, stop.within_ms);
	return 0;
}

static const struct frame_handler handlers[] = {
	[CONTROL_BOOT]		= { "BOOT",	  on_boot,	 true },
	[CONTROL_FILE]		= { "FILE",	  on_file,	 true },
	[CONTROL_TICKETS]	= { "TICKETS",	  on_tickets,	 false },
	[CONTROL_WIRE]		= { "WIRE",	  on_wire,	 true },
	[CONTROL_LISTENER]	= { "LISTENER",	  on_listener,	 true },
	[CONTROL_PREPARE]	= { "PREPARE",	  on_prepare,	 false },
	[CONTROL_COMMIT]	= { "COMMIT",	  on_commit,	 false },
	[CONTROL_PING]		= { "PING",	  on_ping,	 false },
	[CONTROL_STATUS_ASK]	= { "STATUS_ASK", on_status_ask, false },
	[CONTROL_STOP]		= { "STOP",	  on_stop,	 false },
};

static const struct channel_ops control_ops = {
	.wire = "control",
	.version = CONTROL_VERSION,
	.handlers = handlers,
	.handler_count = sizeof(handlers) / sizeof(handlers[0]),
	.on_end = control_lost,
};

/* ---- start-up ---- */

static int
boot(struct running *r, struct err *err)
{
	struct stat st;

	if (fstat(CONTROL_FD, &st) == -1 || !S_ISSOCK(st.st_mode))
		return err_set(err, "this program is started by posthornd, not by hand");
	(void)fd_cloexec(CONTROL_FD);
	r->process.loop = loop_new(err);
	if (r->process.loop == NULL)
		return -1;
	if (timer_init(&r->patience, r->process.loop, out_of_patience, r) == -1)
		return err_set(err, "no memory for a timer");
	loop_every_round(r->process.loop, log_wire_flush, NULL);
	r->control = channel_open(r->process.loop, CONTROL_FD, &control_ops, r, err);
	if (r->control == NULL)
		return -1;
	timer_set(&r->patience, BOOT_PATIENCE_MS);
	if (loop_run(r->process.loop) == -1 || !r->booted)
		return err_set(err, "posthornd did not say what to do");
	return 0;
}

/* Root's part ends here, or root's rights do. Without root everything stays one user's. */
static int
become_user(struct running *r, struct err *err)
{
	const struct service *s = r->process.service;
	struct account account;
	char empty[4096];

	if (geteuid() != 0)
		return 0;
	if (s->user == NULL)
		return privdrop_capabilities(err);
	if (account_find(s->user, &account, err) == -1)
		return -1;
	(void)snprintf(empty, sizeof(empty), "%s/empty", r->process.conf->run_directory);
	return privdrop(&account, sandbox_chroots(s->sandbox) ? empty : NULL, NULL, err);
}

static int
fence_in(struct running *r, struct err *err)
{
	const struct service *s = r->process.service;
	struct conf *conf = r->process.conf;

	r->first = conf;
	grant_of(s->sandbox, conf, &r->grant);
	if (limits_set_files(s->sandbox, conf, err) == -1 || become_user(r, err) == -1)
		return -1;
	if (die_with_parent(r->parent, SIGTERM) == -1)
		return err_set(err, "posthornd is gone");
	if (sandbox_prove(s->sandbox, &r->grant, err) == -1 || limits_set(s->sandbox, conf, r->process.root, err) == -1)
		return -1;
	return sandbox_enter(s->sandbox, &r->grant, err);
}

static int
start(struct running *r, struct err *err)
{
	const struct service *s = r->process.service;

	if (boot(r, err) == -1)
		return -1;
	if (s->prepare != NULL && s->prepare(&r->process, err) == -1)
		return -1;
	if (fence_in(r, err) == -1)
		return -1;
	if (s->start != NULL && s->start(&r->process, err) == -1)
		return -1;
	files_close(&r->process.files);
	r->ready = true;
	(void)channel_begin(r->control, CONTROL_READY);
	(void)channel_end(r->control);
	evil_serve(r->process.loop);
	return 0;
}

/* The supervisor knows whether this is the postmaster's first try, who should then see the sentence at once. */
static int
refuse(struct running *r, const struct err *err)
{
	if (r->booted && r->control != NULL) {
		answer_prepared(r, 0, false, err->text);
		channel_flush(r->control);
	} else
		log_error("%s: %s", r->process.service->name, err->text);
	return EXIT_CONFIG;
}

static void
finish(struct running *r)
{
	channel_close(&r->control);
	timer_fini(&r->patience);
	log_wire_close();
	if (r->process.conf != r->first)
		conf_free(&r->first);
	conf_free(&r->next);
	conf_free(&r->process.conf);
	loop_free(r->process.loop);
}

int
service_main(const struct service *service, int argc, char **argv)
{
	static const struct option_row no_options[] = { { 0 } };
	struct running r = { .process.service = service, .parent = getppid() };
	struct err err = { 0, "" };

	log_open(service->name);
	if (options_parse(service->name, "(started by posthornd)", no_options, argc, argv) == -1)
		return EXIT_CONFIG;
	the_parent = r.parent;
	set_signals();
	if (start(&r, &err) == -1) {
		r.status = refuse(&r, &err);
		log_wire_close();
		_exit(r.status);
	}
	if (!r.done && loop_run(r.process.loop) == -1)
		r.status = EXIT_LOST;
	finish(&r);
	return r.status;
}
