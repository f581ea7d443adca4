/*
 * launch — the few lines between fork and exec.
 *
 * Nothing of the supervisor's is inherited by accident: descriptors above those given are closed by number, signals are
 * back to their defaults, and of the environment only the rows of `kept` pass.
 */
#include "control/supervisor/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define CONTROL_FD	3
#define LOCK_FD		4
#define ENVIRONMENT_MAX	16
#define EXIT_LAUNCH	127

/* Variables for tests, sanitizers and coverage; a packaged posthornd has none of them but TZ. */
static const char *const kept[] = {
	"TZ", "POSTHORN_SANDBOX_KILL", "POSTHORN_SANDBOX_WRITE", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
	"GCOV_PREFIX", "GCOV_PREFIX_STRIP",
};

int
launch_find(const char *libexec, const char *binary, const char *in_tree, char *out, size_t size, struct err *err)
{
	const char *const names[] = { in_tree, binary };
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(out, size, "%s/%s", libexec, names[i]);
		if (stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0)
			return 0;
	}
	return err_set(err, "there is no program %s in %s", binary, libexec);
}

static void
make_environment(const struct launch *l, char *out[ENVIRONMENT_MAX])
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char lines[sizeof(kept) / sizeof(kept[0])][512], fault[600];
	size_t n = 0;

	out[n++] = path;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const char *value = getenv(kept[i]);

		if (value == NULL)
			continue;
		(void)snprintf(lines[i], sizeof(lines[i]), "%s=%s", kept[i], value);
		out[n++] = lines[i];
	}
	if (l->fault != NULL) {
		(void)snprintf(fault, sizeof(fault), "POSTHORN_FAULT=%s", l->fault);
		out[n++] = fault;
	}
	out[n] = NULL;
}

static void
default_signals(void)
{
	struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &normal, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
give_up(const char *what)
{
	perror(what);
	_exit(EXIT_LAUNCH);
}

/* Every descriptor moves twice: first out of the way of 0-4, then to its place. */
static void
place_descriptors(const struct launch *l)
{
	int null = open("/dev/null", O_RDWR), control = fcntl(l->control, F_DUPFD, 16), lock = -1;

	if (l->lock != -1)
		lock = fcntl(l->lock, F_DUPFD, 16);
	if (null == -1 || control == -1 || (l->lock != -1 && lock == -1))
		give_up("posthornd: descriptors for a child");
	if (dup2(null, 0) == -1 || dup2(null, 1) == -1 || dup2(control, CONTROL_FD) == -1)
		give_up("posthornd: descriptors for a child");
	if (fcntl(2, F_GETFD) == -1)
		(void)dup2(null, 2);
	if (lock != -1 && dup2(lock, LOCK_FD) == -1)
		give_up("posthornd: descriptors for a child");
	if (close_range(lock != -1 ? LOCK_FD + 1 : CONTROL_FD + 1, ~0U, 0) == -1)
		give_up("posthornd: close_range");
}

/* The name must mean this uid here and now, or the process would get another user's groups. */
static void
become(const struct launch *l)
{
	const struct passwd *pw;
	struct err err;

	if (l->login[0] != '\0') {
		pw = getpwnam(l->login);
		if (pw == NULL || pw->pw_uid != l->user->uid) {
			fprintf(stderr, "posthornd: the user of uid %u is not called that\n", (unsigned)l->user->uid);
			_exit(EXIT_LAUNCH);
		}
	}
	if (privdrop(l->user, NULL, l->login, &err) == -1) {
		fprintf(stderr, "posthornd: %s\n", err.text);
		_exit(EXIT_LAUNCH);
	}
}

static _Noreturn void
in_child(const struct launch *l, pid_t parent)
{
	char name[64], *argv[] = { name, NULL }, *environment[ENVIRONMENT_MAX];

	default_signals();
	umask(077);
	if (l->user != NULL && geteuid() == 0)
		become(l);
	if (l->user != NULL)
		(void)setsid();		/* a user's process is nobody's terminal job */
	if (die_with_parent(parent, SIGKILL) == -1)
		_exit(EXIT_LAUNCH);
	place_descriptors(l);
	(void)snprintf(name, sizeof(name), "%s", l->name);
	make_environment(l, environment);
	(void)execve(l->path, argv, environment);
	give_up(l->path);
}

pid_t
launch(const struct launch *l, struct err *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		in_child(l, parent);
	if (pid == -1)
		(void)err_sys(err, "no process for %s", l->name);
	return pid;
}
