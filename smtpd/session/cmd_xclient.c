/*
 * cmd_xclient — XCLIENT (Postfix's XCLIENT_README): a listed proxy or test says for whom it speaks. The session is then another
 * client's: nothing that was said before counts, it is greeted again, and whether it may relay is looked at anew.
 *
 * At an mx worker nobody relays by that either: queue would not have it (docs/WIRES.md, submit). Who may say XCLIENT goes by the
 * address that the connection came from, so it may be said again.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/num.h"
#include "mail/address.h"
#include "smtp/xclient.h"
#include "smtpd/session/inside.h"

#define ATTRIBUTES	(XCLIENT_BIT(XCLIENT_NAME) | XCLIENT_BIT(XCLIENT_ADDR) | XCLIENT_BIT(XCLIENT_PORT) | XCLIENT_BIT(XCLIENT_PROTO) | \
			 XCLIENT_BIT(XCLIENT_HELO))
#define IPV6_MARK	SLICE_LIT("IPV6:")

static struct slice
text_of(const struct xclient_value *v)
{
	return slice_of(v->text, v->len);
}

/* The address, or none when the proxy does not know it. */
static int
read_address(const struct xclient_value *v, struct sockaddress *out)
{
	struct slice text = text_of(v);
	bool v6 = slice_casestarts(text, IPV6_MARK);

	*out = (struct sockaddress){ .len = 0 };
	if (!v->known)
		return 0;
	if (v6)
		slice_drop(&text, IPV6_MARK.len);
	if (text.len == 0 || text.p[0] == '[' || sockaddress_parse(text, 0, out) == -1)
		return -1;
	if (out->any.sa_family != (v6 ? AF_INET6 : AF_INET))
		return -1;
	sockaddress_unmap(out);
	return 0;
}

static bool
is_good(const struct xclient *x, enum xclient_attribute which)
{
	const struct xclient_value *v = &x->values[which];
	struct sockaddress address;
	uint64_t port;

	if (!v->given || (!v->known && which != XCLIENT_PROTO))
		return true;
	switch (which) {
	case XCLIENT_NAME:
		return domain_valid(text_of(v));
	case XCLIENT_ADDR:
		return read_address(v, &address) == 0;
	case XCLIENT_PORT:
		return num_parse(text_of(v), UINT16_MAX, &port) == 0;
	case XCLIENT_PROTO:
		return slice_caseeq(text_of(v), SLICE_LIT("SMTP")) || slice_caseeq(text_of(v), SLICE_LIT("ESMTP"));
	default:
		return hello_acceptable(text_of(v));
	}
}

static bool
all_good(const struct xclient *x)
{
	for (enum xclient_attribute a = XCLIENT_NAME; a < XCLIENT_COUNT; a++)
		if (!is_good(x, a))
			return false;
	return true;
}

static void
take_address(struct session *s, const struct xclient_value *v)
{
	struct sockaddress address = { .v4.sin_family = AF_INET };

	if (!v->given || read_address(v, &address) == -1)
		return;
	snprintf(s->peer, sizeof(s->peer), "unknown");
	if (v->known)
		sockaddress_print(&address, s->peer);
	s->address = address;
	/* A name that came with another address is not this one's. */
	snprintf(s->name, sizeof(s->name), "unknown");
	s->may_xforward = settings_xforward(s->settings, &address);
	s->withheld = settings_withheld(s->settings, s->served, &address);
	s->trusted = v->known && s->home->role != ROLE_MX && settings_trust(s->settings, &address);
}

static void
become(struct session *s, const struct xclient *x)
{
	const struct xclient_value *name = &x->values[XCLIENT_NAME], *helo = &x->values[XCLIENT_HELO];

	session_forget(s);
	take_address(s, &x->values[XCLIENT_ADDR]);
	if (name->given)
		snprintf(s->name, sizeof(s->name), "%s", name->known ? name->text : "unknown");
	snprintf(s->client, sizeof(s->client), "%s[%s]", s->name, s->peer);
	if (helo->given && helo->known)
		hello_keep(s, text_of(helo));
	s->esmtp = x->values[XCLIENT_PROTO].given && slice_caseeq(text_of(&x->values[XCLIENT_PROTO]), SLICE_LIT("ESMTP"));
}

enum done
cmd_xclient(struct session *s, struct slice argument)
{
	struct xclient x;
	struct slice which;
	char was[CLIENT_TEXT];

	if (!s->may_xclient || !offers_has(s, EXTENSION_XCLIENT)) {
		session_say(s, SAY_NO_XCLIENT);
		return DONE_REFUSED;
	}
	if (s->tx != NULL) {
		session_say(s, SAY_IN_PROGRESS);
		return DONE_REFUSED;
	}
	if (xclient_parse(argument, ATTRIBUTES, &x, &which) == -1 || !all_good(&x)) {
		session_say(s, SAY_XCLIENT_SYNTAX);
		return DONE_REFUSED;
	}
	snprintf(was, sizeof(was), "%s", s->client);
	become(s, &x);
	log_info("XCLIENT: %s speaks for %s", was, s->client);
	if (x.values[XCLIENT_ADDR].known && !s->home->moved(s->home->arg, s, &s->address))
		return session_end_sentence(s, SAY_TOO_MANY_SESSIONS);
	session_greet(s);
	return DONE_OK;
}
