/*
 * cover_exit — in a coverage build, the counters of a process that is about to end without exit().
 *
 * gcov writes at exit(). A child that leaves by _exit, or that a fault point kills, would take with it all that it had run. These
 * two stand in front of the C library's: they write the counters first. What another process kills leaves none.
 */
#ifdef POSTHORN_COVERAGE
#include <gcov.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

void
_exit(int status)
{
	__gcov_dump();
	for (;;)
		(void)syscall(SYS_exit_group, status);
}

int
raise(int sig)
{
	if (sig == SIGKILL)
		__gcov_dump();
	return (int)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
}
#else
typedef int cover_exit_is_for_coverage_builds;
#endif
