#ifndef STORE_THREAD_H
#define STORE_THREAD_H
/* thread — what the store's threads begin and wait with. */
#include <pthread.h>
#include <stdint.h>

#include "base/err.h"

/* All signals stay with the loop's thread. `what` is for err: "start the committer". */
int	thread_start(pthread_t *, void *(*run)(void *), void *arg, const char *what, struct err *);
/* A condition that thread_wait can wait for. */
void	thread_cond_init(pthread_cond_t *);
/* Under the lock: until it is signalled, or `ms` have passed; at least 1. */
void	thread_wait(pthread_cond_t *, pthread_mutex_t *, int64_t ms);

#endif
