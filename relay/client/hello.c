/*
 * hello — greeting, EHLO, and HELO for servers that know nothing else (RFC 5321 3.2).
 *
 * A refusal here is the host's, not the recipient's: the next address may be kinder, so also a 5xx
 * leads to `gone` with a delay.
 */
#include "relay/client/conversation.h"

void
hello_say(struct client *c)
{
	c->caps = (struct capabilities){ 0 };
	(void)stream_printf(c->stream, "EHLO %s\r\n", c->house->conf->hostname);
	client_go(c, STEP_EHLO);
}

void
hello_greeting(struct client *c, const struct reply *reply)
{
	if (reply_class(reply) != 2) {
		client_refused(c, reply);
		return;
	}
	hello_say(c);
}

void
hello_ready(struct client *c)
{
	client_go(c, STEP_IDLE);
	c->ops->ready(c->arg);
}

void
hello_ehlo(struct client *c, const struct reply *reply)
{
	if (reply_class(reply) == 5) {
		c->caps = (struct capabilities){ 0 };
		(void)stream_printf(c->stream, "HELO %s\r\n", c->house->conf->hostname);
		client_go(c, STEP_HELO);
		return;
	}
	if (reply_class(reply) != 2)
		client_refused(c, reply);
	else if (c->wants_tls && (c->caps.has & CAP_STARTTLS) != 0)
		secure_ask(c);
	else
		hello_ready(c);
}

void
hello_helo(struct client *c, const struct reply *reply)
{
	if (reply_class(reply) != 2)
		client_refused(c, reply);
	else
		hello_ready(c);
}
