/* backoff — at once, or 1, 2, 4 ... 60 seconds. */
#include "control/supervisor/backoff.h"

int64_t
backoff_after(int64_t lived_ms, unsigned *early)
{
	int64_t wait = 1000;

	if (lived_ms >= BACKOFF_EARLY_MS) {
		*early = 0;
		return 0;
	}
	for (unsigned i = 0; i < *early && wait < BACKOFF_MOST_MS; i++)
		wait *= 2;
	if (*early < UINT16_MAX)
		(*early)++;
	return wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS;
}
