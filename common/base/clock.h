#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
/*
 * clock — the two times, and a way for tests to turn both.
 *
 * Intervals and deadlines use the monotonic clock; dates in mail, logs and the queue's schedule
 * use the wall clock.
 */
#include <stdint.h>

int64_t	clock_mono_ms(void);
int64_t	clock_mono_us(void);
int64_t	clock_wall_ms(void);		/* since 1970, UTC */
int64_t	clock_wall(void);		/* the same in seconds */

/* For tests: adds to what the two functions above return from now on. */
void	clock_turn(int64_t mono_ms, int64_t wall_ms);
/* The sum for the monotonic clock: a loop that sees it change sets its timers anew. */
int64_t	clock_turned_ms(void);

#endif
