/*
 * secure — a session goes over to TLS: after STARTTLS (RFC 3207), or at once where the listener says so (RFC 8314).
 *
 * What was said in clear is forgotten (RFC 3207 4.2): nobody knows who said it. Bytes that wait behind STARTTLS end the session before
 * (command_table.c, IS_LAST), and the stream refuses what is left over in any other way (CVE-2011-0411).
 */
#include "net/tls_binding.h"
#include "net/tls_stream.h"
#include "smtpd/key/provider.h"
#include "smtpd/session/inside.h"

bool
secure_offered(const struct session *s)
{
	return s->served != NULL && s->served->tls != NULL && !s->served->implicit && !s->secure && offers_has(s, EXTENSION_STARTTLS);
}

static void
log_failure(const struct session *s, const char *why)
{
	log_event(EVENT_TLS_FAILED, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_KIND, "SSL_accept error from"), LOG_STR(KEY_CLIENT, s->client),
	    LOG_STR(KEY_TEXT, why[0] == '\0' ? "lost connection" : why));
}

void
secure_failed(struct session *s)
{
	log_failure(s, tls_why(s->stream));
}

void
secure_late(struct session *s)
{
	log_failure(s, "Connection timed out");
	(void)session_end(s, NULL);
}

void
secure_begin(struct session *s)
{
	struct err err = { 0, "" };

	if (!key_provider_ready()) {
		log_failure(s, "there is no process that holds the keys; try again later");
		(void)session_end(s, NULL);
	} else if (tls_accept(s->stream, s->served->tls, &err) == -1) {
		log_failure(s, err.text);
		(void)session_end(s, NULL);
	} else {
		session_go(s, PHASE_HANDSHAKE);
	}
}

static void
log_success(const struct session *s)
{
	char text[256];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	tls_facts_print(s->stream, &out);
	log_event(EVENT_TLS, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_KIND, "Anonymous TLS connection established from"),
	    LOG_STR(KEY_CLIENT, s->client), LOG_SLICE(KEY_TEXT, buf_slice(&out)));
}

static void
keep_binding(struct session *s, enum auth_binding type, size_t len, const char *data)
{
	if (len == 0 || len > sizeof(s->bindings.each[0].data))
		return;
	s->bindings.each[s->bindings.count].type = type;
	s->bindings.each[s->bindings.count].len = len;
	memcpy(s->bindings.each[s->bindings.count++].data, data, len);
}

/* What a login may be bound to: so it cannot be passed on through another connection. */
static void
keep_bindings(struct session *s)
{
	char exporter[TLS_EXPORTER_BYTES], end_point[TLS_END_POINT_MAX];

	s->bindings.count = 0;
	keep_binding(s, BINDING_TLS_EXPORTER, tls_exporter(s->stream, exporter), exporter);
	keep_binding(s, BINDING_TLS_SERVER_END_POINT, tls_end_point(s->stream, end_point), end_point);
}

void
secure_opened(void *arg)
{
	struct session *s = arg;

	s->secure = true;
	if (s->home->role == ROLE_SUBMISSION)
		keep_bindings(s);
	log_success(s);
	session_forget(s);
	if (!s->served->implicit)
		session_go(s, PHASE_COMMAND);
	else if (s->settings->greeting_delay > 0)
		session_go(s, PHASE_GREETING);
	else
		session_greet(s);
}
