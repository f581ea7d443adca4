/*
 * fuzz_plan — a plan as the catalog keeps it, over any bytes: what is taken lies within them, and what is taken can be
 * put again and taken alike.
 */
#include <stdint.h>
#include <stdlib.h>

#include "queue/store/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
put(struct plan *p, const struct plan_item *item)
{
	switch (item->part) {
	case PLAN_ROW:
		plan_row(p, item->name, item->priority, item->at_ms);
		break;
	case PLAN_LOOK:
		plan_look(p, item->at_ms);
		break;
	case PLAN_DOMAIN:
		plan_domain(p, item->name);
		break;
	default:
		plan_hold(p);
	}
}

static void
check(const struct plan_item *item, const struct slice *in, const char *end)
{
	if (item->part > PLAN_HOLD || item->priority >= PLAN_PRIORITY_COUNT || item->at_ms < 0 || item->name.len > PLAN_NAME_MAX)
		abort();
	if (item->name.p + item->name.len != in->p || in->p + in->len != end)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), again;
	const char *end = in.p + in.len;
	struct plan_item item, other;
	size_t items = 0;
	struct plan p;

	plan_init(&p);
	while (plan_take(&in, &item) != PLAN_END) {
		check(&item, &in, end);
		put(&p, &item);
		items++;
	}
	again = plan_slice(&p);
	in = slice_of(data, size);
	for (; items > 0 && !plan_failed(&p); items--) {
		if (plan_take(&in, &item) != plan_take(&again, &other))
			abort();
		if ((item.part == PLAN_ROW || item.part == PLAN_LOOK) && item.at_ms != other.at_ms)
			abort();
		if (item.part == PLAN_ROW && (item.priority != other.priority || !slice_eq(item.name, other.name)))
			abort();
	}
	if (!plan_failed(&p) && again.len != 0)
		abort();
	plan_fini(&p);
	return 0;
}
