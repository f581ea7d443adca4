#ifndef SUPPORT_TURNS_H
#define SUPPORT_TURNS_H
/* turns — runs a loop for so many milliseconds, and then as many rounds more as a question and its answer take. The rounds count: on a
 * machine that stood still all the while, time alone is over before anybody was heard. */
#include "tests/support/testing.h"

#include "event/loop.h"
#include "event/timer.h"

#define TURNS	6	/* there, back, what the answer sets off, and that there is no more */

/* `end` stops the loop. */
static inline void
turns_run(struct loop *loop, struct timer *end, int64_t ms)
{
	for (int i = 0; i < TURNS; i++) {
		timer_set(end, i == 0 ? ms : 0);
		assert_int_equal(loop_run(loop), 0);
	}
}

#endif
