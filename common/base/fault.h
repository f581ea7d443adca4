#ifndef BASE_FAULT_H
#define BASE_FAULT_H
/*
 * fault — makes the n-th call of a kind fail, or ends the process there.
 *
 * Compiled in with --enable-debug, --enable-sanitizers and for the tests; in a release build
 * every point is the constant 0. A plan comes from the environment variable POSTHORN_FAULT when
 * the process starts:
 *
 *	alloc:37		the 37th allocation fails, once
 *	store-sync:2+:EIO	the second fdatasync of the store and all after it fail with EIO
 *	step-commit-2:1:KILL	the process ends (SIGKILL) the first time it passes that point
 *	step-commit-2:1:STOP	it stands still there (SIGSTOP), all threads, until somebody ends it
 *	store-sync:1+:SKIP	the call is left out and said to have succeeded, where the caller knows SKIP:
 *				the controls of the power cuts want a disk that lies
 *	*:1+:TELL		every point that is passed is named on stderr
 *	clock:3600:TURN		the wall clock jumps by so many seconds at each SIGUSR2 (TURNED: it has, at once)
 */
#include <stdbool.h>

#define FAULT_SKIP	(-1)		/* a caller that does not know it takes it for a failure */

#ifdef POSTHORN_FAULTS
/* 0: go on. Otherwise the errno with which this call has to fail, or FAULT_SKIP. May not return at all (KILL). */
int	fault_at(const char *point);
void	fault_plan(const char *plan);	/* for tests: replaces what the environment said; NULL: none */
long	fault_count(const char *point);	/* how often the point was passed since the plan was set */
#else
static inline int fault_at(const char *point) { (void)point; return 0; }
#endif

#endif
