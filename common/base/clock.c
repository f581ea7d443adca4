/*
 * clock — reads the kernel's clocks and adds what a test asked for.
 */
#include "base/clock.h"

#include <time.h>

static _Atomic int64_t turned_mono_ms, turned_wall_ms;	/* threads read them */

static int64_t
read_us(clockid_t which)
{
	struct timespec ts;

	(void)clock_gettime(which, &ts);	/* cannot fail for these clocks */
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000 + turned_mono_ms;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC) + turned_mono_ms * 1000;
}

int64_t
clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000 + turned_wall_ms;
}

int64_t
clock_wall(void)
{
	return clock_wall_ms() / 1000;
}

void
clock_turn(int64_t mono_ms, int64_t wall_ms)
{
	turned_mono_ms += mono_ms;
	turned_wall_ms += wall_ms;
}

int64_t
clock_turned_ms(void)
{
	return turned_mono_ms;
}
