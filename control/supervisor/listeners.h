#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H
/*
 * listeners — public ports and operators' sockets: bound once here, passed on, kept over restarts of those who accept.
 *
 * A reload binds what is new before anybody is asked, so that a port in use refuses the whole reload. A socket that the new
 * configuration no longer names is shut down for all who hold it: their accept() then says EINVAL.
 */
#include "control/supervisor/child.h"

struct listener;
TAILQ_HEAD(listener_list, listener);

struct listeners {
	struct listener_list	now, next;	/* next: bound during PREPARE */
	int			queue;		/* RUNDIR/queue, for tools that ask queue; -1: not open */
};

void	listeners_init(struct listeners *);
void	listeners_fini(struct listeners *);
/* Start-up: all of the configuration's ports and RUNDIR/queue. Waits up to wait_ms for a predecessor to leave them. */
int	listeners_open(struct listeners *, const struct conf *, int64_t wait_ms, struct err *);
/* Everything a ready child has to accept on. */
void	listeners_give(const struct listeners *, struct child *);

/* Reload: bind what `conf` adds; then either keep (and give the new ones out) or forget. */
int	listeners_prepare(struct listeners *, const struct conf *, struct err *);
void	listeners_commit(struct listeners *, const struct conf *, const struct child_list *);
void	listeners_forget(struct listeners *);

#endif
