#ifndef RELAY_VERDICT_H
#define RELAY_VERDICT_H
/*
 * verdict — what a reply means for a recipient: the table postmasters argue about.
 */
#include "mail/outcome.h"
#include "smtp/reply.h"

enum verdict_stage { STAGE_NONE, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_DOT, STAGE_COUNT };

enum verdict {
	VERDICT_NONE,
	VERDICT_GO_ON,		/* as hoped; after the dot: the next hop's duty now */
	VERDICT_TOO_MANY,	/* enough recipients for this transaction; the others in another one */
	VERDICT_DELAYED,
	VERDICT_FAILED,
	VERDICT_CLOSING,	/* 421: delayed, and the connection is over */
	VERDICT_NONSENSE,	/* a reply that cannot follow this command: delayed, and we close; after the dot: unknown */
	VERDICT_COUNT
};

/* `accepted`: recipients of this transaction that were taken before. */
enum verdict	verdict_of(enum verdict_stage, const struct reply *, uint32_t accepted);
/* The outcome for a recipient whose fate the reply decides: never for GO_ON before the dot. Text is borrowed from the reply. */
struct outcome	verdict_outcome(enum verdict_stage, enum verdict, const struct reply *);

#endif
