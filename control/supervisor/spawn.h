#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H
/*
 * spawn — workers for mda: processes that run as the users whose mail they deliver.
 *
 * mda says for whom; this room decides whether such a user may be had at all: never root, never a system account, never one
 * of posthorn's own, and without root nobody but ourselves. Workers die with mda, and mda is not started again before they are reaped.
 */
#include <bsd/sys/queue.h>

#include "control/supervisor/child.h"

#define SPAWN_SERVICES_MAX	16

/* What may become a worker. */
struct spawn_policy {
	bool	root;				/* we can become users */
	uid_t	own;				/* without root: the only uid there is */
	uid_t	first_uid;
	uid_t	services[SPAWN_SERVICES_MAX];	/* posthorn's own users, and their groups */
	gid_t	groups[SPAWN_SERVICES_MAX];
	size_t	service_count;
};

struct worker;
LIST_HEAD(worker_list, worker);

struct spawn {
	struct stage		*stage;
	struct spawn_policy	 policy;
	struct child		*child;		/* mda's, while there is a wire */
	struct channel		*mda;
	struct worker_list	 workers;
	uint32_t		 count;
};

/* 0, or -1: err says why not. `named`: it comes with a login name, which launch.c compares with both ids. */
int	spawn_allowed(const struct spawn_policy *, uid_t, gid_t, bool named, struct err *);

void	spawn_init(struct spawn *, struct stage *);
int	spawn_know_users(struct spawn *, struct err *);	/* as root: all of posthorn's users must exist */
void	spawn_join(struct spawn *, struct child *mda);	/* mda is ready: gives it the spawn wire */
void	spawn_end(struct spawn *);			/* mda is dead: closes the wire and kills all workers */
bool	spawn_reaped(struct spawn *, pid_t, int status);	/* false: not one of ours */

#endif
