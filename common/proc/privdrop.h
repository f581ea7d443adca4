#ifndef PROC_PRIVDROP_H
#define PROC_PRIVDROP_H
/* privdrop — from root to a user for good, or to a root without rights: every step is checked and then read back. */
#include <sys/types.h>

#include "base/err.h"

struct account {
	uid_t	uid;
	gid_t	gid;
};

/* -1: err says that the account is missing, and what makes it. */
int	account_find(const char *user, struct account *, struct err *);
/* `empty`: a folder to live in from now on, owned by root and not writable by others; NULL: none. `login`: whose supplementary
 * groups to take; NULL or empty: none. */
int	privdrop(const struct account *, const char *empty, const char *login, struct err *);
/* Stays uid 0, for what asks for that number, and gives up for good what makes more of it than the owner of root's files:
 * capabilities and supplementary groups. */
int	privdrop_capabilities(struct err *);
/* Opens a file with that user's rights instead of root's, for a path that the user may be able to replace. As open(2). */
int	open_as(const struct account *, const char *path, int flags, mode_t mode);
/* Ends this process with `signo` when `parent` ends (set it after the change of user, which clears it). -1: the parent is gone. */
int	die_with_parent(pid_t parent, int signo);

#endif
