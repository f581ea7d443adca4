/*
 * calls — the list of system calls, each with the groups that may use it.
 *
 * A row may ask that certain bits of one argument have a certain value. What no row allows is refused. A few calls are
 * refused gently even where the verdict is to kill, because the C library makes them in passing (opening a locale, asking
 * a descriptor whether it is a terminal) and copes with the answer.
 */
#include "proc/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES	(CALLS_READ | CALLS_WRITE)
#define ASAN	CALLS_SANITIZER

struct call {
	int		nr;
	unsigned	groups;
	struct {
		unsigned	index;		/* of the argument */
		uint64_t	mask, value;	/* mask 0: any argument will do */
	} only;
};

#define CALL(name, groups)			{ SCMP_SYS(name), (groups), { 0, 0, 0 } }
#define CALL_IF(name, groups, i, mask, value)	{ SCMP_SYS(name), (groups), { (i), (mask), (value) } }
#define OPENS_FOR_WRITING	(O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define NEW_SPACES	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define INT_MASK		0xffffffffU	/* an int argument; the upper half of the register means nothing */

static const struct call calls[] = {
	/* descriptors it was given */
	CALL(read, CALLS_BASE), CALL(readv, CALLS_BASE), CALL(pread64, CALLS_BASE), CALL(preadv, CALLS_BASE), CALL(preadv2, CALLS_BASE),
	CALL(write, CALLS_BASE), CALL(writev, CALLS_BASE), CALL(pwrite64, CALLS_BASE), CALL(pwritev, CALLS_BASE), CALL(pwritev2, CALLS_BASE),
	CALL(close, CALLS_BASE), CALL(close_range, CALLS_BASE), CALL(dup, CALLS_BASE), CALL(dup2, CALLS_BASE), CALL(dup3, CALLS_BASE),
	CALL(sync_file_range, CALLS_BASE), CALL(lseek, CALLS_BASE), CALL(fstat, CALLS_BASE), CALL(ftruncate, CALLS_BASE), CALL(fstatfs, CALLS_BASE),
	CALL_IF(newfstatat, CALLS_BASE, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),	/* the C library's fstat */
	CALL_IF(statx, CALLS_BASE, 2, AT_EMPTY_PATH, AT_EMPTY_PATH),
	/* fcntl without F_SETOWN and F_SETSIG, by which one can signal other processes, and without leases and notices */
	CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_DUPFD), CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_DUPFD_CLOEXEC),
	CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_GETFD), CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_SETFD),
	CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_GETFL), CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_SETFL),
	CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_ADD_SEALS), CALL_IF(fcntl, CALLS_BASE, 1, INT_MASK, F_GET_SEALS),
	CALL_IF(fcntl, FILES, 1, INT_MASK, F_GETLK), CALL_IF(fcntl, FILES, 1, INT_MASK, F_SETLK), CALL_IF(fcntl, FILES, 1, INT_MASK, F_SETLKW),
	CALL(sendfile, CALLS_BASE), CALL(splice, CALLS_BASE), CALL(memfd_create, CALLS_BASE),
	CALL(pipe2, CALLS_BASE), CALL(eventfd2, CALLS_BASE), CALL(timerfd_create, CALLS_BASE), CALL(timerfd_settime, CALLS_BASE),
	/* waiting */
	CALL(epoll_create1, CALLS_BASE), CALL(epoll_ctl, CALLS_BASE), CALL(epoll_wait, CALLS_BASE), CALL(epoll_pwait, CALLS_BASE),
	CALL(epoll_pwait2, CALLS_BASE), CALL(poll, CALLS_BASE), CALL(ppoll, CALLS_BASE), CALL(select, CALLS_BASE), CALL(pselect6, CALLS_BASE),
	CALL(futex, CALLS_BASE), CALL(nanosleep, CALLS_BASE), CALL(clock_nanosleep, CALLS_BASE), CALL(sched_yield, CALLS_BASE),
	CALL(restart_syscall, CALLS_BASE),
	/* sockets it was given */
	CALL(recvmsg, CALLS_BASE), CALL(recvmmsg, CALLS_BASE), CALL(recvfrom, CALLS_BASE), CALL(sendmsg, CALLS_BASE), CALL(sendmmsg, CALLS_BASE),
	CALL(sendto, CALLS_BASE), CALL(shutdown, CALLS_BASE), CALL(getsockopt, CALLS_BASE), CALL(setsockopt, CALLS_BASE),
	CALL(getsockname, CALLS_BASE), CALL(getpeername, CALLS_BASE),
	/* memory: nothing is made executable */
	CALL_IF(mmap, CALLS_BASE, 2, PROT_EXEC, 0), CALL_IF(mprotect, CALLS_BASE, 2, PROT_EXEC, 0),
	CALL(munmap, CALLS_BASE), CALL(mremap, CALLS_BASE), CALL(madvise, CALLS_BASE), CALL(brk, CALLS_BASE), CALL(membarrier, CALLS_BASE),
	/* time, chance, itself */
	CALL(clock_gettime, CALLS_BASE), CALL(clock_getres, CALLS_BASE), CALL(gettimeofday, CALLS_BASE), CALL(time, CALLS_BASE),
	CALL(getrandom, CALLS_BASE), CALL(getpid, CALLS_BASE), CALL(gettid, CALLS_BASE), CALL(getppid, CALLS_BASE), CALL(getuid, CALLS_BASE),
	CALL(geteuid, CALLS_BASE), CALL(getgid, CALLS_BASE), CALL(getegid, CALLS_BASE), CALL(getcpu, CALLS_BASE), CALL(getrusage, CALLS_BASE),
	CALL(sched_getaffinity, CALLS_BASE), CALL(uname, CALLS_BASE), CALL(sysinfo, CALLS_BASE), CALL(umask, CALLS_BASE),
	CALL_IF(prlimit64, CALLS_BASE, 2, UINT64_MAX, 0), CALL(getrlimit, CALLS_BASE), CALL_IF(prctl, CALLS_BASE, 0, INT_MASK, PR_SET_NAME),
	CALL(rt_sigaction, CALLS_BASE), CALL(rt_sigprocmask, CALLS_BASE), CALL(rt_sigreturn, CALLS_BASE), CALL(rt_sigpending, CALLS_BASE),
	CALL(sigaltstack, CALLS_BASE), CALL(alarm, CALLS_BASE), CALL(setitimer, CALLS_BASE),
	CALL(set_robust_list, CALLS_BASE), CALL(rseq, CALLS_BASE), CALL(exit, CALLS_BASE), CALL(exit_group, CALLS_BASE),
	/* new sockets */
	CALL_IF(socket, CALLS_INET, 0, INT_MASK, AF_INET), CALL_IF(socket, CALLS_INET, 0, INT_MASK, AF_INET6),
	CALL_IF(socket, CALLS_UNIX, 0, INT_MASK, AF_UNIX),
	CALL(connect, CALLS_INET | CALLS_UNIX), CALL(bind, CALLS_INET),
	CALL(accept, CALLS_ACCEPT), CALL(accept4, CALLS_ACCEPT),
	CALL_IF(socketpair, CALLS_FORK, 0, INT_MASK, AF_UNIX),
	/* files by name */
	CALL_IF(open, CALLS_READ, 1, OPENS_FOR_WRITING, O_RDONLY), CALL_IF(openat, CALLS_READ, 2, OPENS_FOR_WRITING, O_RDONLY),
	CALL(stat, FILES), CALL(lstat, FILES), CALL(newfstatat, FILES), CALL(statx, FILES), CALL(access, FILES), CALL(faccessat, FILES),
	CALL(faccessat2, FILES), CALL(readlink, FILES), CALL(readlinkat, FILES), CALL(getdents64, FILES), CALL(getcwd, FILES), CALL(chdir, FILES),
	CALL(fchdir, FILES), CALL(statfs, FILES), CALL(flock, FILES), CALL(fadvise64, FILES), CALL(readahead, FILES),
	CALL(open, CALLS_WRITE), CALL(openat, CALLS_WRITE), CALL(mkdir, CALLS_WRITE), CALL(mkdirat, CALLS_WRITE),
	CALL(rename, CALLS_WRITE), CALL(renameat, CALLS_WRITE), CALL(renameat2, CALLS_WRITE), CALL(link, CALLS_WRITE), CALL(linkat, CALLS_WRITE),
	CALL(unlink, CALLS_WRITE), CALL(unlinkat, CALLS_WRITE), CALL(rmdir, CALLS_WRITE),
	/* modes by descriptor only, and no set-id bits: Landlock has no rule for chmod, which would reach all files of this user */
	CALL(fallocate, CALLS_WRITE), CALL_IF(fchmod, CALLS_WRITE, 1, S_ISUID | S_ISGID | S_ISVTX, 0),
	CALL(fsync, CALLS_SYNC), CALL(fdatasync, CALLS_SYNC), CALL(syncfs, CALLS_SYNC),
	/* more of itself */
	CALL_IF(clone, CALLS_THREADS, 0, CLONE_THREAD, CLONE_THREAD),
	CALL_IF(clone, CALLS_FORK, 0, NEW_SPACES, 0), CALL_IF(prctl, CALLS_FORK, 0, INT_MASK, PR_SET_PDEATHSIG),
	CALL(fork, CALLS_FORK), CALL(vfork, CALLS_FORK), CALL(wait4, CALLS_FORK), CALL(waitid, CALLS_FORK), CALL(kill, CALLS_FORK),
	CALL_IF(prctl, CALLS_CODE, 0, INT_MASK, PR_CAPBSET_READ),	/* libcap looks what there is, when a module brings it */
	CALL_IF(mmap, CALLS_CODE, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC),	/* what was written does not become code later: no mprotect */
	/* A leak checker stops its own process from a clone of it, and reads /proc; a coverage runtime writes its counters. */
	CALL(clone, ASAN), CALL(clone3, ASAN), CALL(wait4, ASAN), CALL(ptrace, ASAN), CALL(prctl, ASAN), CALL(ioctl, ASAN), CALL(open, ASAN),
	CALL(openat, ASAN), CALL(readlink, ASAN), CALL(readlinkat, ASAN), CALL(stat, ASAN), CALL(newfstatat, ASAN), CALL(access, ASAN),
	CALL(getdents64, ASAN), CALL(getdents, ASAN), CALL(getcwd, ASAN), CALL(arch_prctl, ASAN), CALL(mkdir, ASAN), CALL(sched_setaffinity, ASAN), CALL(mmap, ASAN),
	CALL(tgkill, ASAN), CALL(fcntl, ASAN), CALL(personality, ASAN), CALL(process_vm_readv, ASAN),
};

/* Asked for in passing by libraries; the answer is always no. clone3 says "not known here", so that clone is tried. */
static const struct {
	int		nr, code;
	unsigned	unless;		/* groups in which it is allowed after all */
} gentle[] = {
	{ SCMP_SYS(open), ENOENT, FILES | ASAN }, { SCMP_SYS(openat), ENOENT, FILES | ASAN }, { SCMP_SYS(access), ENOENT, FILES | ASAN },
	{ SCMP_SYS(readlink), ENOENT, FILES | ASAN }, { SCMP_SYS(stat), ENOENT, FILES | ASAN },
	{ SCMP_SYS(ioctl), ENOTTY, ASAN }, { SCMP_SYS(clone3), ENOSYS, ASAN }, { SCMP_SYS(sched_setaffinity), EPERM, ASAN },
	{ SCMP_SYS(getgroups), EPERM, 0 }, { SCMP_SYS(fchown), EPERM, 0 }, { SCMP_SYS(setpriority), EPERM, 0 },
};

/* libpam asks for the kernel's audit log in passing. EPERM would make every login trouble; this says that the kernel has none. */
static int
add_gentle_audit(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
	    SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, INT_MASK, AF_NETLINK));
}

/* For abort and raise: a signal to our own threads. A process forked later has another id, and may not; it ends all the same. */
static int
add_own_signals(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, INT_MASK, (uint64_t)getpid()));
}

static int
add_call(scmp_filter_ctx filter, const struct call *c)
{
	if (c->only.mask == 0)
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, c->nr, 0);
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, c->nr, 1,
	    SCMP_CMP64(c->only.index, SCMP_CMP_MASKED_EQ, c->only.mask, c->only.value));
}

static int
fill(scmp_filter_ctx filter, unsigned groups)
{
	size_t i;
	int result;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if ((calls[i].groups & groups) == 0)
			continue;
		result = add_call(filter, &calls[i]);
		if (result < 0 && result != -EEXIST)	/* two groups may share a row's call */
			return result;
	}
	for (i = 0; i < sizeof(gentle) / sizeof(gentle[0]); i++) {
		if ((gentle[i].unless & groups) != 0)
			continue;
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)gentle[i].code), gentle[i].nr, 0);
		if (result < 0 && result != -EACCES)	/* the same as the verdict for all */
			return result;
	}
	return 0;
}

static int
adjust(scmp_filter_ctx filter, enum calls_verdict verdict)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	/* A tree instead of a list; and no extra slowness meant for filters around foreign machine code: all code here is ours. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	if (verdict == CALLS_REFUSE)
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	return result;
}

int
calls_enter(unsigned groups, enum calls_verdict verdict, struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(verdict == CALLS_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	int result;

	if (filter == NULL)
		return err_set(err, "no memory for the system call filter");
	result = adjust(filter, verdict);
	if (result == 0)
		result = add_own_signals(filter);
	if (result == 0)
		result = add_gentle_audit(filter);
	if (result == 0)
		result = fill(filter, groups);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	errno = -result;
	return result == 0 ? 0 : err_sys(err, "the system call filter");
}
