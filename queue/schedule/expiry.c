/* expiry — ages on a clock that nobody can set. Pure; see expiry.h for the reasons. */
#include "queue/schedule/expiry.h"

#include "wire/fields.h"

int64_t
expiry_arrival_mono(int64_t arrival_ms, int64_t wall_now_ms, int64_t mono_now_ms)
{
	int64_t age = 0;

	if (wall_now_ms > TIME_MS_MAX)
		wall_now_ms = TIME_MS_MAX;
	if (arrival_ms >= 0 && arrival_ms < wall_now_ms)
		age = wall_now_ms - arrival_ms;
	return mono_now_ms - age;
}

int64_t
expiry_limit_ms(const struct conf_queue *conf, bool null_path)
{
	return null_path ? conf->bounce_expire : conf->expire;
}

/* How long this life of queue must have known a message before it may give it up. */
static int64_t
settle_ms(int64_t limit)
{
	return limit / 10 < EXPIRY_SETTLE_MS ? limit / 10 : EXPIRY_SETTLE_MS;
}

enum expiry_verdict
expiry_of(const struct conf_queue *conf, const struct expiry_facts *facts, int64_t mono_now_ms)
{
	int64_t limit = expiry_limit_ms(conf, facts->null_path);
	int64_t age = mono_now_ms - facts->arrival_mono_ms;
	int64_t known_since =
	    facts->arrival_mono_ms > facts->start_mono_ms ? facts->arrival_mono_ms : facts->start_mono_ms;

	if (facts->attempts == 0)
		return EXPIRY_KEEP;
	if (age >= limit && mono_now_ms - known_since >= settle_ms(limit))
		return EXPIRY_GIVE_UP;
	if (conf->delay_warning > 0 && age >= conf->delay_warning && !facts->null_path && !facts->warned &&
	    !facts->unwanted)
		return EXPIRY_WARN;
	return EXPIRY_KEEP;
}
