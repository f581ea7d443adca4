/*
 * listing — the layout that Postfix's mailq has with long queue ids, byte for byte: programs read
 * it.
 */
#include "item.h"

#include <string.h>
#include <time.h>

#include "base/fmt.h"
#include "mail/queue_id.h"

#define LINE	"%-17s %8s %-19s %s\n"
#define REASON_COLUMN	76

static void
print_time(int64_t wall_ms, char out[32])
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	/* "Mon Nov 23 06:05:44": the year is the part that mailq leaves out. */
	if (localtime_r(&t, &tm) == NULL || strftime(out, 32, "%a %b %e %H:%M:%S", &tm) == 0)
		strlcpy(out, "?", 32);
}

static void
print_head(FILE *out, const struct queue_item *item)
{
	char id[QUEUE_ID_LEN + 2], size[16], arrival[32], sender[1400];

	queue_id_print(item->id, id);
	strlcat(id, item->active ? "*" : item->held ? "!" : "", sizeof(id));
	snprintf(size, sizeof(size), "%u", item->size);
	print_time(item->arrival_ms, arrival);
	if (item->sender.len == 0)
		strlcpy(sender, "MAILER-DAEMON", sizeof(sender));
	else
		fmt_shown(sender, sizeof(sender), item->sender);
	fprintf(out, LINE, id, size, arrival, sender);
}

/* A reason stands before the recipients that share it; none before the first means that there is
 * none. */
static void
print_recipient(struct listing *l, const struct queue_item_recipient *r)
{
	char reason[REASON_MAX], address[1400];
	const char *shown;
	int padding;

	recipient_reason(r, reason, sizeof(reason));
	if (strcmp(reason, l->reason) != 0) {
		shown = reason[0] == '\0' ? "reason unavailable" : reason;
		padding = REASON_COLUMN - (int)strlen(shown);
		fprintf(l->out, "%*s(%s)\n", padding > 0 ? padding : 0, "", shown);
		strlcpy(l->reason, reason, sizeof(l->reason));
	}
	fprintf(l->out, LINE, "", "", "", fmt_shown(address, sizeof(address), r->address));
}

int
listing_item(struct listing *l, const struct queue_item *item)
{
	if (item->id != l->id) {
		if (l->messages == 0)
			fprintf(l->out, LINE, "----Queue ID-----", "--Size--",
			    "---Arrival Time----", "--Sender/Recipient------");
		else
			fputc('\n', l->out);
		print_head(l->out, item);
		l->id = item->id;
		l->reason[0] = '\0';
		l->messages++;
		l->bytes += item->size;
	}
	for (uint32_t i = 0; i < item->count; i++)
		print_recipient(l, &item->recipients[i]);
	return ferror(l->out) ? -1 : 0;
}

void
listing_end(struct listing *l)
{
	if (l->messages == 0)
		fputs("Mail queue is empty\n", l->out);
	else
		fprintf(l->out, "\n-- %llu Kbytes in %llu Request%s.\n",
		    (unsigned long long)(l->bytes / 1024), (unsigned long long)l->messages,
		    l->messages == 1 ? "" : "s");
}
