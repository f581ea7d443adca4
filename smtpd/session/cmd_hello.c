/*
 * cmd_hello — HELO and EHLO. Both begin anew (RFC 5321 4.1.4): an open transaction ends.
 */
#include "smtpd/session/inside.h"

/* The name stands in our Received header and in logs: what could mean something there becomes a question mark. */
void
hello_keep(struct session *s, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool plain = c > ' ' && c <= '~' && strchr("()<>,;\\\"", c) == NULL;

		s->helo[i] = plain ? c : '?';
	}
	s->helo[name.len] = '\0';
}

bool
hello_acceptable(struct slice name)
{
	return name.len > 0 && name.len <= HELO_MAX && memchr(name.p, ' ', name.len) == NULL;
}

enum done
cmd_helo(struct session *s, struct slice argument)
{
	if (!hello_acceptable(argument)) {
		session_say(s, SAY_HELO_SYNTAX);
		return DONE_REFUSED;
	}
	session_reset(s);
	hello_keep(s, argument);
	s->esmtp = false;
	session_sayf(s, "250 %s\r\n", s->settings->hostname);
	return DONE_OK;
}

enum done
cmd_ehlo(struct session *s, struct slice argument)
{
	char offer[AUTH_MECHANISMS_MAX + 32];

	if (!hello_acceptable(argument)) {
		session_say(s, SAY_EHLO_SYNTAX);
		return DONE_REFUSED;
	}
	session_reset(s);
	hello_keep(s, argument);
	s->esmtp = true;
	auth_print_offer(s, offer, sizeof(offer));
	session_sayf(s, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n%s%s250-8BITMIME\r\n%s250-DSN\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
	    "250-LIMITS RCPTMAX=%u\r\n%s250 ENHANCEDSTATUSCODES\r\n", s->settings->hostname, (unsigned long long)s->settings->message_size,
	    secure_offered(s) ? "250-STARTTLS\r\n" : "", s->may_xclient ? "250-XCLIENT NAME ADDR PORT PROTO HELO\r\n" : "", offer,
	    s->settings->recipients, s->secure ? "250-REQUIRETLS\r\n" : "");	/* RFC 8689 2: never in clear */
	return DONE_OK;
}
