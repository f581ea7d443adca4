/*
 * cmd_data — DATA: from here on bytes are content (content.c), until the final dot.
 */
#include "smtpd/session/inside.h"

enum done
cmd_data(struct session *s, struct slice argument)
{
	(void)argument;
	if (s->tx->count == 0) {
		session_say(s, SAY_NO_RCPT);
		return DONE_REFUSED;
	}
	if (!intake_knows(s->home->intake, &s->tx->ticket)) {
		/* queue was replaced since RCPT: the id is worth nothing, and the client has to begin anew */
		session_reset(s);
		session_say(s, SAY_NO_QUEUE);
		return DONE_REFUSED;
	}
	content_begin(s);
	session_go(s, PHASE_DATA);
	session_say(s, SAY_GO_AHEAD);
	return DONE_LATER;
}
