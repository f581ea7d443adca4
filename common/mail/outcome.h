#ifndef MAIL_OUTCOME_H
#define MAIL_OUTCOME_H
/*
 * outcome — mail's own news about one recipient: what happened (RFC 3464 2.3.3 action), the
 * status code, and the words of whoever said so.
 *
 * Zeroed memory reads ACTION_NONE and so never "delivered".
 */
#include "mail/status.h"

enum action {
	ACTION_NONE,
	ACTION_DELIVERED,	/* in the mailbox, durably */
	ACTION_RELAYED,		/* the next hop said 250 to the dot; its duty now */
	ACTION_EXPANDED,	/* became other recipients */
	ACTION_DELAYED,		/* not now; nobody has it but us */
	ACTION_UNKNOWN,		/* the reply to the dot was lost: the next hop may have it (RFC 1047) */
	ACTION_FAILED,		/* never */
	ACTION_COUNT
};

/* The longest text kept of a reply; longer ones are cut when they are read. */
#define OUTCOME_TEXT_MAX	512

struct outcome {
	enum action	action;
	struct status	status;
	struct slice	text;	/* "550 5.1.1 no such user", escaped for nobody yet; lifetime: the holder's */
	struct slice	mta;	/* who said so, "mx1.example.org[192.0.2.1]:25"; empty: we ourselves */
};

const char	*action_name(enum action);	/* "delivered", RFC 3464; UNKNOWN is "delayed" there */
/* No more attempts: delivered, relayed, expanded or failed. */
bool		 action_final(enum action);

#endif
