#ifndef SCHEDULE_RETRY_H
#define SCHEDULE_RETRY_H
/*
 * retry — when to try a recipient again (RFC 5321 4.5.4.1).
 *
 * Pure functions of a ladder of waits: no clock, no state. The ladder of lost final replies (ACTION_UNKNOWN) is
 * the same thing with other rungs.
 */
#include "conf/conf.h"

#define RETRY_LEAST_MS	INT64_C(1000)			/* the shortest wait, whatever the ladder says */
#define RETRY_MOST_MS	(INT64_C(30) * 86400 * 1000)	/* the longest */
#define RETRY_EMPTY_MS	(INT64_C(30) * 60 * 1000)	/* the wait when the ladder has no rung */

/*
 * The wall clock time of the next attempt. `attempts` were made, the last one at now_ms: after the first comes
 * the first rung, and the last rung repeats. `random` (all 32 bits) moves the wait by up to a tenth either way,
 * so that what failed together does not come back together. No attempt yet: at once.
 */
int64_t	retry_next_ms(const struct conf_durations *ladder, uint32_t attempts, int64_t now_ms, uint32_t random);
/*
 * A stored time, as it counts now. One that lies further ahead than the ladder can have meant was written
 * before the wall clock was set back: it becomes the longest wait from now, so that no mail sleeps for years.
 */
int64_t	retry_due_ms(const struct conf_durations *ladder, int64_t next_ms, int64_t now_ms);

#endif
