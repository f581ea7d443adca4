#ifndef BOUNCE_NOTICE_H
#define BOUNCE_NOTICE_H
/* notice — what a notification says to people: the text/plain part of a DSN. */
#include "queue/bounce/dsn.h"

void	notice_put(struct buf *, const struct dsn *);	/* CRLF lines of at most 78 characters where words allow it */

#endif
