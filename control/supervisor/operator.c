/* operator — the control wire's answering side, for tools. */
#include "control/supervisor/operator.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "net/listen.h"

#define BACKLOG		16
#define UNREAD_MAX	(1024 * 1024)	/* of answers: more than one report, which has 512 KiB at most */

enum verb_id { VERB_NONE, VERB_STATUS, VERB_RELOAD, VERB_STOP, VERB_COUNT };

static const struct {
	const char	*name;
	bool		 guarded;	/* root or our own uid */
} verbs[VERB_COUNT] = {
	[VERB_STATUS] = { "status", false },
	[VERB_RELOAD] = { "reload", true },
	[VERB_STOP]   = { "stop",   true },
};

struct session {
	TAILQ_ENTRY(session)	 entry;
	struct operator		*operator;
	struct channel		*wire;
	uid_t			 uid;
	pid_t			 pid;
	enum verb_id		 waits_for;
	bool			 json;
};

static bool
is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static void
session_close(struct session *s)
{
	channel_close(&s->wire);
	TAILQ_REMOVE(&s->operator->sessions, s, entry);
	s->operator->count--;
	s->operator->strangers -= !is_ours(s->uid);
	mem_free(s);
}

static void
send_text(struct session *s, struct slice text)
{
	while (text.len > 0) {
		struct slice piece = slice_of(text.p, text.len < CONTROL_BYTES_MAX ? text.len : CONTROL_BYTES_MAX);

		control_text_put(channel_begin(s->wire, CONTROL_BYTES), &(struct control_text){ .ok = true, .text = piece });
		(void)channel_end(s->wire);
		slice_drop(&text, piece.len);
	}
}

static void
send_outcome(struct session *s, bool ok, const char *words)
{
	s->waits_for = VERB_NONE;
	control_text_put(channel_begin(s->wire, CONTROL_OUTCOME), &(struct control_text){ .ok = ok, .text = slice_str(words) });
	(void)channel_end(s->wire);
}

static enum verb_id
verb_of(struct slice name)
{
	for (int v = VERB_STATUS; v < VERB_COUNT; v++)
		if (slice_eq(name, slice_str(verbs[v].name)))
			return (enum verb_id)v;
	return VERB_NONE;
}

static bool
may(const struct session *s, enum verb_id verb)
{
	return !verbs[verb].guarded || is_ours(s->uid);
}

static void
perform(struct session *s, enum verb_id verb)
{
	struct operator *op = s->operator;

	s->waits_for = verb;
	if (verbs[verb].guarded)
		log_info("%s, asked for by uid %u, process %ld", verbs[verb].name, (unsigned)s->uid, (long)s->pid);
	switch (verb) {
	case VERB_STATUS:
		op->ops->status(op->arg);
		break;
	case VERB_RELOAD:
		op->ops->reload(op->arg);
		break;
	default:
		send_outcome(s, true, "posthorn is stopping");
		channel_flush(s->wire);
		op->ops->stop(op->arg);
		break;
	}
}

static int
on_operator(void *arg, struct reader *in, int fd)
{
	struct session *s = arg;
	struct operator_request ask;
	enum verb_id verb;

	(void)fd;
	if (operator_request_get(in, &ask) == -1 || s->waits_for != VERB_NONE || channel_pending(s->wire) > UNREAD_MAX)
		return -1;
	verb = verb_of(ask.verb);
	s->json = (ask.flags & OPERATOR_JSON) != 0;
	if (verb == VERB_NONE)
		send_outcome(s, false, "posthornd knows status, reload and stop");
	else if (!may(s, verb))
		send_outcome(s, false, "only root, or the user that posthornd runs as, may do that");
	else
		perform(s, verb);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)why;
	session_close(arg);
}

static const struct frame_handler handlers[] = {
	[CONTROL_OPERATOR] = { "OPERATOR", on_operator, false },
};

static const struct channel_ops session_ops = {
	.wire = "control",
	.version = CONTROL_VERSION,
	.handlers = handlers,
	.handler_count = sizeof(handlers) / sizeof(handlers[0]),
	.on_end = on_end,
};

static void
admit(struct operator *op, int fd)
{
	struct session *s;
	struct ucred who;
	socklen_t len = sizeof(who);

	if (op->count >= OPERATOR_SESSIONS || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1 ||
	    (!is_ours(who.uid) && op->strangers >= OPERATOR_STRANGERS) || (s = mem_zalloc(sizeof(*s))) == NULL) {
		fd_close(&fd);
		return;
	}
	s->operator = op;
	s->uid = who.uid;
	s->pid = who.pid;
	s->wire = channel_open(op->loop, fd, &session_ops, s, NULL);
	if (s->wire == NULL) {
		mem_free(s);
		return;
	}
	TAILQ_INSERT_TAIL(&op->sessions, s, entry);
	op->count++;
	op->strangers += !is_ours(s->uid);
}

static void
on_knock(void *arg, int what)
{
	struct operator *op = arg;
	int fd = accept4(op->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd != -1)
		admit(op, fd);
}

int
operator_open(struct operator *op, struct loop *loop, const char *directory, const struct operator_ops *ops, void *arg,
    struct err *err)
{
	char path[4096];

	*op = (struct operator){ .loop = loop, .ops = ops, .arg = arg };
	TAILQ_INIT(&op->sessions);
	(void)snprintf(path, sizeof(path), "%s/control", directory);
	op->fd = listen_unix(path, 0666, BACKLOG, err);
	if (op->fd == -1)
		return -1;
	if (watch_start(&op->watch, loop, op->fd, WATCH_READ, on_knock, op) == -1) {
		fd_close(&op->fd);
		return err_set(err, "no memory for an event");
	}
	return 0;
}

void
operator_close(struct operator *op)
{
	struct session *s;

	watch_stop(&op->watch);
	if (op->ops != NULL) {
		fd_close(&op->fd);
		while ((s = TAILQ_FIRST(&op->sessions)) != NULL)
			session_close(s);
	}
}

void
operator_tell_status(struct operator *op, struct slice text, struct slice json)
{
	struct session *s;

	TAILQ_FOREACH(s, &op->sessions, entry)
		if (s->waits_for == VERB_STATUS) {
			send_text(s, s->json ? json : text);
			send_outcome(s, true, "");
		}
}

void
operator_tell_reload(struct operator *op, bool ok, const char *text)
{
	struct session *s;

	TAILQ_FOREACH(s, &op->sessions, entry)
		if (s->waits_for == VERB_RELOAD)
			send_outcome(s, ok, text);
}
