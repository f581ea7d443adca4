#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H
/* report — a notification is made, and taken apart by its boundary, as a mail reader does. */
#include "tests/support/testing.h"

#include "base/buf.h"
#include "queue/bounce/dsn.h"

#define NOW	INT64_C(1800000000000)

struct parts {
	struct slice	header, notice, report, original;
};

extern struct buf out;			/* the notification */
extern struct dsn_recipient one;

int		 setup(void **state);
int		 teardown(void **state);
struct dsn	 plain(void);			/* about `one` */
struct slice	 between(struct slice *in, const char *end);	/* off the front, up to `end`, which goes, too */
struct parts	 take_apart(void);		/* checks its bytes: 7-bit, CRLF, no long lines */
struct parts	 build(const struct dsn *);	/* into `out`, and apart */
void		 assert_has(struct slice part, const char *what);
void		 assert_has_not(struct slice part, const char *what);

#endif
