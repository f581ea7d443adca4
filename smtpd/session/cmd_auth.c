/*
 * cmd_auth — AUTH (RFC 4954): the dialogue. What is said in it means nothing here; lookup decides.
 *
 * What the client sends may be a password: it is decoded where it lies and wiped before the buffer is given back, and it is in no
 * log and no reply.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/log.h"
#include "smtp/base64.h"
#include "smtp/line.h"
#include "smtpd/session/inside.h"

#define TRIES_MAX	3	/* failures in one session */

/* --- what is offered ---------------------------------------------------------------------------- */

/* A binding takes a connection that has something to bind to (RFC 5802 6). */
static bool
is_usable(const struct session *s, struct slice name)
{
	static const struct slice plus = SLICE_LIT("-PLUS");
	bool binds = name.len > plus.len && slice_eq(slice_of(name.p + name.len - plus.len, plus.len), plus);

	return name.len > 0 && (!binds || s->bindings.count > 0);
}

static bool
is_offered(const struct session *s, struct slice mechanism)
{
	struct slice rest = logins_mechanisms(s->home->logins), name;

	while (rest.p != NULL && rest.len > 0) {
		name = slice_split(rest, ' ', &rest);
		if (is_usable(s, name) && slice_caseeq(name, mechanism))
			return true;
	}
	return false;
}

bool
auth_is_offered(const struct session *s)
{
	return s->home->role == ROLE_SUBMISSION && s->settings->logins && s->secure && offers_has(s, EXTENSION_AUTH);
}

void
auth_print_mechanisms(const struct session *s, struct buf *out)
{
	struct slice rest = logins_mechanisms(s->home->logins), name;

	while (rest.p != NULL && rest.len > 0) {
		name = slice_split(rest, ' ', &rest);
		if (is_usable(s, name))
			buf_printf(out, " %.*s", SLICE_FMT(name));
	}
}

bool
auth_has_mechanism(const struct session *s)
{
	char text[AUTH_MECHANISMS_MAX + 2];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	auth_print_mechanisms(s, &out);
	return auth_is_offered(s) && buf_len(&out) > 0;
}

bool
auth_is_lost(const struct session *s)
{
	return s->login.name[0] != '\0' && !s->login.live;
}

bool
auth_may_relay(const struct session *s)
{
	return s->home->role == ROLE_SUBMISSION && s->settings->logins ? s->login.live : s->trusted;
}

/* --- the dialogue ------------------------------------------------------------------------------- */

static void
refuse(struct session *s, enum sentence what)
{
	logins_end(s->home->logins, &s->login);
	session_say(s, what);
	session_count(s, VERB_AUTH, false);
	session_go(s, PHASE_COMMAND);
}

/* The words that fail2ban and others read. */
static void
log_failure(const struct session *s, struct slice login, struct slice text)
{
	char who[4 * AUTH_LOGIN_MAX + 1], why[4 * AUTH_TEXT_MAX + 1];

	log_warn("%s: SASL %s authentication failed: %s%s%s", s->client, s->mechanism, fmt_escaped(why, sizeof(why), text),
	    login.len > 0 ? ", sasl_username=" : "", fmt_escaped(who, sizeof(who), login));
}

static void
challenge(struct session *s, struct slice bytes)
{
	char text[BASE64_ENCODED(AUTH_CHALLENGE_MAX)];

	(void)stream_puts(s->stream, "334 ");
	(void)stream_write(s->stream, slice_of(text, base64_encode(bytes, text)));
	(void)stream_puts(s->stream, "\r\n");
	session_go(s, PHASE_AUTH);
}

static void
granted(struct session *s)
{
	session_say(s, SAY_AUTH_OK);
	session_count(s, VERB_AUTH, true);
	session_go(s, PHASE_COMMAND);
}

static void
denied(struct session *s, const struct login_news *news)
{
	log_failure(s, news->login, news->text);
	/* While the client thinks there is nothing to reply to: it hears of it when it has spoken. */
	if (s->phase == PHASE_AUTH)
		return;
	refuse(s, news->result == LOGIN_FAILED ? SAY_AUTH_FAILED : SAY_AUTH_LATER);
	if (news->result == LOGIN_FAILED && ++s->auth_failures >= TRIES_MAX) {
		log_event(EVENT_TOO_MANY_ERRORS, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, "AUTH"), LOG_STR(KEY_CLIENT, s->client));
		(void)session_end_sentence(s, SAY_TOO_MANY_ERRORS);
	}
}

static void
on_news(void *arg, const struct login_news *news)
{
	struct session *s = arg;

	if (news->result == LOGIN_CHALLENGE)
		challenge(s, news->bytes);
	else if (news->result == LOGIN_OK)
		granted(s);
	else
		denied(s, news);
	if (s->stream != NULL)
		session_resume(s);
}

void
auth_late(struct session *s)
{
	logins_end(s->home->logins, &s->login);
	on_news(s, &(struct login_news){ .result = LOGIN_LATER,
	    .text = SLICE_LIT("Connection lost to authentication server: no answer in time") });
}

/* What lies in the stream's bytes is not needed there any more. */
static void
wipe(struct slice text)
{
	if (text.len > 0)
		explicit_bzero((char *)(uintptr_t)text.p, text.len);
}

/* Decodes in place, in the stream's own bytes. -1: not base64. */
static int
decode(struct slice *text)
{
	char *bytes = (char *)(uintptr_t)text->p;

	return base64_decode(*text, bytes, &text->len);
}

static void
answer(struct session *s, struct slice line)
{
	struct slice whole = line;

	if (s->login.serial == 0)
		refuse(s, SAY_AUTH_LATER);	/* it ended while the client was thinking */
	else if (slice_eq(line, SLICE_LIT("*")))
		refuse(s, SAY_AUTH_ABORTED);
	else if (decode(&line) == -1)
		refuse(s, SAY_AUTH_SYNTAX);
	else if (logins_continue(s->home->logins, &s->login, line) == -1)
		refuse(s, SAY_AUTH_LATER);
	else
		session_go(s, PHASE_AUTH_WAIT);
	wipe(whole);
}

void
auth_input(struct session *s)
{
	struct slice in = stream_input(s->stream), line;
	size_t had = in.len;

	switch (line_next(&in, AUTH_LINE_MAX, &line)) {
	case LINE_READY:
		s->behind = in.len;
		if (s->behind > 0) {		/* the client has to wait for what we say to this */
			(void)command_not_synchronous(s);
			return;
		}
		answer(s, line);
		stream_consume(s->stream, had - in.len);
		break;
	case LINE_TOO_LONG:
		logins_end(s->home->logins, &s->login);
		lines_too_long(s, VERB_AUTH);
		break;
	case LINE_BROKEN:
		lines_bare(s);
		break;
	default:
		break;
	}
}

/* SAY_NONE: go on. */
static enum sentence
unwilling(const struct session *s)
{
	if (s->home->role != ROLE_SUBMISSION || !s->settings->logins || !offers_has(s, EXTENSION_AUTH))
		return SAY_NO_AUTH;
	if (!s->secure)
		return SAY_AUTH_INSECURE;
	if (s->login.live)
		return SAY_AUTH_TWICE;
	if (s->tx != NULL)
		return SAY_AUTH_IN_MAIL;
	return logins_mechanisms(s->home->logins).len == 0 ? SAY_AUTH_LATER : SAY_NONE;
}

static void
fill_channels(struct session *s, struct auth_begin *begin)
{
	for (uint32_t i = 0; i < s->bindings.count; i++)
		begin->channels[begin->channel_count++] = (struct auth_channel){ s->bindings.each[i].type,
		    slice_of(s->bindings.each[i].data, s->bindings.each[i].len) };
}

static int
begin_attempt(struct session *s, bool has_response, struct slice response)
{
	struct auth_begin begin = { .mechanism = slice_str(s->mechanism), .secure = s->secure, .has_response = has_response,
	    .response = response };

	begin.client = s->address.any.sa_family == AF_INET ? slice_of(&s->address.v4.sin_addr, 4) : slice_of(&s->address.v6.sin6_addr, 16);
	fill_channels(s, &begin);
	return logins_begin(s->home->logins, &s->login, &begin, on_news, s);
}

static enum done
say(struct session *s, enum sentence what)
{
	session_say(s, what);
	return DONE_REFUSED;
}

enum done
cmd_auth(struct session *s, struct slice argument)
{
	struct slice whole, name = slice_split(argument, ' ', &whole), response = whole;
	enum sentence no = unwilling(s);
	bool has_response = whole.p != NULL;
	int result = 0;

	if (no == SAY_NONE && name.len == 0)
		no = SAY_AUTH_USAGE;
	else if (no == SAY_NONE && (name.len > AUTH_MECHANISM_MAX || !is_offered(s, name)))
		no = SAY_AUTH_UNKNOWN;
	if (no != SAY_NONE) {
		wipe(argument);
		return say(s, no);
	}
	for (size_t i = 0; i <= name.len; i++)
		s->mechanism[i] = i == name.len ? '\0' : ascii_upper(name.p[i]);
	if (!has_response)
		whole = response = slice_of("", 0);
	else if (slice_eq(response, SLICE_LIT("=")))	/* RFC 4954 4: an empty one, which is not none */
		response.len = 0;
	else if (response.len == 0 || decode(&response) == -1)
		no = SAY_AUTH_SYNTAX;
	if (no == SAY_NONE)
		result = begin_attempt(s, has_response, response);
	wipe(whole);
	if (no != SAY_NONE || result == -1)
		return say(s, no != SAY_NONE ? no : SAY_AUTH_LATER);
	session_go(s, PHASE_AUTH_WAIT);
	return DONE_LATER;
}
