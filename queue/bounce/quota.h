#ifndef BOUNCE_QUOTA_H
#define BOUNCE_QUOTA_H
/*
 * quota — how many notifications one sender gets within an hour.
 *
 * A forged sender would otherwise be flooded by us. Nothing is dropped for it: the owner waits and asks again. An hour begins with
 * the first notification in it. Pure but for its memory; bounded: of more senders than QUOTA_SENDERS the oldest is forgotten, and
 * without memory there is no limit.
 */
#include <stdint.h>

#include "base/slice.h"

#define QUOTA_SENDERS	4096
#define QUOTA_PERIOD	INT64_C(3600000)	/* ms */

struct quotas;

struct quotas	*quotas_new(void);		/* NULL: no memory */
void		 quotas_free(struct quotas **);
/* How long until this sender may be told something, in ms; 0: now. */
int64_t		 quota_wait_ms(struct quotas *, struct slice sender, uint32_t an_hour, int64_t now_ms);
void		 quota_take(struct quotas *, struct slice sender, int64_t now_ms);
void		 quota_give_back(struct quotas *, struct slice sender);		/* it was not told after all */

#endif
