/*
 * received — our trace header (RFC 5321 4.4), and the two fields that every message has and a submission may lack.
 *
 * The only words in it that the client chose are its HELO name, which cmd_hello.c has cleaned, and the canonical recipient,
 * which the address parser has.
 */
#include <stdio.h>

#include "base/clock.h"
#include "mail/queue_id.h"
#include "net/tls_stream.h"
#include "smtpd/session/inside.h"

/* Many messages a second share one date. */
static const char *
date_of_now(struct home *home)
{
	int64_t now = clock_wall();

	if (home->date_second != now || home->date[0] == '\0') {
		(void)date_print(now, home->date);
		home->date_second = now;
	}
	return home->date;
}

/* RFC 3848, and RFC 6531 3.7.3 where SMTPUTF8 was said. */
static const char *
protocol_of(const struct session *s)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	return s->esmtp || s->tx->smtputf8 ? names[s->tx->smtputf8][s->secure][s->login.live] : "SMTP";
}

static void
print_client(const struct session *s, struct buf *out)
{
	buf_printf(out, "from %s (%s [%s%s])\r\n\t", s->helo, s->name, strchr(s->peer, ':') != NULL ? "IPv6:" : "", s->peer);
	if (s->secure) {
		buf_puts(out, "(using ");
		tls_facts_print(s->stream, out);
		buf_puts(out, ")\r\n\t");
	}
}

int
received_print(struct session *s, struct buf *out)
{
	const struct transaction *tx = s->tx;
	char id[QUEUE_ID_LEN + 1];

	buf_puts(out, "Received: ");
	if (!s->settings->hide_client || !s->login.live)
		print_client(s, out);
	buf_printf(out, "by %s (posthorn) with %s id %s", s->settings->hostname, protocol_of(s), queue_id_print(tx->ticket.id, id));
	/* With several recipients the others' names are nobody's business. */
	if (tx->count == 1)
		buf_printf(out, "\r\n\tfor <%.*s>", SLICE_FMT(tx->recipients[0].address));
	buf_printf(out, ";\r\n\t%s\r\n", date_of_now(s->home));
	return out->failed ? -1 : 0;
}

/* The queue id is one of its kind on this host as long as its store lives; with the time it is for ever. */
static void
print_message_id(struct session *s, struct buf *out)
{
	char id[QUEUE_ID_LEN + 1], text[QUEUE_ID_LEN + 32 + DOMAIN_MAX];
	int len = snprintf(text, sizeof(text), "<%s.%lld@%s>", queue_id_print(s->tx->ticket.id, id), (long long)clock_wall(), s->settings->hostname);

	s->tx->message_id = arena_slice(&s->tx->arena, slice_of(text, (size_t)len));
	buf_printf(out, "Message-ID: %s\r\n", text);
}

int
missing_print(struct session *s, struct buf *out)
{
	const uint32_t *counts = s->tx->scan.counts;

	if (counts[HEADER_DATE] == 0)
		buf_printf(out, "Date: %s\r\n", date_of_now(s->home));
	if (counts[HEADER_MESSAGE_ID] == 0)
		print_message_id(s, out);
	return out->failed ? -1 : 0;
}
