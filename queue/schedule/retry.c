/*
 * retry — the ladder, its jitter, and what a clock that went back does to it.
 *
 * A pure function of the attempts so far: test_retry.c shows the whole ladder as one table.
 */
#include "queue/schedule/retry.h"

#include "wire/fields.h"

/* Within RETRY_LEAST_MS .. RETRY_MOST_MS, so that no sum below can wrap. */
static int64_t
rung_ms(const struct conf_durations *ladder, uint32_t rung)
{
	int64_t ms = ladder->count == 0 ? RETRY_EMPTY_MS : ladder->v[rung < ladder->count ? rung : ladder->count - 1];

	return ms < RETRY_LEAST_MS ? RETRY_LEAST_MS : ms > RETRY_MOST_MS ? RETRY_MOST_MS : ms;
}

/* A time far outside of what a calendar holds is a broken clock, not a reason to overflow. */
static int64_t
sane(int64_t ms)
{
	return ms < 0 ? 0 : ms > TIME_MS_MAX ? TIME_MS_MAX : ms;
}

int64_t
retry_next_ms(const struct conf_durations *ladder, uint32_t attempts, int64_t now_ms, uint32_t random)
{
	int64_t wait, tenth;

	if (attempts == 0)
		return sane(now_ms);
	wait = rung_ms(ladder, attempts - 1);
	tenth = wait / 10;
	wait += tenth * 2 * (int64_t)random / UINT32_MAX - tenth;
	return sane(now_ms) + wait;
}

int64_t
retry_due_ms(const struct conf_durations *ladder, int64_t next_ms, int64_t now_ms)
{
	int64_t longest = rung_ms(ladder, 0);

	for (uint32_t i = 1; i < ladder->count; i++)
		if (rung_ms(ladder, i) > longest)
			longest = rung_ms(ladder, i);
	longest += longest / 10;
	if (next_ms > sane(now_ms) + longest)
		return sane(now_ms) + longest;
	return next_ms;
}
