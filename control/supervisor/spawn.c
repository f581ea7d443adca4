/* spawn — the spawn wire's answering side. */
#include "control/supervisor/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/supervisor/launch.h"
#include "wire/spawn.h"

#define LOGIN_MAX	64

struct worker {
	LIST_ENTRY(worker)	entry;
	uint64_t		number;		/* mda's */
	pid_t			pid;
};

static const char worker_name[] = "worker", worker_in_tree[] = "mda/worker/worker";

int
spawn_allowed(const struct spawn_policy *p, uid_t uid, gid_t gid, bool named, struct err *err)
{
	if (uid == 0 || gid == 0)
		return err_set(err, "mail is never delivered as root");
	if (!p->root) {
		if (uid != p->own)
			return err_set(err, "posthornd does not run as root, so it cannot become uid %u", (unsigned)uid);
		return 0;
	}
	if (uid < p->first_uid)
		return err_set(err, "uid %u is below first-uid %u", (unsigned)uid, (unsigned)p->first_uid);
	if (uid == (uid_t)-1 || gid == (gid_t)-1)
		return err_set(err, "an id that means \"leave it as it is\"");
	for (size_t i = 0; i < p->service_count; i++)
		if (p->services[i] == uid || p->groups[i] == gid)
			return err_set(err, "uid %u or gid %u is one of posthorn's own", (unsigned)uid, (unsigned)gid);
	/* A low group may open devices and logs. That it is this user's can be seen of accounts of the system only. */
	if (gid < p->first_uid && !named)
		return err_set(err, "gid %u is below first-uid %u, and this is no account of the system", (unsigned)gid,
		    (unsigned)p->first_uid);
	return 0;
}

void
spawn_init(struct spawn *s, struct stage *stage)
{
	*s = (struct spawn){ .stage = stage, .policy = { .root = geteuid() == 0, .own = geteuid() } };
	LIST_INIT(&s->workers);
}

int
spawn_know_users(struct spawn *s, struct err *err)
{
	struct account account;

	for (size_t i = 0; s->policy.root && i < service_row_count; i++) {
		if (service_rows[i].user == NULL)	/* root's: refused to everybody */
			continue;
		if (account_find(service_rows[i].user, &account, err) == -1)
			return -1;
		if (s->policy.service_count == SPAWN_SERVICES_MAX)
			break;
		s->policy.groups[s->policy.service_count] = account.gid;
		s->policy.services[s->policy.service_count++] = account.uid;
	}
	return 0;
}

static void
say(struct spawn *s, enum spawn_frame type, const struct spawn_event *event, int fd)
{
	if (s->mda == NULL)
		return;
	spawn_event_put(channel_begin(s->mda, (uint16_t)type), event);
	(void)channel_end_fd(s->mda, fd);
}

static struct worker *
find(struct spawn *s, uint64_t number)
{
	struct worker *w;

	LIST_FOREACH(w, &s->workers, entry)
		if (w->number == number)
			return w;
	return NULL;
}

static pid_t
run_worker(const struct spawn *s, const struct spawn_start *ask, int control, struct err *err)
{
	const struct account user = { .uid = ask->uid, .gid = ask->gid };
	char path[4096], login[LOGIN_MAX];
	const struct launch l = { .path = path, .name = worker_name, .control = control, .lock = -1, .user = &user,
	    .login = login, .fault = getenv("POSTHORN_FAULT_WORKER") };

	if (ask->user.len >= sizeof(login) || memchr(ask->user.p, '\0', ask->user.len) != NULL)
		return err_set(err, "a login name of %zu bytes", ask->user.len);
	(void)snprintf(login, sizeof(login), "%.*s", SLICE_FMT(ask->user));
	if (launch_find(s->stage->libexec, worker_name, worker_in_tree, path, sizeof(path), err) == -1)
		return -1;
	return launch(&l, err);
}

static int
start_worker(struct spawn *s, const struct spawn_start *ask, int control, struct err *err)
{
	struct worker *w;

	if (spawn_allowed(&s->policy, ask->uid, ask->gid, ask->user.len > 0, err) == -1)
		return -1;
	if (s->count >= (uint64_t)s->stage->conf->mda.max_workers)
		return err_set(err, "all %u workers are busy", (unsigned)s->count);
	w = mem_zalloc(sizeof(*w));
	if (w == NULL)
		return err_set(err, "no memory for a worker");
	w->number = ask->worker;
	w->pid = run_worker(s, ask, control, err);
	if (w->pid == -1) {
		mem_free(w);
		return -1;
	}
	LIST_INSERT_HEAD(&s->workers, w, entry);
	s->count++;
	return 0;
}

static int
on_start(void *arg, struct reader *in, int fd)
{
	struct spawn *s = arg;
	struct spawn_start ask;
	struct spawn_event answer = { 0 };
	struct err err = { 0, "" };
	int ends[2];

	(void)fd;
	if (spawn_start_get(in, &ask) == -1 || find(s, ask.worker) != NULL)
		return -1;
	s->policy.first_uid = (uid_t)s->stage->conf->mda.first_uid;
	answer.worker = ask.worker;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1) {
		answer.text = SLICE_LIT("out of descriptors");
		say(s, SPAWN_REFUSED, &answer, -1);
		return 0;
	}
	if (start_worker(s, &ask, ends[1], &err) == 0)
		say(s, SPAWN_STARTED, &answer, ends[0]);
	else {
		answer.text = slice_str(err.text);
		say(s, SPAWN_REFUSED, &answer, -1);
	}
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return 0;
}

/* A worker that is not there any more was just reaped: ENDED is on its way. */
static int
on_stop(void *arg, struct reader *in, int fd)
{
	struct spawn *s = arg;
	struct spawn_event ask;
	struct worker *w;

	(void)fd;
	if (spawn_event_get(in, &ask) == -1)
		return -1;
	w = find(s, ask.worker);
	if (w != NULL)
		(void)kill(w->pid, SIGKILL);
	return 0;
}

static void
kill_all(struct spawn *s)
{
	struct worker *w;

	LIST_FOREACH(w, &s->workers, entry)
		(void)kill(w->pid, SIGKILL);
}

static void
on_end(void *arg, const char *why)
{
	struct spawn *s = arg;
	struct child *mda = s->child;

	spawn_end(s);
	/* Without this wire it delivers nothing, and it is never given another. */
	if (mda != NULL && mda->state == CHILD_READY) {
		log_warn("the spawn wire of %s ended: %s", mda->name, why);
		child_kill(mda, NULL);
	}
}

static const struct frame_handler handlers[] = {
	[SPAWN_START]	= { "START", on_start, false },
	[SPAWN_STOP]	= { "STOP",  on_stop,  false },
};

static const struct channel_ops spawn_ops = {
	.wire = "spawn",
	.version = SPAWN_VERSION,
	.handlers = handlers,
	.handler_count = sizeof(handlers) / sizeof(handlers[0]),
	.on_end = on_end,
};

void
spawn_join(struct spawn *s, struct child *mda)
{
	struct err err;
	int ends[2];

	spawn_end(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1) {
		child_kill(mda, "it cannot be wired: out of descriptors");
		return;
	}
	child_send_wire(mda, WIRE_SPAWN, ROLE_SUPERVISOR, 0, ends[1]);
	fd_close(&ends[1]);
	s->mda = channel_open(s->stage->loop, ends[0], &spawn_ops, s, &err);
	if (s->mda == NULL)
		child_kill(mda, err.text);
	else
		s->child = mda;
}

void
spawn_end(struct spawn *s)
{
	s->child = NULL;
	channel_close(&s->mda);
	kill_all(s);
}

bool
spawn_reaped(struct spawn *s, pid_t pid, int status)
{
	struct worker *w;

	LIST_FOREACH(w, &s->workers, entry)
		if (w->pid == pid)
			break;
	if (w == NULL)
		return false;
	say(s, SPAWN_ENDED, &(struct spawn_event){ .worker = w->number, .status = status }, -1);
	LIST_REMOVE(w, entry);
	s->count--;
	mem_free(w);
	return true;
}
