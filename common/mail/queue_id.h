#ifndef MAIL_QUEUE_ID_H
#define MAIL_QUEUE_ID_H
/*
 * queue_id — the number of a message: a 32-bit epoch (raised durably at each start of `queue`)
 * and a 32-bit counter. Printed as 13 characters of base32 (digits and capitals without I L O U),
 * so that log readers that expect \w+ find it. 0 is no id.
 */
#include <stdint.h>

#include "base/slice.h"

#define QUEUE_ID_LEN	13

typedef uint64_t queue_id;		/* the one typedef: an id is printed, compared, never computed with */

static inline queue_id
queue_id_of(uint32_t epoch, uint32_t counter)
{
	return (uint64_t)epoch << 32 | counter;
}

const char	*queue_id_print(queue_id, char out[QUEUE_ID_LEN + 1]);	/* returns out */
int		 queue_id_parse(struct slice, queue_id *out);		/* capitals or not; -1: no id */

#endif
