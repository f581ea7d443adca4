#ifndef SCHEDULE_EXPIRY_H
#define SCHEDULE_EXPIRY_H
/*
 * expiry — when to warn the sender of a delay, and when to give up.
 *
 * The wall clock may jump by years (a dead battery, a wrong date typed in) and must not return a whole queue to
 * its senders. So a message's age is counted on the monotonic clock from the moment that this life of `queue`
 * knows it, and only what was older then rests on the wall clock:
 *
 *	age = (wall then - arrival, at least 0) + (monotonic now - monotonic then)
 *
 * That protects against jumps while queue runs. Against a machine that started with a wrong date there are two
 * more conditions for giving up: at least one attempt was made, and this life of queue has known the message
 * for an hour (a tenth of the limit, when that is shorter) — time for the clock to be put right and for the
 * attempt to be made today. A machine that was off for a week thus tries once more before it gives up.
 */
#include "conf/conf.h"

#define EXPIRY_SETTLE_MS	(INT64_C(3600) * 1000)

enum expiry_verdict {
	EXPIRY_NONE,
	EXPIRY_KEEP,		/* go on trying */
	EXPIRY_WARN,		/* and tell the sender of the delay, once */
	EXPIRY_GIVE_UP		/* failed; a notification if there is somebody to tell */
};

struct expiry_facts {
	int64_t		arrival_mono_ms;	/* expiry_arrival_mono, kept with the message in memory */
	int64_t		start_mono_ms;		/* when this life of queue began and knew older messages */
	uint32_t	attempts;		/* of this recipient, over all lives */
	bool		null_path;		/* a notification itself: bounce-expire, and never a warning */
	bool		warned;			/* FATE_WARNED */
	bool		unwanted;		/* the sender wants to hear of no delay */
};

/* The arrival on this life's monotonic clock: ask once, when the message is accepted or found again. May be
 * negative. */
int64_t			expiry_arrival_mono(int64_t arrival_ms, int64_t wall_now_ms, int64_t mono_now_ms);
enum expiry_verdict	expiry_of(const struct conf_queue *, const struct expiry_facts *, int64_t mono_now_ms);
/* How long after its arrival a message is given up: for mailq and Will-Retry-Until. */
int64_t			expiry_limit_ms(const struct conf_queue *, bool null_path);

#endif
