/*
 * cmd_xforward — XFORWARD (Postfix's XFORWARD_README): a listed content filter hands on from which client it got the next message, for
 * the log and for nothing else. It counts until the transaction is over, or the next RSET, HELO or EHLO.
 */
#include <stdio.h>

#include "base/mem.h"
#include "smtp/xclient.h"
#include "smtpd/session/inside.h"

#define ATTRIBUTES	(XCLIENT_BIT(XCLIENT_NAME) | XCLIENT_BIT(XCLIENT_ADDR) | XCLIENT_BIT(XCLIENT_PORT) | XCLIENT_BIT(XCLIENT_PROTO) | \
			 XCLIENT_BIT(XCLIENT_HELO) | XCLIENT_BIT(XCLIENT_IDENT) | XCLIENT_BIT(XCLIENT_SOURCE))

static void
keep(const struct xclient *x, enum xclient_attribute which, char *out, size_t size)
{
	const struct xclient_value *v = &x->values[which];

	if (v->given)
		snprintf(out, size, "%.*s", (int)size - 1, v->known ? v->text : "unknown");
}

void
xforward_forget(struct session *s)
{
	mem_free(s->forwarded);
	s->forwarded = NULL;
}

static enum sentence
unwilling(const struct session *s)
{
	if (!s->may_xforward || !offers_has(s, EXTENSION_XFORWARD))
		return SAY_NO_XCLIENT;
	return s->tx != NULL ? SAY_IN_PROGRESS : SAY_NONE;
}

/* What is given now; what was given before by another XFORWARD stays. */
static enum sentence
take(struct session *s, struct slice argument)
{
	struct xclient x;
	struct slice which;

	if (xclient_parse(argument, ATTRIBUTES, &x, &which) == -1)
		return SAY_XFORWARD_SYNTAX;
	if (s->forwarded == NULL && (s->forwarded = mem_zalloc(sizeof(*s->forwarded))) == NULL)
		return SAY_NO_MEMORY;
	keep(&x, XCLIENT_NAME, s->forwarded->name, sizeof(s->forwarded->name));
	keep(&x, XCLIENT_ADDR, s->forwarded->address, sizeof(s->forwarded->address));
	keep(&x, XCLIENT_IDENT, s->forwarded->ident, sizeof(s->forwarded->ident));
	return SAY_OK;
}

enum done
cmd_xforward(struct session *s, struct slice argument)
{
	enum sentence what = unwilling(s);

	if (what == SAY_NONE)
		what = take(s, argument);
	session_say(s, what);
	return sentence_is_error(what) ? DONE_REFUSED : DONE_OK;
}
