/*
 * sender — as whom a client that has logged in may write (RFC 6409 6.1): the reverse-path of MAIL, and each mailbox of From. lookup knows;
 * the null reverse-path is everybody's, since programs of users send notifications, too.
 *
 * From is read once, when the header has come, and judged when the message has: a client listens only then.
 */
#include <stdio.h>

#include "base/fmt.h"
#include "mail/mailbox_list.h"
#include "smtpd/session/inside.h"

#define LOGIN_SHOWN	100	/* bytes of a login in a reply, whose line has 512 (RFC 5321 4.5.3.1.5) */

bool
sender_is_watched(const struct session *s)
{
	return s->login.name[0] != '\0' && s->settings->sender_rights != SENDER_RIGHTS_OFF;
}

void
sender_read_from(struct session *s, struct slice value)
{
	struct transaction *tx = s->tx;
	struct sender_claim *from = &tx->from;

	if (tx->scan.counts[HEADER_FROM] > 1)
		from->wrong = "more than one From field";
	else if (tx->scan.cut)
		from->wrong = "the From field is too long";
	else if (mailbox_list_parse(value, &tx->arena, from->addresses, SENDER_ADDRESSES_MAX, &from->count, &from->wrong) == 0)
		from->wrong = NULL;
}

/* A word to the client, or in a trial to the log alone: then true, and the message goes on. */
static bool
only_warned(struct session *s, const char *command, const char *text)
{
	if (s->settings->sender_rights != SENDER_RIGHTS_WARN)
		return false;
	session_warn_reject(s, command, &s->tx->reverse_path, text);
	return true;
}

/* A reply about an address of somebody else. */
static void
foreign_text(const struct session *s, const char *code, const char *what, struct slice address, char out[512])
{
	char login[LOGIN_SHOWN], shown[ADDRESS_MAX];

	/* RFC 6531 3.7.4: no reply outside ASCII to who has not said SMTPUTF8. */
	(void)snprintf(out, 512, "%s 5.7.1 <%s>: %s address rejected: not owned by user %s", code, fmt_escaped(shown, sizeof(shown), address),
	    what, fmt_escaped(login, sizeof(login), slice_str(s->login.name)));
}

static int
ask(struct session *s, const struct slice *addresses, uint32_t count, sender_fn *fn)
{
	struct sender_question question = { .login = slice_str(s->login.name), .count = count };

	memcpy(question.addresses, addresses, count * sizeof(addresses[0]));
	if (routes_ask_sender(s->home->routes, &s->tx->ask, &question, fn, s) == -1)
		return -1;
	session_go(s, PHASE_SENDER);
	return 0;
}

/* --- MAIL --------------------------------------------------------------------------------------- */

static void
on_path_judged(void *arg, const struct sender_answer *answer)
{
	enum sender_verdict verdict = answer == NULL ? SENDER_TRY_LATER : answer->verdict;
	struct session *s = arg;
	struct slice path = s->tx->reverse_path;
	char text[512];
	bool ok = verdict == SENDER_OWN;

	foreign_text(s, "553", "Sender", path, text);
	if (verdict == SENDER_FOREIGN)
		ok = only_warned(s, "MAIL", text);
	if (ok)
		session_say(s, SAY_MAIL_OK);
	else if (verdict == SENDER_FOREIGN)
		session_reject(s, "MAIL", &path, NULL, "%s", text);
	else
		session_reject_sentence(s, "MAIL", &path, NULL, SAY_TROUBLE);
	if (!ok)
		session_reset(s);
	session_count(s, VERB_MAIL, ok);
	session_go(s, PHASE_COMMAND);
	session_resume(s);
}

enum done
sender_judge_path(struct session *s)
{
	if (ask(s, &s->tx->reverse_path, 1, on_path_judged) == -1)
		return session_reject_sentence(s, "MAIL", &s->tx->reverse_path, NULL, SAY_TROUBLE);
	return DONE_LATER;
}

/* --- From --------------------------------------------------------------------------------------- */

static void
on_from_judged(void *arg, const struct sender_answer *answer)
{
	struct session *s = arg;
	char text[512];

	if (answer == NULL || answer->verdict == SENDER_TRY_LATER) {
		content_refuse_sentence(s, SAY_TROUBLE);
	} else if (answer->verdict == SENDER_FOREIGN) {
		foreign_text(s, "550", "From", s->tx->from.addresses[answer->which], text);
		if (only_warned(s, "END-OF-MESSAGE", text))
			content_hand_in(s);
		else
			content_refuse(s, text);
	} else {
		content_hand_in(s);
	}
	session_resume(s);
}

static enum done
refuse_unreadable(struct session *s)
{
	char text[512];

	if (s->tx->from.wrong == address_no_memory) {
		content_refuse_sentence(s, SAY_NO_MEMORY);
		return DONE_REFUSED;
	}
	(void)snprintf(text, sizeof(text), "550 5.7.1 From address rejected: %s", s->tx->from.wrong);
	if (only_warned(s, "END-OF-MESSAGE", text))
		return DONE_OK;
	content_refuse(s, text);
	return DONE_REFUSED;
}

enum done
sender_judge_from(struct session *s)
{
	const struct sender_claim *from = &s->tx->from;

	if (from->wrong != NULL)
		return refuse_unreadable(s);
	if (from->count == 0)
		return DONE_OK;		/* a message without From claims to be nobody's */
	if (ask(s, from->addresses, from->count, on_from_judged) == -1) {
		content_refuse_sentence(s, SAY_TROUBLE);
		return DONE_REFUSED;
	}
	return DONE_LATER;
}
