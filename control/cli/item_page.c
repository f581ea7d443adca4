/*
 * item_page — all that is known about one message, for people.
 */
#include "item.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fmt.h"
#include "mail/queue_id.h"

/* "3d 4h", "12m 5s": the two largest units, which is what somebody wants to know. */
static const char *
span(int64_t ms, char out[32])
{
	static const struct {
		int64_t seconds;
		char name;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int64_t seconds = llabs(ms) / 1000;
	size_t i = 0, n;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	n = (size_t)snprintf(out, 32, "%" PRId64 "%c", seconds / units[i].seconds, units[i].name);
	if (i < 3 && seconds % units[i].seconds / units[i + 1].seconds > 0)
		snprintf(out + n, 32 - n, " %" PRId64 "%c",
		    seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
	return out;
}

/* "2026-11-23 06:05:44 +0000, 3m 2s ago" */
static void
print_moment(FILE *out, const char *label, int64_t wall_ms, int64_t now_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	char date[64], distance[32];
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		strlcpy(date, "?", sizeof(date));
	fprintf(out, "%s%s, %s%s%s\n", label, date, wall_ms > now_ms ? "in " : "",
	    span(wall_ms - now_ms, distance), wall_ms > now_ms ? "" : " ago");
}

static void
print_foreign(FILE *out, const char *label, struct slice s, const char *end)
{
	char escaped[2000];

	fprintf(out, "%s%s%s", label, fmt_shown(escaped, sizeof(escaped), s), end);
}

static const char *
recipient_words(const struct queue_item_recipient *r)
{
	if (action_final(r->fate.last.action))
		return action_name(r->fate.last.action);
	if (r->active)
		return "an attempt is going on";
	if ((r->fate.flags & FATE_HELD) != 0)
		return "held until somebody releases it";
	return "waiting";
}

static void
print_recipient(FILE *out, const struct queue_item_recipient *r, int64_t now_ms)
{
	bool over = action_final(r->fate.last.action);
	char reason[REASON_MAX], status[STATUS_PRINT_SIZE];

	print_foreign(out, "\nRecipient:  ", r->address, "\n");
	if (r->original.len > 0)
		print_foreign(out, "  given as: ", r->original, "\n");
	fprintf(out, "  state:    %s", recipient_words(r));
	if (!over && r->why.len > 0)
		print_foreign(out, " (", r->why, ")");
	fprintf(out, "\n  attempts: %u\n", r->fate.attempts);
	if (r->nexthop.len > 0)
		print_foreign(out, "  next hop: ", r->nexthop, "\n");
	if (!over && !r->active && r->fate.next_ms > 0)
		print_moment(out, "  next:     ", r->fate.next_ms, now_ms);
	if (r->fate.last.action == ACTION_NONE)
		return;
	fprintf(out, "  last:     ");
	if (r->fate.last.status.class != 0)
		fprintf(out, "%s ", status_print(r->fate.last.status, status));
	fprintf(out, "%s\n", recipient_reason(r, reason, sizeof(reason)));
	if ((r->fate.flags & FATE_UNKNOWN) != 0)
		fprintf(out,
		    "            the reply was lost: the next hop may have it, another attempt may "
		    "deliver it twice\n");
}

static void
print_message(struct pages *p, const struct queue_item *item)
{
	char id[QUEUE_ID_LEN + 1];

	fprintf(p->out, "%sQueue id:   %s (%s)\n", p->id == 0 ? "" : "\n",
	    queue_id_print(item->id, id), item_queue(item));
	if (item->sender.len == 0)
		fprintf(p->out, "Sender:     <> (a notification)\n");
	else
		print_foreign(p->out, "Sender:     ", item->sender, "\n");
	fprintf(p->out, "Size:       %u bytes\n", item->size);
	print_moment(p->out, "Arrived:    ", item->arrival_ms, p->now_ms);
	if (item->expiry_ms > 0)
		print_moment(p->out, "Expires:    ", item->expiry_ms, p->now_ms);
}

int
pages_item(struct pages *p, const struct queue_item *item)
{
	if (item->id != p->id)
		print_message(p, item);
	p->id = item->id;
	for (uint32_t i = 0; i < item->count; i++)
		print_recipient(p->out, &item->recipients[i], p->now_ms);
	return ferror(p->out) ? -1 : 0;
}
