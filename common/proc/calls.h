#ifndef PROC_CALLS_H
#define PROC_CALLS_H
/* calls — which system calls each group allows, and the filter made of them (libseccomp stays inside calls.c). */
#include "base/err.h"

enum {
	CALLS_BASE	= 1 << 0,	/* memory, time, descriptors it was given, its own signals */
	CALLS_INET	= 1 << 1,	/* new IPv4 and IPv6 sockets, connecting them */
	CALLS_ACCEPT	= 1 << 2,	/* on listening sockets it was given */
	CALLS_UNIX	= 1 << 3,	/* new Unix sockets, connecting them */
	CALLS_READ	= 1 << 4,	/* open files for reading, look at folders */
	CALLS_WRITE	= 1 << 5,	/* create, write, rename, remove */
	CALLS_SYNC	= 1 << 6,	/* fsync and its kin on what it has open */
	CALLS_THREADS	= 1 << 7,
	CALLS_FORK	= 1 << 8,	/* processes of its own, and ending them */
	CALLS_CODE	= 1 << 9,	/* map shared objects (NSS modules); memory that was written never becomes code, a file in memory can */
	CALLS_SANITIZER	= 1 << 10,	/* what a sanitizer's or coverage runtime needs; never in a release build */
};

enum calls_verdict { CALLS_REFUSE, CALLS_KILL };	/* what a call outside the list meets */

/* Puts this process and its threads under the filter. no_new_privs must be set. */
int	calls_enter(unsigned groups, enum calls_verdict, struct err *);

#endif
