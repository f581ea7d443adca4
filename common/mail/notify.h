#ifndef MAIL_NOTIFY_H
#define MAIL_NOTIFY_H
/*
 * notify — what a sender wants to be told of, and how much of the message with it (RFC 3461 4.1, 4.3).
 */
#include <stdbool.h>
#include <stdint.h>

#define ENVID_MAX	100	/* RFC 3461 4.4: characters of an envelope id, decoded */
#define ORCPT_MAX	500	/* RFC 3461 5: "type;address", decoded; the parameter's value has as many at most */

enum {			/* NOTIFY=; 0: nothing was said */
	NOTIFY_SUCCESS = 1 << 0,
	NOTIFY_FAILURE = 1 << 1,
	NOTIFY_DELAY = 1 << 2,
	NOTIFY_NEVER = 1 << 3		/* stands alone */
};

enum ret { RET_NONE, RET_FULL, RET_HDRS, RET_COUNT };	/* RET_NONE: nothing was said */

bool	notify_valid(uint32_t notify);
/* `what` is one of SUCCESS, FAILURE, DELAY. Who said nothing hears of failures and delays (RFC 3461 4.1). */
bool	notify_wants(uint32_t notify, uint32_t what);

#endif
