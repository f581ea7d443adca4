/*
 * sandbox_proof — a child that enters the sandbox and tries to get out of it.
 *
 * A sandbox that was mistyped, or that this kernel ignores, is seen before the process serves anybody. Each probe
 * is a call that must fail; a row says for which processes. The child always uses the verdict "refuse": the list is the same,
 * and so it can try one probe after the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/landlock.h"
#include "proc/sandbox_private.h"

#define NEVER		0U		/* no group makes it right */

/* Each returns true when the kernel said no. */

static bool
refuses_read(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1;
}

/* The disks lie there, and root without a capability is still their owner. */
static bool
refuses_device(void)
{
	return open("/dev/zero", O_RDONLY | O_CLOEXEC) == -1;
}

static bool
refuses_write(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/posthorn-probe-%ld", (long)getpid());
	if (open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) == -1)
		return true;
	(void)unlink(path);
	return false;
}

static bool
refuses_exec(void)
{
	char *argv[] = { NULL };

	(void)execve("/proc/self/exe", argv, argv);
	return true;			/* had it worked, the pipe would close without a word */
}

static bool
refuses_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid == -1;
}

static bool
refuses_socket(int family, int type)
{
	return socket(family, type, 0) == -1;
}

static bool
refuses_inet(void)
{
	return refuses_socket(AF_INET, SOCK_STREAM) && refuses_socket(AF_INET6, SOCK_DGRAM);
}

static bool
refuses_unix(void)
{
	return refuses_socket(AF_UNIX, SOCK_STREAM);
}

static bool
refuses_raw(void)
{
	return refuses_socket(AF_NETLINK, SOCK_RAW) && refuses_socket(AF_PACKET, SOCK_RAW);
}

static uint16_t probe_port;	/* set in the child: the lowest that is not in its grant */

static void
choose_probe_port(const struct sandbox_grant *grant)
{
	bool taken;

	do {
		probe_port++;
		taken = false;
		for (size_t i = 0; i < SANDBOX_PORTS; i++)
			taken = taken || grant->connect[i] == probe_port;
	} while (taken);
}

/* Nobody listens there; without the rule the answer would be "refused" by the port, not "not permitted". */
static bool
refuses_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(probe_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	return fd == -1 || (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == -1 && errno == EACCES);
}

static bool
refuses_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1;
}

static bool
refuses_signals(void)
{
	return kill(getppid(), 0) == -1;
}

/* Signals by way of a descriptor's owner, or to a thread of another process. */
static bool
refuses_hidden_signals(void)
{
	int ends[2] = { -1, -1 };
	bool refused = pipe2(ends, O_CLOEXEC) == -1 || fcntl(ends[0], F_SETOWN, getppid()) == -1;

	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return refused && syscall(SYS_tgkill, getppid(), getppid(), 0) == -1;
}

/* A user namespace gives all rights within, and with them the kernel's least tried code. */
static bool
refuses_new_space(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid == -1;
}

static bool
refuses_writable_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static bool
refuses_keys(void)
{
	return syscall(SYS_add_key, "user", "posthorn", "x", 1, -2) == -1 && syscall(SYS_unshare, 0) == -1 &&
	    syscall(SYS_bpf, 0, NULL, 0) == -1 && syscall(SYS_setns, 0, 0) == -1;
}

/* Also into the user that it is already, which without a list anybody may: so this is seen without root, too. */
static bool
refuses_other_user(void)
{
	return setresuid(getuid(), getuid(), getuid()) == -1 && setresgid(getgid(), getgid(), getgid()) == -1;
}

/* Owner of the file or not: not even opened for it. */
static bool
refuses_change(void)
{
	return open("/etc/passwd", O_WRONLY | O_CLOEXEC) == -1 && open("/proc/self/comm", O_WRONLY | O_CLOEXEC) == -1;
}

static const struct probe {
	const char	*what;
	bool		(*refuses)(void);
	unsigned	 unless;	/* groups that make it right */
	unsigned	 landlock;	/* from which version of Landlock on it is refused even with those groups; 0: never */
} probes[] = {
	{ "read /etc/passwd",		 refuses_read,		CALLS_READ | CALLS_WRITE | CALLS_SANITIZER, 1 },
	{ "read a device",		 refuses_device,	CALLS_READ | CALLS_WRITE | CALLS_SANITIZER, 1 },
	{ "create a file in /tmp",	 refuses_write,		CALLS_WRITE | CALLS_SANITIZER,	1 },
	{ "open for writing what is there", refuses_change,	CALLS_WRITE | CALLS_SANITIZER,	1 },
	{ "run a program",		 refuses_exec,		NEVER,				0 },
	{ "make a process",		 refuses_fork,		CALLS_FORK | CALLS_SANITIZER,	0 },
	{ "open an internet socket",	 refuses_inet,		CALLS_INET,			0 },
	{ "open a Unix socket",		 refuses_unix,		CALLS_UNIX,			0 },
	{ "open a raw socket",		 refuses_raw,		NEVER,				0 },
	{ "connect to any port",	 refuses_connect,	CALLS_INET,			4 },
	{ "trace a process",		 refuses_ptrace,	CALLS_SANITIZER,		0 },
	{ "signal the supervisor",	 refuses_signals,	CALLS_FORK,			6 },
	{ "signal by a descriptor or thread", refuses_hidden_signals, CALLS_SANITIZER,	0 },
	{ "make a user namespace",	 refuses_new_space,	CALLS_SANITIZER,		0 },
	{ "become a user",		 refuses_other_user,	NEVER,				0 },
	{ "map writable code",		 refuses_writable_code,	CALLS_SANITIZER,		0 },
	{ "use keys, namespaces, bpf",	 refuses_keys,		NEVER,				0 },
};

/* A folder above the probe's file was granted: then the probe proves nothing. */
static bool
granted(const char *const paths[SANDBOX_PATHS], const char *prefix)
{
	for (size_t i = 0; i < SANDBOX_PATHS; i++) {
		size_t len = paths[i] == NULL ? 0 : strlen(paths[i]);

		while (len > 0 && paths[i][len - 1] == '/')
			len--;
		if (paths[i] != NULL && strncmp(paths[i], prefix, len) == 0 && (prefix[len] == '/' || prefix[len] == '\0'))
			return true;
	}
	return false;
}

static bool
applies(const struct probe *p, enum sandbox kind, const struct sandbox_grant *grant)
{
	bool reads = granted(grant->read, "/etc/passwd") || granted(grant->write, "/etc/passwd");

	if (p->refuses == refuses_read && reads)
		return false;
	if (p->refuses == refuses_device && granted(grant->read, "/dev/zero"))
		return false;
	if (p->refuses == refuses_write && granted(grant->write, "/tmp"))
		return false;
	if (p->refuses == refuses_change && (granted(grant->write, "/etc/passwd") || granted(grant->write, "/proc")))
		return false;
	if (p->refuses == refuses_connect && grant->connect_any)
		return false;
	if ((p->unless & sandbox_groups(kind)) == 0)
		return true;
	return p->landlock != 0 && landlock_version() >= (int)p->landlock;
}

/* In the child. One line for the parent: empty is good. */
static _Noreturn void
run_probes(enum sandbox kind, const struct sandbox_grant *grant, int answer)
{
	char line[200] = "+";
	struct err err;

	choose_probe_port(grant);
	if (sandbox_enter_with(kind, grant, CALLS_REFUSE, &err) == -1)
		(void)snprintf(line, sizeof(line), "-cannot enter: %.150s", err.text);
	for (size_t i = 0; line[0] == '+' && i < sizeof(probes) / sizeof(probes[0]); i++)
		if (applies(&probes[i], kind, grant) && !probes[i].refuses())
			(void)snprintf(line, sizeof(line), "-could %s", probes[i].what);
	(void)fd_write_all(answer, line, strlen(line));
	_exit(0);
}

static int
read_answer(int fd, enum sandbox kind, struct err *err)
{
	char line[200] = "";
	ssize_t n = fd_read_full(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return err_set(err, "the %s sandbox could not be proved: its test ended early", sandbox_name(kind));
	if (line[0] != '+')
		return err_set(err, "the %s sandbox does not hold: %s", sandbox_name(kind), line + 1);
	return 0;
}

int
sandbox_prove(enum sandbox kind, const struct sandbox_grant *grant, struct err *err)
{
	int ends[2], status, result;
	pid_t pid;

	if (kind == SANDBOX_NONE)
		return 0;
	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_sys(err, "pipe");
	pid = fork();
	if (pid == 0)
		run_probes(kind, grant, ends[1]);
	fd_close(&ends[1]);
	result = pid == -1 ? err_sys(err, "fork") : read_answer(ends[0], kind, err);
	fd_close(&ends[0]);
	if (pid > 0)
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
	return result;
}
