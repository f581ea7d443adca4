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
 */
#include <stdbool.h>

#ifdef POSTHORN_FAULTS
/* 0: go on. Otherwise the errno with which this call has to fail. May not return at all (KILL). */
int	fault_at(const char *point);
void	fault_plan(const char *plan);	/* for tests: replaces what the environment said; NULL: none */
long	fault_count(const char *point);	/* how often the point was passed since the plan was set */
#else
static inline int fault_at(const char *point) { (void)point; return 0; }
#endif

#endif
