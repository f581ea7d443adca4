/*
 * peers — sockets of its own, and other processes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/evil/attacks.h"

/* ---- sockets ---- */

static int
connect_to(int family, const struct sockaddr *to, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), result = fd == -1 ? -1 : connect(fd, to, len);
	int error = errno;

	fd_close(&fd);
	errno = error;
	return result;
}

static struct sockaddr_in
loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int
do_tcp(const char *port)
{
	struct sockaddr_in to = loopback(port);

	return connect_to(AF_INET, (const struct sockaddr *)&to, sizeof(to));
}

static int
do_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return connect_to(AF_UNIX, (const struct sockaddr *)&to, sizeof(to));
}

static int
do_bind(const char *port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = fd == -1 ? -1 : bind(fd, (const struct sockaddr *)&at, sizeof(at)), error = errno;

	fd_close(&fd);
	errno = error;
	return result;
}

static int
do_listen(const char *port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result = -1, error;

	if (fd != -1 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		result = listen(fd, 1);
	error = errno;
	fd_close(&fd);
	errno = error;
	return result;
}

static int
do_family(const char *number)
{
	int family = (int)strtol(number, NULL, 10);

	return opened(socket(family, family == AF_ALG ? SOCK_SEQPACKET : SOCK_RAW, 0));
}

/* ---- other processes ---- */

static pid_t
pid_of(const char *number)
{
	return (pid_t)strtol(number, NULL, 10);
}

static int
do_fork(const char *unused)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)unused;
	if (pid == 0)
		_exit(0);
	return pid == -1 || waitpid(pid, NULL, 0) == -1 ? -1 : 0;
}

static int
do_clone3(const char *unused)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} how = { .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));

	(void)unused;
	if (pid == 0)
		_exit(0);
	return pid == -1 || waitpid(pid, NULL, 0) == -1 ? -1 : 0;
}

static int
just_exec(const char *path)
{
	char *argv[] = { NULL, NULL }, *environment[] = { NULL };

	argv[0] = (char *)(uintptr_t)path;
	return execve(path, argv, environment);
}

static int
do_exec(const char *path)
{
	return in_child(just_exec, path);
}

/* A program that it has made itself, in memory. */
static int
just_exec_memory(const char *unused)
{
	static const char script[] = "#!/bin/true\n";
	char *none[] = { NULL };
	int fd = memfd_create("evil", 0);

	(void)unused;
	if (fd == -1)
		return -1;
	(void)!write(fd, script, sizeof(script) - 1);	/* who may write no file at all has an empty program, which is refused all the same */
	return (int)syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
}

static int
do_exec_memory(const char *unused)
{
	return in_child(just_exec_memory, unused);
}

static int
just_ptrace(const char *pid)
{
	return (int)ptrace(PTRACE_SEIZE, pid_of(pid), NULL, NULL);
}

/* What is traced is let go when the tracer ends. */
static int
do_ptrace(const char *pid)
{
	return in_child(just_ptrace, pid);
}

static int
do_kill(const char *pid)
{
	return kill(pid_of(pid), 0);
}

static int
do_tgkill(const char *pid)
{
	return (int)syscall(SYS_tgkill, pid_of(pid), pid_of(pid), 0);
}

static int
do_pidfd(const char *pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid_of(pid), 0);
	int result = fd == -1 ? -1 : (int)syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);

	fd_close(&fd);
	return result;
}

static int
do_owner(const char *pid)
{
	int ends[2] = { -1, -1 };
	int result = pipe2(ends, O_CLOEXEC) == -1 ? -1 : fcntl(ends[0], F_SETOWN, pid_of(pid)), error = errno;

	fd_close(&ends[0]);
	fd_close(&ends[1]);
	errno = error;
	return result;
}

/* One byte at an address where every program has something, or has not: EFAULT means that it may look. */
static int
do_peek(const char *pid)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };

	return process_vm_readv(pid_of(pid), &here, 1, &there, 1, 0) == -1 && errno != EFAULT ? -1 : 0;
}

static int
do_limits_of(const char *pid)
{
	struct rlimit files = { 0, 0 };

	if (prlimit(pid_of(pid), RLIMIT_NOFILE, NULL, &files) == -1)
		return -1;
	return prlimit(pid_of(pid), RLIMIT_NOFILE, &files, NULL);
}

static int
do_priority(const char *pid)
{
	return setpriority(PRIO_PROCESS, (id_t)pid_of(pid), 0);
}

const struct attack peer_attacks[] = {
	{ "tcp", do_tcp }, { "unix", do_unix }, { "bind", do_bind }, { "listen", do_listen }, { "family", do_family },
	{ "fork", do_fork }, { "clone3", do_clone3 }, { "exec", do_exec }, { "exec-memory", do_exec_memory }, { "ptrace", do_ptrace },
	{ "kill", do_kill }, { "tgkill", do_tgkill }, { "pidfd", do_pidfd }, { "owner", do_owner }, { "peek", do_peek },
	{ "limits-of", do_limits_of }, { "priority", do_priority },
	{ NULL, NULL },
};
