#ifndef SUPERVISOR_LAUNCH_H
#define SUPERVISOR_LAUNCH_H
/* launch — fork and exec of one of our own programs, with a clean environment and no descriptor that it was not given. */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/privdrop.h"

struct launch {
	const char		*path;		/* of the program */
	const char		*name;		/* what ps shows */
	const char		*fault;		/* POSTHORN_FAULT for it alone; NULL: none */
	int			 control;	/* becomes descriptor 3; borrowed */
	int			 lock;		/* becomes descriptor 4 and is held open as long as it lives; -1: none; borrowed */
	const struct account	*user;		/* become this user before exec; NULL: stay */
	const char		*login;		/* whose groups it gets with `user`; empty: none but gid */
};

/* The process's id, or -1: err. */
pid_t	launch(const struct launch *, struct err *);
/* Where a program lies: flat in `libexec` when installed, else below a build tree. Writes into out; -1: nowhere. */
int	launch_find(const char *libexec, const char *binary, const char *in_tree, char *out, size_t size, struct err *);

#endif
