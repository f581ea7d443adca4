#ifndef LOGGER_LINES_H
#define LOGGER_LINES_H
/*
 * lines — a record as the line that log readers know from Postfix.
 *
 * A line is `[stamp ]NAME/SERVICE[N]: words`, N being the session's number, or the process id where
 * there is no session: readers tell conversations apart by it. All foreign text is escaped here and
 * nowhere before, so a line never holds a line feed but its last.
 */
#include "base/buf.h"
#include "wire/control.h"
#include "wire/log.h"

enum line_stamp {
	STAMP_NONE,
	STAMP_HOST,		/* "Nov 23 06:00:00 mx.example.org ", as syslog writes files */
	STAMP_SYSLOG,		/* "<22>Nov 23 06:00:00 ", as /dev/log takes it */
};

struct line_style {
	const char	*name;		/* "postfix" */
	const char	*host;
	enum line_stamp	 stamp;
	bool		 event_ids;
};

struct line_source {		/* told by the supervisor and the kernel, never by the sender */
	enum wire_role	role;
	uint32_t	number;		/* of the process in this start */
	pid_t		pid;
};

/* The line and its LF. What does not fit into `out` is left out whole; -1. */
int		 line_put(struct buf *out, const struct line_style *, const struct line_source *, const struct log_record *);
const char	*service_of_role(enum wire_role);
const struct log_field *record_field(const struct log_record *, enum log_key);	/* NULL: not there */
const char	*action_word(int64_t action);		/* "sent", "deferred", "bounced" */

#endif
