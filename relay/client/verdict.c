/* verdict — replies to outcomes. Pure. Called by envelope.c and body.c. */
#include "relay/client/verdict.h"

/* By the first digit of the code, 2-5. 3 is right for DATA only, 2 for all others. */
static const enum verdict by_class[STAGE_COUNT][4] = {
	[STAGE_MAIL] = { VERDICT_GO_ON, VERDICT_NONSENSE, VERDICT_DELAYED, VERDICT_FAILED },
	[STAGE_RCPT] = { VERDICT_GO_ON, VERDICT_NONSENSE, VERDICT_DELAYED, VERDICT_FAILED },
	[STAGE_DATA] = { VERDICT_NONSENSE, VERDICT_GO_ON, VERDICT_DELAYED, VERDICT_FAILED },
	[STAGE_DOT] = { VERDICT_GO_ON, VERDICT_NONSENSE, VERDICT_DELAYED, VERDICT_FAILED },
};

/*
 * RFC 5321 4.5.3.1.10: 452, and from older servers 552, to a RCPT after others were taken means "no more in this transaction".
 * Both codes also speak of full mailboxes and disks, so a status that says something else is believed.
 */
static bool
is_too_many(const struct reply *reply)
{
	struct status s = reply->status;

	if (reply->code != 452 && reply->code != 552)
		return false;
	return s.class == 0 || (s.subject == 5 && s.detail == 3);
}

enum verdict
verdict_of(enum verdict_stage stage, const struct reply *reply, uint32_t accepted)
{
	unsigned class = reply_class(reply);

	if (class < 2 || class > 5)
		return VERDICT_NONSENSE;
	if (reply->code == 421)
		return VERDICT_CLOSING;
	if (stage == STAGE_RCPT && accepted > 0 && is_too_many(reply))
		return VERDICT_TOO_MANY;
	return by_class[stage][class - 2];
}

struct outcome
verdict_outcome(enum verdict_stage stage, enum verdict verdict, const struct reply *reply)
{
	struct outcome o = { .action = ACTION_DELAYED, .status = reply_status(reply), .text = reply_text(reply) };

	switch (verdict) {
	case VERDICT_GO_ON:
		o.action = stage == STAGE_DOT ? ACTION_RELAYED : ACTION_NONE;
		break;
	case VERDICT_FAILED:
		o.action = ACTION_FAILED;
		break;
	case VERDICT_NONSENSE:
		o.status = STATUS(4, 5, 0);
		if (stage == STAGE_DOT)
			o.action = ACTION_UNKNOWN;
		break;
	case VERDICT_TOO_MANY:
		o.status = STATUS(4, 5, 3);
		break;
	default:
		break;
	}
	return o;
}
