/*
 * child — processes and their control wires.
 *
 * One door, child_go, changes the state and sets its deadline; what the deadline means is in the table of states.
 */
#include "control/supervisor/child.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/supervisor/backoff.h"
#include "control/supervisor/launch.h"
#include "control/supervisor/tls_files.h"

#define CHILD_LAST_WORDS_MS	200
#define CHILD_GRACE_MS		200	/* behind the time it was given */

static void on_deadline(void *);
static void ended(struct child *);

static void
child_go(struct child *c, enum child_state next, int64_t patience_ms)
{
	c->state = next;
	if (patience_ms >= 0)
		timer_set(&c->deadline, patience_ms);
	else
		timer_stop(&c->deadline);
}

struct child *
child_new(struct stage *stage, const struct service_row *row, uint32_t instance)
{
	struct child *c = mem_zalloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	if (timer_init(&c->deadline, stage->loop, on_deadline, c) == -1) {
		mem_free(c);
		return NULL;
	}
	c->stage = stage;
	c->row = row;
	c->instance = instance;
	c->log = -1;
	c->state = CHILD_GONE;
	c->wanted = true;
	service_process_name(row, instance, c->name);
	return c;
}

void
child_free(struct child **cp)
{
	struct child *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	channel_close(&c->control);
	timer_fini(&c->deadline);
	fd_close(&c->log);
	loop_discard(c->stage->loop, &c->discard, mem_free, c);	/* it may be on the stack above us */
}

bool
child_running(const struct child *c)
{
	return c->pid != 0;
}

/* ---- what the child says ---- */

static int
on_ready(void *arg, struct reader *in, int fd)
{
	struct child *c = arg;

	(void)fd;
	if (c->state != CHILD_STARTING || reader_end(in) == -1)
		return -1;
	child_go(c, CHILD_READY, -1);
	c->heard = c->pinged = loop_now(c->stage->loop);
	c->stage->ops->ready(c->stage->arg, c);
	return 0;
}

/* Before READY it means: I cannot start, and this is why. */
static int
on_prepared(void *arg, struct reader *in, int fd)
{
	struct child *c = arg;
	struct control_conf answer;

	(void)fd;
	if (control_conf_get(in, &answer) == -1)
		return -1;
	if (c->state == CHILD_STARTING || c->state == CHILD_REAPED) {
		c->refused = true;
		(void)fmt_escaped(c->why, sizeof(c->why), answer.text);
		return 0;
	}
	if (c->asked)
		c->stage->ops->prepared(c->stage->arg, c, &answer);
	return 0;
}

static int
on_pong(void *arg, struct reader *in, int fd)
{
	struct child *c = arg;

	(void)fd;
	c->heard = loop_now(c->stage->loop);
	return reader_end(in);
}

static int
on_status_text(void *arg, struct reader *in, int fd)
{
	struct child *c = arg;
	struct control_text text;

	(void)fd;
	if (control_text_get(in, &text) == -1)
		return -1;
	c->stage->ops->status(c->stage->arg, c, text.text);
	return 0;
}

static int
on_request_stop(void *arg, struct reader *in, int fd)
{
	struct child *c = arg;

	(void)fd;
	if (c->row->role != ROLE_QUEUE || reader_end(in) == -1)
		return -1;
	c->stage->ops->wants_stop(c->stage->arg, c);
	return 0;
}

/* A child that talks nonsense, or closes its wire, is of no use any more. One that ends anyway is only reaped. */
static void
on_end(void *arg, const char *why)
{
	struct child *c = arg;

	(void)why;
	channel_close(&c->control);
	if (c->state == CHILD_READY)
		child_kill(c, NULL);
	else if (c->state == CHILD_REAPED)
		ended(c);
}

static const struct frame_handler handlers[] = {
	[CONTROL_READY]		= { "READY",	    on_ready,	     false },
	[CONTROL_PREPARED]	= { "PREPARED",	    on_prepared,     false },
	[CONTROL_PONG]		= { "PONG",	    on_pong,	     false },
	[CONTROL_STATUS_TEXT]	= { "STATUS_TEXT",  on_status_text,  false },
	[CONTROL_REQUEST_STOP]	= { "REQUEST_STOP", on_request_stop, false },
};

static const struct channel_ops control_ops = {
	.wire = "control",
	.version = CONTROL_VERSION,
	.handlers = handlers,
	.handler_count = sizeof(handlers) / sizeof(handlers[0]),
	.on_end = on_end,
};

/* ---- starting ---- */

/* Tests break one process of the cast: POSTHORN_FAULT_QUEUE in its first life, POSTHORN_FAULT_AGAIN_QUEUE in all that follow. */
static const char *
fault_for(const struct child *c)
{
	char name[64] = "POSTHORN_FAULT_";
	size_t len = strlen(name);

	if (c->number != 0)
		len = strlcat(name, "AGAIN_", sizeof(name));
	for (const char *p = c->row->binary; *p != '\0' && len < sizeof(name) - 1; p++)
		name[len++] = (char)toupper((unsigned char)*p);
	name[len] = '\0';
	return getenv(name);
}

/* The kernel stamps each datagram with the sender's process id, so no process can sign as another. */
static int
make_log_socket(struct child *c, int *theirs, struct err *err)
{
	int ends[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1)
		return err_sys(err, "a log socket");
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == -1) {
		(void)err_sys(err, "a log socket");
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return -1;
	}
	fd_close(&c->log);
	c->log = ends[0];
	*theirs = ends[1];
	return 0;
}

static int
send_boot(struct child *c, int log, struct err *err)
{
	const struct stage *s = c->stage;
	struct control_boot boot = { .name = slice_str(c->name), .role = c->row->role, .process = c->number,
	    .generation = s->conf->generation, .paused = s->paused, .root = geteuid() == 0 };
	struct buf blob;
	int result;

	buf_init(&blob, CONF_BLOB_MAX);
	conf_put(&blob, s->conf);
	boot.conf = buf_slice(&blob);
	tls_files_give(s->tls, c);
	control_boot_put(channel_begin(c->control, CONTROL_BOOT), &boot);
	result = channel_end_fd(c->control, log);
	if (blob.failed)
		result = err_set(err, "the configuration is too large to pass on, or memory is short");
	else if (result == -1)
		result = err_set(err, "the control wire does not take its first frame: memory or descriptors are short");
	buf_fini(&blob);
	return result;
}

static int
run_program(struct child *c, int control, struct err *err)
{
	char path[4096];
	const struct launch l = { .path = path, .name = c->name, .fault = fault_for(c), .control = control,
	    .lock = c->stage->lock };

	if (launch_find(c->stage->libexec, c->row->binary, c->row->in_tree, path, sizeof(path), err) == -1)
		return -1;
	c->pid = launch(&l, err);
	if (c->pid == -1) {
		c->pid = 0;
		return -1;
	}
	return 0;
}

static int
try_start(struct child *c, struct err *err)
{
	int ends[2], log = -1, result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1)
		return err_sys(err, "a control wire");
	result = run_program(c, ends[1], err);
	fd_close(&ends[1]);
	c->number = ++c->stage->last_number;
	if (result == -1) {
		fd_close(&ends[0]);
		return -1;
	}
	c->control = channel_open(c->stage->loop, ends[0], &control_ops, c, err);
	if (c->control == NULL || make_log_socket(c, &log, err) == -1)
		return -1;
	result = send_boot(c, log, err);
	fd_close(&log);
	return result;
}

void
child_start(struct child *c)
{
	struct err err;

	c->refused = c->asked = false;
	c->why[0] = '\0';
	c->born = c->heard = loop_now(c->stage->loop);
	if (try_start(c, &err) == 0) {
		child_go(c, CHILD_STARTING, CHILD_READY_MS);
		return;
	}
	log_error("%s cannot be started: %s", c->name, err.text);
	(void)snprintf(c->why, sizeof(c->why), "%s", err.text);
	if (child_running(c))
		child_kill(c, NULL);
	else
		child_start_later(c, backoff_after(0, &c->early));
}

void
child_start_later(struct child *c, int64_t ms)
{
	child_go(c, CHILD_WAITING, ms);
}

/* ---- ending ---- */

static void
on_deadline(void *arg)
{
	struct child *c = arg;

	switch (c->state) {
	case CHILD_WAITING:
		c->stage->ops->due(c->stage->arg, c);
		break;
	case CHILD_STARTING:
		child_kill(c, "it did not get ready in time");
		break;
	case CHILD_STOPPING:
		child_kill(c, "it did not stop in time");
		break;
	case CHILD_REAPED:
		ended(c);
		break;
	default:
		break;
	}
}

void
child_stop(struct child *c, int64_t within_ms)
{
	const struct control_stop stop = { .within_ms = (uint32_t)within_ms };

	if (c->state == CHILD_WAITING)
		child_go(c, CHILD_GONE, -1);
	if (c->state == CHILD_STARTING)
		child_kill(c, NULL);
	if (c->state != CHILD_READY)
		return;
	if (c->control != NULL) {
		control_stop_put(channel_begin(c->control, CONTROL_STOP), &stop);
		(void)channel_end(c->control);
	}
	child_go(c, CHILD_STOPPING, within_ms + CHILD_GRACE_MS);
}

void
child_kill(struct child *c, const char *why)
{
	if (!child_running(c))
		return;
	if (why != NULL)
		log_warn("killing %s[%ld]: %s", c->name, (long)c->pid, why);
	(void)kill(c->pid, SIGKILL);
	child_go(c, CHILD_KILLED, -1);
}

static void
ended(struct child *c)
{
	channel_close(&c->control);
	child_go(c, CHILD_GONE, -1);
	c->stage->ops->ended(c->stage->arg, c, c->status);
}

/* A crash, a forbidden call, or an exit that nobody asked for; not what was done to it from outside (SIGKILL, SIGTERM, no memory). */
static bool
is_own_fault(int status)
{
	static const int faults[] = { SIGSEGV, SIGABRT, SIGBUS, SIGSYS, SIGILL, SIGFPE };

	for (size_t i = 0; WIFSIGNALED(status) && i < sizeof(faults) / sizeof(faults[0]); i++)
		if (WTERMSIG(status) == faults[i])
			return true;
	return WIFEXITED(status);
}

void
child_reaped(struct child *c, int status)
{
	c->pid = 0;
	c->status = status;
	/* One that never served says nothing about the one before it. */
	if (c->state != CHILD_STARTING)
		/* Its wire may end before it is reaped and make it KILLED: the status still says what it died of. */
		c->fault = (c->state == CHILD_READY || c->state == CHILD_KILLED) && is_own_fault(status);
	/* Why it cannot start may still wait in the socket: hear it out. */
	if (c->state == CHILD_STARTING && c->control != NULL)
		child_go(c, CHILD_REAPED, CHILD_LAST_WORDS_MS);
	else
		ended(c);
}

void
child_watch(struct child *c, int64_t now)
{
	if (c->state != CHILD_READY || c->control == NULL)
		return;
	if (now - c->heard > CHILD_SILENT_MS) {
		child_kill(c, "it has been silent for 10 s");
		return;
	}
	if (now - c->pinged < CHILD_PING_MS)
		return;
	c->pinged = now;
	(void)channel_begin(c->control, CONTROL_PING);
	(void)channel_end(c->control);
}

const char *
child_death(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	else
		(void)snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
	return out;
}

/* ---- frames to it ---- */

static void
send_fd(struct child *c, uint16_t type, const struct control_wire *wire, int fd)
{
	if (c->state != CHILD_READY || c->control == NULL)
		return;
	control_wire_put(channel_begin(c->control, type), wire);
	(void)channel_end_fd(c->control, fd);
}

void
child_send_wire(struct child *c, enum wire_kind kind, enum wire_role role, uint32_t number, int fd)
{
	send_fd(c, CONTROL_WIRE, &(struct control_wire){ .kind = kind, .role = role, .number = number }, fd);
}

void
child_send_peer(struct child *c, const struct child *peer, enum wire_kind kind, int fd)
{
	send_fd(c, CONTROL_WIRE, &(struct control_wire){ .kind = kind, .role = peer->row->role, .number = peer->instance,
	    .fault = peer->fault }, fd);
}

void
child_send_listener(struct child *c, enum wire_kind kind, enum wire_role role, uint32_t number, int fd)
{
	send_fd(c, CONTROL_LISTENER, &(struct control_wire){ .kind = kind, .role = role, .number = number }, fd);
}

void
child_send_file(struct child *c, enum passed kind, uint32_t number, int fd)
{
	if (c->control == NULL)
		return;
	control_file_put(channel_begin(c->control, CONTROL_FILE), &(struct control_file){ .kind = kind, .number = number });
	(void)channel_end_fd(c->control, fd);
}

void
child_send_tickets(struct child *c, const struct control_tickets *tickets)
{
	if (c->state != CHILD_READY || c->control == NULL)
		return;
	control_tickets_put(channel_begin(c->control, CONTROL_TICKETS), tickets);
	(void)channel_end(c->control);
}

void
child_send_prepare(struct child *c, const struct conf *next, const struct tls_files *files)
{
	struct control_conf ask = { .generation = next->generation, .ok = true };
	struct buf blob;

	if (c->state != CHILD_READY || c->control == NULL)
		return;
	buf_init(&blob, CONF_BLOB_MAX);
	conf_put(&blob, next);
	tls_files_give(files, c);
	ask.conf = buf_slice(&blob);
	control_conf_put(channel_begin(c->control, CONTROL_PREPARE), &ask);
	(void)channel_end(c->control);
	buf_fini(&blob);
	c->asked = true;
}

void
child_send_commit(struct child *c, uint64_t generation, bool ok)
{
	const struct control_conf order = { .generation = generation, .ok = ok };

	c->asked = false;
	if (c->state != CHILD_READY || c->control == NULL)
		return;
	control_conf_put(channel_begin(c->control, CONTROL_COMMIT), &order);
	(void)channel_end(c->control);
}

void
child_ask_status(struct child *c)
{
	if (c->state != CHILD_READY || c->control == NULL)
		return;
	(void)channel_begin(c->control, CONTROL_STATUS_ASK);
	(void)channel_end(c->control);
}
