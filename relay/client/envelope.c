/*
 * envelope — MAIL, RCPT, DATA; in one write where the server offers PIPELINING (RFC 2920), one by one where not. BDAT, which large
 * content goes by, always waits for the replies to RCPT: content is not sent to a server that takes nobody, for one that does not
 * pass over its bytes would take them for commands.
 *
 * Each recipient keeps the verdict of its own reply. When MAIL is refused, the replies to what was sent behind it mean nothing.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "relay/client/conversation.h"
#include "smtp/xtext.h"
#include "wire/fields.h"

static void
tell_over(void *arg)
{
	client_finish(arg);
}

void
envelope_refuse(struct client *c, const struct outcome *outcome)
{
	if (!c->tx->damaged)
		client_decide_rest(c, outcome);
	loop_at_end(c->house->loop, &c->hook, tell_over, c);
}

/* RFC 1870 6.1: a message above the server's limit is not offered. */
static bool
too_big(struct client *c)
{
	struct outcome o = { .action = ACTION_FAILED, .status = STATUS(5, 3, 4) };
	char text[OUTCOME_TEXT_MAX];

	if (!(c->caps.has & CAP_SIZE) || c->caps.size == 0 || c->tx->content.size <= c->caps.size)
		return false;
	(void)snprintf(text, sizeof(text), "message size %u exceeds size limit %llu of server %s", c->tx->content.size,
	    (unsigned long long)c->caps.size, c->name);
	o.text = slice_str(text);
	envelope_refuse(c, &o);
	return true;
}

/* RFC 6152 3: eight-bit content must not go to a server that does not take it, and we do not rewrite content: so it is returned,
 * unless the sender only said that it might be eight-bit. */
static bool
needs_8bit(struct client *c)
{
	struct outcome o = { .action = ACTION_FAILED, .status = STATUS(5, 6, 3) };
	enum content_result result;
	char text[OUTCOME_TEXT_MAX];
	struct err err = { 0 };
	bool found = false;

	if (c->tx->body != BODY_8BITMIME || (c->caps.has & CAP_8BITMIME))
		return false;
	result = body_is_8bit(c, &c->tx->content, &found, &err);
	if (result == CONTENT_GOOD && !found)
		return false;
	c->tx->damaged = result == CONTENT_DAMAGED;
	if (result != CONTENT_GOOD)
		o = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 0) };
	(void)snprintf(text, sizeof(text), result == CONTENT_GOOD ? "server %s does not take 8-bit content" :
	    "the content for %s cannot be read", c->name);
	o.text = slice_str(text);
	envelope_refuse(c, &o);
	return true;
}

static void
put_envid(struct client *c)
{
	char text[3 * ENVID_MAX];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	xtext_put(&out, c->tx->envid);
	(void)stream_printf(c->stream, " ENVID=%.*s", SLICE_FMT(buf_slice(&out)));
}

/* RFC 3461 5.2: what the sender asked for goes on to the next hop, word for word. */
static void
put_mail_dsn(struct client *c)
{
	static const char *const names[RET_COUNT] = { [RET_FULL] = " RET=FULL", [RET_HDRS] = " RET=HDRS" };

	if (names[c->tx->ret] != NULL)
		(void)stream_puts(c->stream, names[c->tx->ret]);
	if (c->tx->envid.len > 0)
		put_envid(c);
}

static void
put_notify(struct client *c, uint32_t notify)
{
	static const struct { uint32_t bit; const char *name; } rows[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(notify & rows[i].bit))
			continue;
		(void)stream_printf(c->stream, "%s%s", before, rows[i].name);
		before = ",";
	}
}

/* RFC 3461 5.2.1: one that was given stays as it was; where none was, the address that RCPT named here is the original one. */
static void
put_orcpt(struct client *c, const struct tx_recipient *to)
{
	char text[10 * ADDRESS_FIELD_MAX];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };
	struct slice address, type = slice_split(to->orcpt, ';', &address);

	if (address.p == NULL) {
		address = to->original.len > 0 ? to->original : to->address;
		type = slice_is_ascii(address) ? SLICE_LIT("rfc822") : SLICE_LIT("utf-8");
	}
	(to->orcpt.len > 0 || slice_is_ascii(address) ? xtext_put : uxtext_put)(&out, address);
	if (to->orcpt.len == 0 && type.len + 1 + buf_len(&out) > ORCPT_MAX)
		return;
	(void)stream_printf(c->stream, " ORCPT=%.*s;%.*s", SLICE_FMT(type), SLICE_FMT(buf_slice(&out)));
}

/* The owner asks before it sends; should that ever not hold, the message waits rather than go unprotected. */
static bool
unprotected(struct client *c)
{
	char text[OUTCOME_TEXT_MAX];
	struct outcome why;

	if (!c->tx->protected_only || client_protects(c, &why, text))
		return false;
	why.action = ACTION_DELAYED;
	why.status.class = 4;
	envelope_refuse(c, &why);
	return true;
}

/* RFC 8689 2: it is said in no session that is not fit for it. */
static bool
goes_on_protected(const struct client *c)
{
	char text[OUTCOME_TEXT_MAX];
	struct outcome why;

	return c->tx->requiretls && client_protects(c, &why, text);
}

static void
put_mail(struct client *c)
{
	(void)stream_printf(c->stream, "MAIL FROM:<%.*s>", SLICE_FMT(c->tx->reverse_path));
	if (c->caps.has & CAP_SIZE)
		(void)stream_printf(c->stream, " SIZE=%u", c->tx->content.size);
	if (c->tx->body == BODY_8BITMIME && (c->caps.has & CAP_8BITMIME))
		(void)stream_puts(c->stream, " BODY=8BITMIME");
	if (c->tx->smtputf8 && (c->caps.has & CAP_SMTPUTF8))
		(void)stream_puts(c->stream, " SMTPUTF8");
	if (goes_on_protected(c))
		(void)stream_puts(c->stream, " REQUIRETLS");
	if (c->caps.has & CAP_DSN)
		put_mail_dsn(c);
	(void)stream_puts(c->stream, "\r\n");
}

static void
put_rcpt(struct client *c, uint32_t i)
{
	struct tx_recipient *to = c->tx->recipients[i];

	to->dsn = (c->caps.has & CAP_DSN) != 0;
	(void)stream_printf(c->stream, "RCPT TO:<%.*s>", SLICE_FMT(to->address));
	if (to->dsn) {
		/* RFC 3461 6.1: nobody is told what became of a notification. */
		put_notify(c, to->notify == 0 && c->tx->reverse_path.len == 0 ? NOTIFY_NEVER : to->notify);
		put_orcpt(c, to);
	}
	(void)stream_puts(c->stream, "\r\n");
}

static bool
wants_chunk(const struct client *c)
{
	int64_t from = c->house->conf->relay.chunking_from;

	return (c->caps.has & CAP_CHUNKING) && from > 0 && c->tx->content.size >= from;
}

/* Within the server's limits; then the owner hears of it from the loop, as always. */
static bool
nobody_fits(struct client *c)
{
	limits_choose(c);
	if (c->count == 0)
		loop_at_end(c->house->loop, &c->hook, tell_over, c);
	return c->count == 0;
}

void
envelope_begin(struct client *c)
{
	c->pipelined = (c->caps.has & CAP_PIPELINING) != 0;
	c->chunked = wants_chunk(c);
	client_go(c, STEP_MAIL);
	if (unprotected(c) || too_big(c) || needs_8bit(c) || utf8_unsuited(c) || nobody_fits(c))
		return;
	c->dirty = true;			/* until the dot is answered */
	put_mail(c);
	if (!c->pipelined)
		return;
	for (uint32_t i = 0; i < c->count; i++)
		put_rcpt(c, i);
	if (!c->chunked)
		(void)stream_puts(c->stream, "DATA\r\n");
}

void
envelope_rset(struct client *c, const struct reply *reply)
{
	if (reply_class(reply) != 2) {
		client_refused(c, reply);
		return;
	}
	c->dirty = false;
	c->answered = false;
	envelope_begin(c);
}

static void
nonsense(struct client *c, const struct reply *reply)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "reply code %u", reply->code);
	client_nonsense(c, what);
}

/* What is said to MAIL is said of the message, and so of those, too, whose turn would have come later. */
static void
recall_later(struct client *c)
{
	for (uint32_t i = c->count; i < c->tx->count; i++)
		c->tx->recipients[i]->state = TX_NONE;
	c->tx->more = false;
}

void
envelope_mail(struct client *c, const struct reply *reply)
{
	enum verdict verdict = verdict_of(STAGE_MAIL, reply, 0);
	struct outcome o;

	if (verdict == VERDICT_CLOSING) {
		client_refused(c, reply);
		return;
	}
	if (verdict == VERDICT_NONSENSE || c->hook.queued) {	/* or it answers what has not been said */
		nonsense(c, reply);
		return;
	}
	if (verdict != VERDICT_GO_ON) {
		o = verdict_outcome(STAGE_MAIL, verdict, reply);
		recall_later(c);
		client_decide_rest(c, &o);
		c->refused = true;
		if (!c->pipelined) {
			client_finish(c);
			return;
		}
	}
	if (!c->pipelined)
		put_rcpt(c, 0);
	client_go(c, STEP_RCPT);
}

static void
after_recipients(struct client *c)
{
	if ((!c->pipelined || c->chunked) && c->accepted == 0) {
		client_finish(c);
		return;
	}
	if (c->chunked) {
		body_chunk(c);
		return;
	}
	if (!c->pipelined)
		(void)stream_puts(c->stream, "DATA\r\n");
	client_go(c, STEP_DATA);
}

static void
hear_recipient(struct client *c, struct tx_recipient *to, const struct reply *reply, enum verdict verdict)
{
	struct outcome o;

	if (verdict == VERDICT_GO_ON) {
		to->state = TX_TAKEN;
		c->accepted++;
		return;
	}
	o = verdict_outcome(STAGE_RCPT, verdict, reply);
	client_decide(c, to, &o);
	if (verdict != VERDICT_TOO_MANY)
		return;
	c->tx->more = true;
	c->tx->trouble = to->outcome;
	to->state = TX_LATER;
	to->outcome.action = ACTION_NONE;
}

void
envelope_rcpt(struct client *c, const struct reply *reply)
{
	struct tx_recipient *to = c->tx->recipients[c->heard];
	enum verdict verdict = c->refused ? VERDICT_NONE : verdict_of(STAGE_RCPT, reply, c->accepted);

	if (reply->code == 421) {
		client_refused(c, reply);
		return;
	}
	if (verdict == VERDICT_NONSENSE) {
		nonsense(c, reply);
		return;
	}
	if (verdict != VERDICT_NONE)
		hear_recipient(c, to, reply, verdict);
	if (++c->heard == c->count) {
		after_recipients(c);
		return;
	}
	if (!c->pipelined)
		put_rcpt(c, c->heard);
	client_go(c, STEP_RCPT);
}

/* DATA was answered, but nothing can follow: what the reply means for those who were taken. */
static void
data_refused(struct client *c, const struct reply *reply, enum verdict verdict)
{
	struct outcome o = verdict_outcome(STAGE_DATA, verdict, reply);

	if (c->accepted > 0)
		client_decide_rest(c, &o);
	client_finish(c);
}

void
envelope_data(struct client *c, const struct reply *reply)
{
	enum verdict verdict = verdict_of(STAGE_DATA, reply, 0);

	if (verdict == VERDICT_CLOSING)
		client_refused(c, reply);
	else if (verdict == VERDICT_NONSENSE)
		nonsense(c, reply);
	else if (verdict != VERDICT_GO_ON)
		data_refused(c, reply, verdict);
	else
		body_begin(c);
}
