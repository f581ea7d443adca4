#ifndef ARCHIVE_LOGLINE_H
#define ARCHIVE_LOGLINE_H
/*
 * logline — a line of posthorn's log read back: what the logger writes (control/logger/lines.c and json.c), in either shape.
 *
 * Pure. Strangers' words stand in such lines, escaped; so a line is taken apart from its front, piece by piece, and never
 * searched for words.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "mail/queue_id.h"
#include "wire/fields.h"

enum logline_kind {
	LOGLINE_NONE,		/* not ours, or nothing about a message's way */
	LOGLINE_QUEUED,		/* accepted: id, from, recipients */
	LOGLINE_SENT,		/* delivered or relayed: id, to, original, delay_ms */
	LOGLINE_EXPANDED,	/* became other recipients: likewise */
	LOGLINE_BOUNCED,	/* failed for good: likewise */
	LOGLINE_DEFERRED,	/* likewise, and not the end */
	LOGLINE_NOTIFIED,	/* new_id tells of this recipient's failure: id, to, original */
	LOGLINE_UNWANTED,	/* nobody wants to be told of this recipient's failure: id, to, original */
	LOGLINE_DELETED,	/* an operator said so */
	LOGLINE_REMOVED,	/* nothing is left to be done */
	LOGLINE_DROPPED,	/* so many lines are not in the log: a busy queue does not wait for it */
	LOGLINE_KIND_COUNT
};

struct logline {
	enum logline_kind kind;
	int64_t		  at_ms;	/* wall clock; also of lines of no kind, else -1 */
	queue_id	  id, new_id;
	uint64_t	  recipients;	/* DROPPED: lines */
	int64_t		  delay_ms;	/* since the message came */
	struct slice	  host;		/* as syslog writes it behind the stamp; empty: nobody did. Borrowed from the line */
	/* As the log has them, escaped (base/fmt.h); original is empty where it is the same. Borrowed from the line, or from
	 * `scratch`. */
	struct slice	  from, to, original;
	char		  scratch[3 * (4 * ADDRESS_FIELD_MAX + 1)];
};

/* `year`: for stamps that have none. The line is without its newline. */
void	logline_read(struct logline *, struct slice line, int year);

#endif
