/*
 * item — what the shapes have in common.
 */
#include "item.h"

#include <string.h>

#include "base/fmt.h"

static bool
is_tried(const struct queue_item *item)
{
	for (uint32_t i = 0; i < item->count; i++) {
		if (item->recipients[i].fate.attempts > 0 ||
		    item->recipients[i].fate.last.action != ACTION_NONE)
			return true;
	}
	return false;
}

const char *
item_queue(const struct queue_item *item)
{
	if (item->active)
		return "active";
	if (item->held)
		return "hold";
	return is_tried(item) ? "deferred" : "incoming";
}

const char *
recipient_reason(const struct queue_item_recipient *r, char *out, size_t size)
{
	const struct outcome *last = &r->fate.last;
	char text[1024], mta[600];

	out[0] = '\0';
	if (last->action == ACTION_NONE)
		return out;
	fmt_escaped(text, sizeof(text), last->text);
	if (last->mta.len == 0)
		strlcpy(out, text, size);
	else
		snprintf(
		    out, size, "host %s said: %s", fmt_escaped(mta, sizeof(mta), last->mta), text);
	return out;
}
