#ifndef CLI_ITEM_H
#define CLI_ITEM_H
/*
 * item — queued messages in three shapes: Postfix's mailq, JSON lines, and pages for people.
 * Foreign text is escaped.
 *
 * A message with many recipients comes in several items with the same id, one behind the other;
 * each shape joins them. Nothing else is kept, so a queue of a million messages takes no memory
 * here.
 */
#include <stdint.h>
#include <stdio.h>

#include "wire/control.h"

#define REASON_MAX	2048

struct listing {			/* mailq; zeroed but for `out` */
	FILE		*out;
	uint64_t	 messages, bytes;
	uint64_t	 id;			/* of the message being printed; 0: none */
	char		 reason[REASON_MAX];	/* of the recipient before */
};

/* 0, or -1: the output cannot be written, or no memory. */
int	listing_item(struct listing *, const struct queue_item *);
void	listing_end(struct listing *);		/* the last line, by which monitoring counts */

struct json_lines {			/* one object a line; zeroed but for `out` */
	FILE		*out;
	uint64_t	 id;
	struct json_t	*message;		/* not complete yet */
};

int	json_lines_item(struct json_lines *, const struct queue_item *);
int	json_lines_end(struct json_lines *);	/* prints what is left, frees */

struct pages {
	FILE		*out;
	uint64_t	 id;
	int64_t		 now_ms;
};

int	pages_item(struct pages *, const struct queue_item *);

/* "active", "hold", "incoming" (not tried yet) or "deferred": the names that Postfix's queue
 * has. */
const char	*item_queue(const struct queue_item *);
/* Why it was not delivered when last tried, in one line; empty when not tried yet. Returns out. */
const char	*recipient_reason(const struct queue_item_recipient *, char *out, size_t size);

#endif
