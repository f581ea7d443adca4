#ifndef MDA_WORKER_H
#define MDA_WORKER_H
/*
 * worker — the conversation with mda from the worker's side: frames in, files, frames out; blocking, one thing at a time.
 *
 * Answers are gathered while more frames wait in the buffer, so that many deliveries share one system call each way.
 */

#include "base/err.h"

/* Called once, when the Maildir is open and before any content is read: gives up every right but that to the Maildir. */
typedef int worker_confine_fn(const char *maildir, struct err *);

/* Serves mda on fd (taken) until it closes its end. 0, or -1: the conversation broke off. confine may be NULL (tests). */
int	worker_serve(int fd, worker_confine_fn *confine);

#endif
