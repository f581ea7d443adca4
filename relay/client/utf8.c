/*
 * utf8 — mail outside ASCII (RFC 6531) and a next hop that does not offer SMTPUTF8. Addresses and content are not rewritten, so what
 * needs the extension fails there, recipient by recipient where only they do, and the rest goes as if nothing had been said.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "mail/header.h"
#include "relay/client/conversation.h"

/* Whether a byte above 127 is in the header of a content that is good; like body_is_8bit it reads to the end. */
static enum content_result
header_is_8bit(struct client *c, bool *yes, struct err *err)
{
	const struct content *content = &c->tx->content;
	struct content_reader reader = { 0 };
	enum content_result result;
	struct header_scan scan;
	struct slice piece;

	header_scan_init(&scan, content->size, NULL, NULL);
	for (*yes = false; reader.at < content->size && !*yes && scan.result != HEADER_DONE;) {
		uint32_t before = reader.at;

		result = content_next(content, &reader, BODY_BLOCK, c->house->block, &piece, err);
		if (result != CONTENT_GOOD)
			return result;
		if (header_scan_feed(&scan, piece) == HEADER_DONE && scan.size - before < piece.len)
			piece.len = scan.size - before;
		*yes = !slice_is_ascii(piece);
	}
	return content_rest(content, &reader, BODY_BLOCK, c->house->block, err);
}

static struct outcome
refusal(const struct client *c, char text[OUTCOME_TEXT_MAX])
{
	(void)snprintf(text, OUTCOME_TEXT_MAX, "server %s does not take mail outside ASCII (SMTPUTF8)", c->name);
	return (struct outcome){ .action = ACTION_FAILED, .status = STATUS(5, 6, 7), .text = slice_str(text) };
}

/* The whole message needs SMTPUTF8, or cannot be looked into: everybody has an outcome. */
static bool
message_unsuited(struct client *c)
{
	enum content_result result = CONTENT_GOOD;
	bool needs = !slice_is_ascii(c->tx->reverse_path);
	char text[OUTCOME_TEXT_MAX];
	struct err err = { 0 };
	struct outcome o;

	if (!needs)
		result = header_is_8bit(c, &needs, &err);
	if (result == CONTENT_GOOD && !needs)
		return false;
	o = refusal(c, text);
	if (result != CONTENT_GOOD)
		o = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 0), .text = SLICE_LIT("the content cannot be read") };
	c->tx->damaged = result == CONTENT_DAMAGED;
	envelope_refuse(c, &o);
	return true;
}

bool
utf8_unsuited(struct client *c)
{
	struct transaction *tx = c->tx;
	char text[OUTCOME_TEXT_MAX];
	uint32_t kept = 0;
	struct outcome o;

	if (!tx->smtputf8 || (c->caps.has & CAP_SMTPUTF8))
		return false;
	if (message_unsuited(c))
		return true;
	o = refusal(c, text);
	for (uint32_t i = 0; i < tx->count; i++) {
		if (slice_is_ascii(tx->recipients[i]->address))
			tx->recipients[kept++] = tx->recipients[i];
		else
			client_decide(c, tx->recipients[i], &o);
	}
	tx->count = kept;
	if (kept > 0)
		return false;
	envelope_refuse(c, &o);
	return true;
}
