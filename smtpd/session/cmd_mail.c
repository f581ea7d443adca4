/*
 * cmd_mail — MAIL FROM: begins a transaction.
 */
#include "base/fmt.h"
#include "base/utf8.h"
#include "smtp/params.h"
#include "smtpd/session/inside.h"

/* Refusals that need no look at the argument. SAY_NONE: go on. */
static enum sentence
unwilling(struct session *s)
{
	if (s->home->role == ROLE_SUBMISSION && !auth_may_relay(s))
		return SAY_AUTH_REQUIRED;
	if (s->home->stopping || !intake_up(s->home->intake) || intake_is_slow(s->home->intake))
		return SAY_NO_QUEUE;
	if (!intake_has_room(s->home->intake, false))
		return SAY_NO_SPACE;
	if (!s->home->charge(s->home->arg, s, CHARGE_MESSAGE))
		return SAY_TOO_MUCH_MAIL;
	return SAY_NONE;
}

/* RFC 1870 6.1: for ever, or today. */
static enum sentence
too_large(const struct session *s, uint64_t size)
{
	if (s->settings->message_size > 0 && size > s->settings->message_size)
		return SAY_TOO_BIG;
	return size <= CONTENT_INLINE_MAX || intake_has_room(s->home->intake, true) ? SAY_NONE : SAY_NO_SPACE;
}

static enum done
refuse(struct session *s, enum sentence no)
{
	return session_reject_sentence(s, "MAIL", &s->tx->reverse_path, NULL, no);
}

static enum done
bad_parameter(struct session *s, enum param_result result, struct slice which)
{
	char shown[80];

	return session_reject(s, "MAIL", &s->tx->reverse_path, NULL, "%s: %s",
	    result == PARAM_UNKNOWN ? "555 5.5.4 Unsupported option" : "501 5.5.4 Bad option", fmt_escaped(shown, sizeof(shown), which));
}

/* The path, into the transaction. */
static enum done
take_path(struct session *s, struct slice *argument)
{
	struct transaction *tx = s->tx;
	const char *why = "domain missing";
	struct path path;

	if (path_take(argument, true, true, &tx->arena, &path, &why) == -1 ||
	    (!path.is_null && address_complete(s, &path.address) == -1)) {
		if (why == address_no_memory)
			session_say(s, SAY_NO_MEMORY);
		else
			session_sayf(s, "501 5.1.7 Bad sender address syntax: %s\r\n", why);
		return DONE_REFUSED;
	}
	tx->reverse_path = path.is_null ? SLICE_LIT("") : address_canonical(&tx->arena, &path.address);
	if (tx->reverse_path.p == NULL) {
		session_say(s, SAY_NO_MEMORY);
		return DONE_REFUSED;
	}
	return DONE_OK;
}

/* RFC 8689 2: REQUIRETLS never in clear; AUTH= where one can log in. */
static uint32_t
withheld(const struct session *s)
{
	return s->withheld | (auth_is_offered(s) ? 0 : EXTENSION_BIT(EXTENSION_AUTH)) | (s->secure ? 0 : EXTENSION_BIT(EXTENSION_REQUIRETLS));
}

static enum done
take_params(struct session *s, struct slice argument)
{
	struct mail_params params;
	struct slice which;
	enum param_result result = params_mail(argument, withheld(s), &params, &which);
	enum sentence no = unwilling(s);

	if (no != SAY_NONE)
		return refuse(s, no);
	if (result != PARAM_OK)
		return bad_parameter(s, result, which);
	if (!params.smtputf8 && !slice_is_ascii(s->tx->reverse_path))
		return refuse(s, SAY_NOT_ASCII);
	if (params.has_size && (no = too_large(s, params.size)) != SAY_NONE)
		return refuse(s, no);
	s->tx->smtputf8 = params.smtputf8;
	s->tx->requiretls = params.requiretls;
	s->tx->ret = params.ret;
	s->tx->envid = arena_slice(&s->tx->arena, slice_of(params.envid, params.envid_len));
	if (s->tx->envid.p == NULL)
		return refuse(s, SAY_NO_MEMORY);
	s->tx->body = params.body == BODY_NONE ? BODY_7BIT : params.body;	/* RFC 6152 2: not said means 7BIT */
	if (sender_is_watched(s) && s->tx->reverse_path.len > 0)
		return sender_judge_path(s);
	session_say(s, SAY_MAIL_OK);
	return DONE_OK;
}

enum done
cmd_mail(struct session *s, struct slice argument)
{
	enum done done;

	if (command_take_label(&argument, "FROM:") == -1) {
		session_say(s, SAY_MAIL_SYNTAX);
		return DONE_REFUSED;
	}
	/* Who was logged in and is not any more: lookup has been replaced, and queue, too. AUTH comes once a session (RFC 4954 4), so: a new one. */
	if (auth_is_lost(s))
		return session_end_sentence(s, SAY_LOGIN_LOST);
	s->tx = transaction_begin(&s->home->pool);
	if (s->tx == NULL) {
		session_say(s, SAY_NO_MEMORY);
		return DONE_REFUSED;
	}
	s->tx->until = loop_now(s->home->loop) + s->settings->transaction_timeout;
	done = take_path(s, &argument);
	if (done == DONE_OK)
		done = take_params(s, argument);
	if (done == DONE_REFUSED)
		session_reset(s);
	return done;
}
