/*
 * steps — the conversation as a table. A step without a deadline cannot be written down.
 */
#include "base/log.h"
#include "relay/client/conversation.h"

#define WAIT(field)	offsetof(struct conf_relay, field)

/* An idle connection hears nothing but "421 going down": any word ends it. (None comes while TLS begins: that is no text yet.) */
static void
idle_reply(struct client *c, const struct reply *reply)
{
	client_refused(c, reply);
}

static void
quit_reply(struct client *c, const struct reply *reply)
{
	(void)reply;
	client_shut(c);
}

/* The patience of every wait: RFC 5321 4.5.3.2, as configured. Only STEP_NONE has none: client_open leaves it at once. */
const struct step client_steps[STEP_COUNT] = {
	[STEP_NONE] = { .doing = "connected" },
	[STEP_GREETING] = { "receiving the initial server greeting", WAIT(greeting_timeout), KIND_HELLO, hello_greeting },
	[STEP_EHLO] = { "performing the EHLO handshake", WAIT(hello_timeout), KIND_HELLO, hello_ehlo },
	[STEP_HELO] = { "performing the HELO handshake", WAIT(hello_timeout), KIND_HELLO, hello_helo },
	[STEP_STARTTLS] = { "sending STARTTLS", WAIT(hello_timeout), KIND_HELLO, secure_reply },
	[STEP_TLS] = { "performing the TLS handshake", WAIT(tls_timeout), KIND_HELLO, idle_reply },
	[STEP_IDLE] = { "waiting for work", WAIT(idle_timeout), KIND_HELLO, idle_reply },
	[STEP_RSET] = { "sending RSET", WAIT(rset_timeout), KIND_ENVELOPE, envelope_rset },
	[STEP_MAIL] = { "sending MAIL FROM", WAIT(mail_timeout), KIND_ENVELOPE, envelope_mail },
	[STEP_RCPT] = { "sending RCPT TO", WAIT(rcpt_timeout), KIND_ENVELOPE, envelope_rcpt },
	[STEP_DATA] = { "sending DATA command", WAIT(data_timeout), KIND_ENVELOPE, envelope_data },
	[STEP_BODY] = { "sending message body", WAIT(block_timeout), KIND_CONTENT, body_early },
	[STEP_DOT] = { "sending end of data -- message may be sent more than once", WAIT(dot_timeout), KIND_CONTENT, body_dot },
	[STEP_QUIT] = { "sending QUIT", WAIT(quit_timeout), KIND_GOODBYE, quit_reply },
};

void
client_go(struct client *c, enum step_id next)
{
	int64_t patience;

	memcpy(&patience, (const char *)&c->house->conf->relay + client_steps[next].patience, sizeof(patience));
	log_debug("%s: %s -> %s", c->name, client_steps[c->step].doing, client_steps[next].doing);
	c->step = next;
	timer_set(&c->deadline, patience);
}
