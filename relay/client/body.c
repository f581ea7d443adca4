/*
 * body — the content and its end. By DATA bytes go out as they are, dots at line starts doubled (RFC 5321 4.5.2), and a final dot; by
 * BDAT (RFC 3030) as one last chunk. At most the stream's high mark waits in memory, the rest is read when there is room. A content
 * that fails its checksum never gets its last piece and its dot: there is no other way back than to hang up.
 */
#include <stdio.h>

#include "relay/client/conversation.h"

static bool
any_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 127)
			return true;
	}
	return false;
}

/* A damaged content may owe its 8-bit bytes, or the lack of them, to the damage: so it is read to its end. */
enum content_result
body_is_8bit(struct client *c, const struct content *content, bool *yes, struct err *err)
{
	struct content_reader reader = { 0 };
	enum content_result result = CONTENT_GOOD;
	struct slice piece;

	for (*yes = false; reader.at < content->size && !*yes; *yes = any_8bit(piece)) {
		result = content_next(content, &reader, BODY_BLOCK, c->house->block, &piece, err);
		if (result != CONTENT_GOOD)
			return result;
	}
	return content_rest(content, &reader, BODY_BLOCK, c->house->block, err);
}

/* Trouble in the middle of the content: without the final dot the next hop forgets all of it. */
static void
give_up(struct client *c, enum action action, struct status status, const char *text)
{
	struct outcome o = { .action = action, .status = status, .text = slice_str(text) };

	client_decide_rest(c, &o);
	client_fail(c, "%s: %s", c->name, text);
}

/* Nobody is given an outcome for a damaged content: another try is no better. queue holds it. */
static void
lose_content(struct client *c, enum content_result result, const struct err *err)
{
	c->tx->damaged = result == CONTENT_DAMAGED;
	if (c->tx->damaged)
		client_fail(c, "%s: left before the final dot: %s", c->name, err->text);
	else
		give_up(c, ACTION_DELAYED, STATUS(4, 3, 0), "the content cannot be read");
}

/* A CR or LF that stands alone is the sender's fault, unless the content is not any more what the sender wrote. */
static void
give_up_bare(struct client *c)
{
	struct err err = { 0 };
	enum content_result result = content_rest(&c->tx->content, &c->reader, BODY_BLOCK, c->house->block, &err);

	if (result != CONTENT_GOOD)
		lose_content(c, result, &err);
	else
		give_up(c, ACTION_FAILED, STATUS(5, 6, 0), "the content has a bare CR or LF");
}

/* The chunk is complete with its last byte, so what is wrong with the end of it has to be seen before. */
static int
put_counted(struct client *c, struct slice piece)
{
	bool last = c->reader.at == c->tx->content.size;

	if (dot_pass(&c->lines, piece) == DOT_BARE || (last && dot_pass_end(&c->lines) == DOT_BARE))
		return -1;
	return stream_write(c->stream, piece) == -1 ? 1 : 0;
}

/* All of `piece` into the stream. -1: the content has a CR or LF that stands alone; 1: the stream has failed, and tells so itself. */
static int
put_piece(struct client *c, struct slice piece)
{
	struct slice run;
	enum dot_result result;

	if (c->chunked)
		return put_counted(c, piece);
	while ((result = dot_write(&c->dots, &piece, &run)) == DOT_RUN) {
		if (stream_write(c->stream, run) == -1)
			return 1;
	}
	return result == DOT_MORE ? 0 : -1;
}

static void
put_end(struct client *c)
{
	struct slice last = c->chunked ? SLICE_LIT("") : dot_write_end(&c->dots);

	if (last.p == NULL) {
		give_up_bare(c);
		return;
	}
	c->body_done = true;
	(void)stream_write(c->stream, last);
}

void
body_pump(struct client *c)
{
	const struct content *content = &c->tx->content;
	enum content_result result;
	struct err err = { 0 };
	struct slice piece;
	int put;

	while (c->reader.at < content->size && !stream_congested(c->stream)) {
		result = content_next(content, &c->reader, BODY_BLOCK, c->house->block, &piece, &err);
		if (result != CONTENT_GOOD) {
			lose_content(c, result, &err);
			return;
		}
		put = put_piece(c, piece);
		if (put == -1)
			give_up_bare(c);
		if (put != 0)
			return;
	}
	if (c->reader.at == content->size)
		put_end(c);
}

void
body_begin(struct client *c)
{
	client_go(c, STEP_BODY);
	if (c->accepted > 0) {
		body_pump(c);
		return;
	}
	/* Nobody was taken, but the server, which heard DATA in the same breath, wants content: an empty one. */
	c->body_done = true;
	(void)stream_puts(c->stream, ".\r\n");
}

void
body_chunk(struct client *c)
{
	client_go(c, STEP_BODY);
	(void)stream_printf(c->stream, "BDAT %u LAST\r\n", c->tx->content.size);
	body_pump(c);
}

/* The stream has given everything to the kernel. Only now can the next hop have the whole message. */
void
body_drained(struct client *c)
{
	if (c->body_done) {
		client_go(c, STEP_DOT);
		return;
	}
	client_go(c, STEP_BODY);		/* progress: a new patience for the next block */
	body_pump(c);
}

/* The server could not wait for the end (message too big, disk full): an answer, but a connection that is out of step. */
void
body_early(struct client *c, const struct reply *reply)
{
	enum verdict verdict = verdict_of(STAGE_DOT, reply, c->accepted);
	struct outcome o;

	if (verdict == VERDICT_GO_ON || verdict == VERDICT_NONSENSE) {
		client_nonsense(c, "a reply too early");
		return;
	}
	o = verdict_outcome(STAGE_DOT, verdict, reply);
	if (c->accepted > 0)
		client_decide_rest(c, &o);
	client_refused(c, reply);
}

void
body_dot(struct client *c, const struct reply *reply)
{
	enum verdict verdict = verdict_of(STAGE_DOT, reply, c->accepted);
	struct outcome o = verdict_outcome(STAGE_DOT, verdict, reply);

	if (c->accepted > 0)
		client_decide_rest(c, &o);
	if (verdict == VERDICT_CLOSING || verdict == VERDICT_NONSENSE) {
		client_refused(c, reply);
		return;
	}
	c->dirty = false;
	client_finish(c);
}
