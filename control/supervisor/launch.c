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

#include "base/fd.h"
#include "base/log.h"

#define CONTROL_FD	3
#define LOCK_FD		4
#define ENVIRONMENT_MAX	16
#define EXIT_LAUNCH	127

/* Variables for tests, sanitizers and coverage; a packaged posthornd has none of them but TZ. */
static const char *const kept[] = {
	"TZ", "POSTHORN_SANDBOX_KILL", "POSTHORN_SANDBOX_WRITE", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
	"GCOV_PREFIX", "GCOV_PREFIX_STRIP",
#ifdef POSTHORN_EVIL
	"POSTHORN_EVIL",
#endif
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

/*
 * What is said on stderr before there is a log. Who became another user gets none: it would speak in our name, and a terminal is
 * usually open for reading, too. For the same reason our own get a terminal for writing only.
 */
static void
place_stderr(const struct launch *l, bool root, int null)
{
	int own;

	if ((l->user != NULL && root) || fcntl(2, F_GETFD) == -1) {
		(void)dup2(null, 2);
		return;
	}
	if (!isatty(2))
		return;
	own = open("/proc/self/fd/2", O_WRONLY | O_NOCTTY);
	(void)dup2(own == -1 ? null : own, 2);
}

/* Every descriptor moves twice: first out of the way of 0-4, then to its place. */
static void
place_descriptors(const struct launch *l, bool root)
{
	int null = open("/dev/null", O_RDWR), control = fcntl(l->control, F_DUPFD, 16), lock = -1;

	if (l->lock != -1)
		lock = fcntl(l->lock, F_DUPFD, 16);
	if (null == -1 || control == -1 || (l->lock != -1 && lock == -1))
		give_up("posthornd: descriptors for a child");
	if (dup2(null, 0) == -1 || dup2(null, 1) == -1 || dup2(control, CONTROL_FD) == -1)
		give_up("posthornd: descriptors for a child");
	place_stderr(l, root, null);
	if (lock != -1 && dup2(lock, LOCK_FD) == -1)
		give_up("posthornd: descriptors for a child");
	if (close_range(lock != -1 ? LOCK_FD + 1 : CONTROL_FD + 1, ~0U, 0) == -1)
		give_up("posthornd: close_range");
}

/* The name must mean this uid and gid here and now, or the process would get another user's groups. */
static void
become(const struct launch *l)
{
	const struct passwd *pw;
	struct err err;

	if (l->login[0] != '\0') {
		pw = getpwnam(l->login);
		if (pw == NULL || pw->pw_uid != l->user->uid || pw->pw_gid != l->user->gid) {
			fprintf(stderr, "posthornd: the user of uid %u and gid %u is not called that\n",
			    (unsigned)l->user->uid, (unsigned)l->user->gid);
			_exit(EXIT_LAUNCH);
		}
	}
	if (privdrop(l->user, NULL, l->login, &err) == -1) {
		fprintf(stderr, "posthornd: %s\n", err.text);
		_exit(EXIT_LAUNCH);
	}
}

/* The supervisor is the last that the kernel should end when memory is short; who is started by it comes back. */
static void
be_mortal(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd != -1)
		(void)!write(fd, "0", 1);
	fd_close(&fd);
}

static _Noreturn void
in_child(const struct launch *l, pid_t parent)
{
	char name[64], *argv[] = { name, NULL }, *environment[ENVIRONMENT_MAX];
	bool root = geteuid() == 0;

	default_signals();
	umask(077);
	if (root)
		be_mortal();
	/* Where we happen to be is open to whoever stands there, also when the way to it is closed. */
	if (l->path[0] == '/' && chdir("/") == -1)
		give_up("posthornd: /");
	if (l->user != NULL && root)
		become(l);
	if (l->user != NULL)
		(void)setsid();		/* a user's process is nobody's terminal job */
	if (die_with_parent(parent, SIGKILL) == -1)
		_exit(EXIT_LAUNCH);
	place_descriptors(l, root);
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
