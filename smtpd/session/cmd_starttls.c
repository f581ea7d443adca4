/*
 * cmd_starttls — STARTTLS (RFC 3207). That nothing waits behind it, the command table has seen to.
 */
#include "smtpd/key/provider.h"
#include "smtpd/session/inside.h"

static enum sentence
refusal(const struct session *s)
{
	if (s->secure)
		return SAY_TLS_ALREADY;
	if (!secure_offered(s))
		return SAY_NO_TLS;
	return key_provider_ready() ? SAY_NONE : SAY_TLS_LATER;
}

enum done
cmd_starttls(struct session *s, struct slice argument)
{
	enum sentence no = refusal(s);

	(void)argument;
	if (no != SAY_NONE) {
		session_say(s, no);
		return DONE_REFUSED;
	}
	session_say(s, SAY_TLS_READY);
	lines_done(s);			/* else its own bytes would be the first of what TLS refuses to begin behind */
	secure_begin(s);
	return s->stream == NULL ? DONE_CLOSED : DONE_OK;
}
