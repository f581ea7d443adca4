#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H
/* rundir — the folders that must be there before anybody starts, and the lock that says there is one posthorn here. */
#include "base/err.h"
#include "conf/conf.h"

/* Run directory, RUNDIR/empty, the queue's directory: made when missing, with the right owner. */
int	rundir_prepare(const struct conf *, struct err *);
/* The lock's descriptor. Waits up to wait_ms for a predecessor's processes, who hold it as long as they live. -1: err. */
int	rundir_lock(const char *directory, int64_t wait_ms, struct err *);

#endif
