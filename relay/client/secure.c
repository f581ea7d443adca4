/*
 * secure — STARTTLS with whoever offers it (RFC 3207), opportunistic (RFC 7435): any certificate will do, and whoever refuses is served in
 * clear. Whether the session is fit for mail that requires TLS (RFC 8689) is asked when it is ready. What was learnt in clear is forgotten
 * (RFC 3207 4.2), and a server that says more than "220" in clear is not listened to any further (talks_on in client.c; CVE-2021-38371).
 */
#include <stdio.h>

#include "base/log.h"
#include "net/tls_stream.h"
#include "relay/client/conversation.h"
#include "wire/log.h"

void
secure_ask(struct client *c)
{
	c->wants_tls = false;		/* once */
	(void)stream_puts(c->stream, "STARTTLS\r\n");
	client_go(c, STEP_STARTTLS);
}

void
secure_reply(struct client *c, const struct reply *reply)
{
	struct err err = { 0, "" };

	if (reply->code == 421) {
		client_refused(c, reply);
	} else if (reply_class(reply) != 2) {
		log_info("%s refuses STARTTLS that it offers; it goes on in clear", c->name);
		c->tls_later = reply_class(reply) == 4;
		hello_ready(c);
	} else if (tls_connect(c->stream, c->house->tls, c->host, &err) == -1) {
		c->tls_failed = true;
		client_fail(c, "TLS with %s: %s", c->name, err.text);
	} else {
		c->has_authorities = tls_client_trusts(c->house->tls);
		client_go(c, STEP_TLS);
	}
}

void
secure_opened(void *arg)
{
	struct client *c = arg;
	char text[256];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	tls_facts_print(c->stream, &out);
	log_event(EVENT_TLS, LOG_LEVEL_INFO, 0, 
	    LOG_STR(KEY_KIND, tls_distrust(c->stream) == NULL ? "Verified TLS connection established to" : "Untrusted TLS connection established to"),
	    LOG_STR(KEY_CLIENT, c->name), LOG_SLICE(KEY_TEXT, buf_slice(&out)));
	hello_say(c);
}

void
secure_failed(struct client *c)
{
	const char *why = tls_why(c->stream);

	c->tls_failed = true;
	c->tls_impossible = why[0] != '\0';
	client_fail(c, "TLS with %s: %s", c->name, why[0] != '\0' ? why : "lost connection");
}

/* Why the session is not what RFC 8689 4.2.1 wants, step by step. */
static struct outcome
shortcoming(const struct client *c, char text[OUTCOME_TEXT_MAX])
{
	struct outcome why = { .action = ACTION_FAILED, .status = STATUS(5, 7, 10) };
	const char *distrust = NULL;

	if (!tls_active(c->stream)) {
		(void)snprintf(text, OUTCOME_TEXT_MAX, "TLS is required, and server %s %s", c->name,
		    c->tls_later ? "does not begin it now" : "does not offer it");
		if (c->tls_later)
			why = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 7, 10) };
	} else if (!c->named) {
		(void)snprintf(text, OUTCOME_TEXT_MAX, "TLS is required, and the name of server %s is not authenticated", c->name);
	} else if (!c->has_authorities) {
		(void)snprintf(text, OUTCOME_TEXT_MAX, "TLS is required, and there are no authorities to check the certificate of server %s", c->name);
		why = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 5) };
	} else if ((distrust = tls_distrust(c->stream)) != NULL) {
		(void)snprintf(text, OUTCOME_TEXT_MAX, "TLS is required, and the certificate of server %s proves nothing: %s", c->name, distrust);
	} else if (!(c->caps.has & CAP_REQUIRETLS)) {
		(void)snprintf(text, OUTCOME_TEXT_MAX, "server %s does not offer REQUIRETLS", c->name);
		why.status = STATUS(5, 7, 30);
	} else {
		return (struct outcome){ 0 };
	}
	why.text = slice_str(text);
	why.mta = slice_str(c->name);
	return why;
}

bool
client_protects(const struct client *c, struct outcome *why, char text[OUTCOME_TEXT_MAX])
{
	*why = shortcoming(c, text);
	return why->action == ACTION_NONE;
}
