/*
 * admission — see admission.h; the numbers are explained in docs/SPOOL.md, who may
 * write when the ring fills.
 */
#include "queue/store/admission.h"

/* A class needs more than this many free segments. */
static const uint32_t floors[STORE_CLASS_COUNT] = {
	[STORE_NONE] = UINT32_MAX, [STORE_CLIENT] = 4, [STORE_STATE] = 3, [STORE_DSN] = 2, [STORE_DONE] = 1,
};

/* Below this many free segments copying goes on even while over half is live: DONE needs the
 * space. */
#define COPY_ALWAYS	3u

bool
admission_allows(enum store_class class, uint32_t free)
{
	return free > floors[class];
}

/* Live mail beyond half of the ring would be copied round and round; a notification replaces
 * what it reports. */
bool
admission_live_allows(enum store_class class, const struct fill *f, bool was)
{
	uint64_t half = f->bytes / 2;

	if (f->evacuates)
		return true;
	if (class == STORE_CLIENT)
		return f->live <= (was ? half : half - half / 8);
	if (class == STORE_DSN)
		return f->live <= half + (was ? half / 4 : half / 8);
	return true;
}

bool
admission_has_room(enum store_class class, const struct fill *f, bool was)
{
	if (!admission_live_allows(class, f, was))
		return false;
	return f->free > floors[class] + (was || class == STORE_DONE ? 0 : 1);
}

/* Where half of a small ring is less than what clients need, it starts in time for them. */
static bool
is_short(const struct fill *f)
{
	return f->free < f->segments / 2 || f->free <= floors[STORE_CLIENT] + 2;
}

bool
admission_evacuates(const struct fill *f)
{
	return is_short(f);
}

bool
admission_copies(const struct fill *f)
{
	uint64_t one = f->bytes / f->segments;

	if (!is_short(f))
		return false;
	if (f->dead < one + one / 2)		/* would go round without winning a segment */
		return false;
	return f->live <= f->bytes / 2 || f->free <= COPY_ALWAYS;
}

/* One segment more than clients need, and time to evacuate in a large ring. */
static uint32_t
pin_floor(const struct fill *f)
{
	uint32_t least = floors[STORE_CLIENT] + 1, eighth = f->segments / 8;

	return eighth > least ? eighth : least;
}

bool
admission_pins(const struct fill *f)
{
	uint32_t least = pin_floor(f);

	return f->free > least + (f->segments > least ? f->segments - least : 0) / 2;
}

bool
admission_unpins(const struct fill *f)
{
	return f->free <= pin_floor(f);
}
