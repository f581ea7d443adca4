#ifndef SUPERVISOR_CAST_H
#define SUPERVISOR_CAST_H
/* cast — the list of children as the configuration wants it: who is added, who goes, who belongs to which rank. */
#include "control/supervisor/child.h"

#define STOP_SHARE_MS	1000	/* a tenth of the ten seconds that an orderly stop may take */

/* Adds who is new in stage->conf, not started yet. -1: no memory. */
int		 cast_add(struct child_list *, struct stage *, struct err *);
/* Sends away who is no longer in it; whoever runs is stopped first and forgotten when reaped. */
void		 cast_trim(struct child_list *, const struct conf *);
void		 cast_forget(struct child_list *, struct child *);	/* has no process */
struct child	*cast_of_pid(const struct child_list *, pid_t);		/* NULL: none of them */
bool		 cast_rank_runs(const struct child_list *, unsigned rank);
void		 cast_stop_rank(struct child_list *, unsigned rank);

#endif
