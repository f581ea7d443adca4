/*
 * offers — what EHLO names, each to whom it is of use, and the configuration's word on what is withheld at a listener or from a network:
 * a client that cannot do with something is better not told of it. The parameters and commands of what is not offered are not taken either.
 */
#include "smtpd/session/inside.h"

static bool
to_relayers(const struct session *s)
{
	return s->home->role != ROLE_MX && s->settings->etrn;
}

static bool
to_proxies(const struct session *s)
{
	return s->may_xclient;
}

static bool
to_filters(const struct session *s)
{
	return s->may_xforward;
}

static void
print_size(const struct session *s, struct buf *out)
{
	buf_printf(out, " %llu", (unsigned long long)s->settings->message_size);
}

static void
print_xclient(const struct session *s, struct buf *out)
{
	(void)s;
	buf_puts(out, " NAME ADDR PORT PROTO HELO");
}

static void
print_xforward(const struct session *s, struct buf *out)
{
	(void)s;
	buf_puts(out, " NAME ADDR PORT PROTO HELO IDENT SOURCE");
}

static bool
below_tls(const struct session *s)
{
	return s->secure;
}

static void
print_limits(const struct session *s, struct buf *out)
{
	buf_printf(out, " RCPTMAX=%u", s->settings->recipients);
}

static const struct {
	enum extension	extension;
	bool		(*when)(const struct session *);		/* NULL: to everybody */
	void		(*print)(const struct session *, struct buf *);	/* what stands behind the keyword; NULL: nothing */
} offers[] = {
	{ EXTENSION_PIPELINING,			NULL,			NULL },
	{ EXTENSION_SIZE,			NULL,			print_size },
	{ EXTENSION_VRFY,			auth_may_relay,		NULL },
	{ EXTENSION_ETRN,			to_relayers,		NULL },
	{ EXTENSION_STARTTLS,			secure_offered,		NULL },
	{ EXTENSION_XCLIENT,			to_proxies,		print_xclient },
	{ EXTENSION_XFORWARD,			to_filters,		print_xforward },
	{ EXTENSION_8BITMIME,			NULL,			NULL },
	{ EXTENSION_AUTH,			auth_has_mechanism,	auth_print_mechanisms },
	{ EXTENSION_DSN,			NULL,			NULL },
	{ EXTENSION_SMTPUTF8,			NULL,			NULL },
	{ EXTENSION_CHUNKING,			NULL,			NULL },
	{ EXTENSION_LIMITS,			NULL,			print_limits },
	{ EXTENSION_REQUIRETLS,			below_tls,		NULL },
	{ EXTENSION_ENHANCEDSTATUSCODES,	NULL,			NULL },
};

bool
offers_has(const struct session *s, enum extension extension)
{
	return (s->withheld & EXTENSION_BIT(extension)) == 0;
}

void
offers_say(struct session *s)
{
	char text[1024];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };
	size_t last = 0;

	buf_printf(&out, "250-%s\r\n", s->settings->hostname);
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		if (!offers_has(s, offers[i].extension) || (offers[i].when != NULL && !offers[i].when(s)))
			continue;
		last = buf_len(&out);
		buf_printf(&out, "250-%.*s", SLICE_FMT(extension_name(offers[i].extension)));
		if (offers[i].print != NULL)
			offers[i].print(s, &out);
		buf_puts(&out, "\r\n");
	}
	text[last + 3] = ' ';
	(void)stream_write(s->stream, buf_slice(&out));
}
