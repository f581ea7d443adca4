#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H
/*
 * sandbox — what a process may still ask of the kernel once it serves.
 *
 * One table (sandbox.c) says for each kind which groups of system calls it has (proc/calls.h), whether it lives in the empty
 * folder, and what Landlock leaves of the file system and of TCP. The kernel's Landlock version is asked at run time; without
 * Landlock the rest still holds. Entering cannot be undone and is inherited by children.
 *
 * The environment POSTHORN_SANDBOX_KILL=1 makes a forbidden call end the process (tests); otherwise it fails with EPERM and the
 * kernel notes it in its audit log. Asking for a file or a device setting is always a plain error: libraries do that in passing.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sandbox {
	SANDBOX_NONE,
	SANDBOX_SESSION,	/* smtpd: accepted sockets, DNS; no files, no exec, no fork */
	SANDBOX_NETWORK,	/* relay: own sockets and DNS; no files, no exec, no fork */
	SANDBOX_STORE,		/* queue: files below the queue directory; threads; no network */
	SANDBOX_LOOKUP,		/* lookup: reads files, NSS; forks its workers; no network but what NSS needs */
	SANDBOX_DELIVER,	/* mda: syncfs on passed descriptors; threads; no files, no network, no exec */
	SANDBOX_MAILBOX,	/* worker: the user's Maildir; no network, no exec */
	SANDBOX_KEY,		/* key: nothing but its wires */
	SANDBOX_LOG,		/* logger: one file or the syslog socket */
	SANDBOX_PAM,		/* pam: reads files, PAM modules and what they ask; forks its checkers; no writing, no exec */
	SANDBOX_COUNT
};

#define SANDBOX_PATHS	12
#define SANDBOX_PORTS	16

/* What this one process has within its kind: borrowed paths of folders (all below each), TCP ports it may connect to. */
struct sandbox_grant {
	const char	*write[SANDBOX_PATHS];		/* read, create, write, rename, remove; unused: NULL */
	const char	*read[SANDBOX_PATHS];
	const char	*read_beside;			/* a file: all below the folder that it lies in; NULL: none */
	uint16_t	 connect[SANDBOX_PORTS];	/* unused: 0 */
	bool		 connect_any;			/* to every port: what they are is nobody's of ours to know */
};

const char	*sandbox_name(enum sandbox);
bool		 sandbox_chroots(enum sandbox);		/* lives in the empty folder when started as root */
/* 0, or the version of Landlock that this kernel offers. */
int		 sandbox_landlock(void);
/* Enters: no_new_privs, not dumpable, Landlock, system call list. -1: err, and the process must not go on. */
int		 sandbox_enter(enum sandbox, const struct sandbox_grant *, struct err *);
/* A forked child enters the same sandbox and tries what must not work. -1: err names what did work; nobody may then serve. */
int		 sandbox_prove(enum sandbox, const struct sandbox_grant *, struct err *);
/* True when `next` asks for a port or folder that `now` does not have: the process has to be replaced. */
bool		 sandbox_grant_widens(const struct sandbox_grant *now, const struct sandbox_grant *next);

#endif
