#ifndef PROC_LIMITS_H
#define PROC_LIMITS_H
/* limits — the kernel's limits for each kind of process, from one table and the configuration. */
#include "conf/conf.h"
#include "proc/sandbox.h"

/* Open files: before the change of user, because root may raise it. What the system does not grant is logged, not fatal. */
int	limits_set_files(enum sandbox, const struct conf *, struct err *);
/* Memory, processes, file sizes: last before the sandbox, after every fork that is still needed. The kernel counts processes
 * by user, so those who need some can be limited only when the user is theirs alone. */
int	limits_set(enum sandbox, const struct conf *, bool own_user, struct err *);

#endif
