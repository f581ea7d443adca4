#ifndef SUPERVISOR_BACKOFF_H
#define SUPERVISOR_BACKOFF_H
/*
 * backoff — how soon a process that died is started again. A pure function of how long it lived and how often in a row it died
 * early: one that served for a second comes back at once; one that dies at birth waits 1, 2, 4 ... 60 seconds.
 */
#include <stdint.h>

#define BACKOFF_EARLY_MS	1000	/* a death before this age counts as early */
#define BACKOFF_MOST_MS		60000

/* Milliseconds to wait. *early counts early deaths in a row; it is the caller's to keep, 0 at first. */
int64_t	backoff_after(int64_t lived_ms, unsigned *early);

#endif
