#ifndef MDA_WALK_H
#define MDA_WALK_H
/*
 * walk — from / to a directory, one component at a time, trusting nobody but the user and root.
 *
 * Each directory on the way, and each symbolic link, must belong to the user or to root; a directory that everybody may
 * write to must have the sticky bit. So no third person can have planted a link that leads the mail elsewhere.
 */
#include <sys/stat.h>
#include <sys/types.h>

#include "mda/worker/refusal.h"

/*
 * Opens `path` (absolute) with O_PATH; -1: refusal, and errno (ENOENT: a part of the path is missing). The last `may_make`
 * bytes of the path may be made, 0700, where they are missing; what is made is synced with its parent.
 */
int	walk_open(const char *path, size_t may_make, uid_t user, struct refusal *);
/* A directory that mail may lie in: the user's or root's, and not everybody's. */
bool	walk_trusts(const struct stat *, uid_t user);

#endif
