/*
 * cmd_etrn — ETRN (RFC 1985): a host that has been away asks for the mail that waits for its domain. That passes over the destination's
 * back-off, so it is for those who may relay, and for domains that the configuration names; queue looks at both.
 */
#include "mail/address.h"
#include "smtpd/session/inside.h"

static void
on_verdict(void *arg, const struct submit_verdict_of *v)
{
	struct session *s = arg;

	session_say(s, v->verdict == VERDICT_STARTED ? SAY_STARTED : v->verdict == VERDICT_REFUSED ? SAY_NOT_FOR_YOU : SAY_NOT_STARTED);
	session_count(s, VERB_ETRN, v->verdict == VERDICT_STARTED);
	session_go(s, PHASE_COMMAND);
	session_resume(s);
}

void
etrn_late(struct session *s)
{
	intake_forget(s->home->intake, &s->flush);
	on_verdict(s, &(struct submit_verdict_of){ .verdict = VERDICT_TRY_LATER });
}

static enum done
refuse(struct session *s, enum sentence no)
{
	session_say(s, no);
	return DONE_REFUSED;
}

enum done
cmd_etrn(struct session *s, struct slice argument)
{
	if (!auth_may_relay(s) || !s->settings->etrn || !offers_has(s, EXTENSION_ETRN))
		return refuse(s, SAY_NOT_FOR_YOU);
	/* RFC 1985 5.3: "@" would be its subdomains, too, "#" a queue of that name; Postfix reads both as the domain. */
	if (argument.len > 0 && (argument.p[0] == '@' || argument.p[0] == '#'))
		slice_drop(&argument, 1);
	if (!domain_valid(argument))
		return refuse(s, SAY_ETRN_SYNTAX);
	if (intake_flush(s->home->intake, &s->login.token, argument, &s->flush, on_verdict, s) == -1)
		return refuse(s, SAY_NOT_STARTED);
	session_go(s, PHASE_FLUSH);
	return DONE_LATER;
}
