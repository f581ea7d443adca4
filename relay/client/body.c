/*
 * body — the content and its final dot. Bytes go out as they are, dots at line starts doubled (RFC 5321 4.5.2); at most the
 * stream's high mark waits in memory, the rest is read when there is room.
 */
#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "relay/client/conversation.h"

/* The next piece of content; -1: it cannot be read (errno), or the file is shorter than it was said to be (0). */
static int
next_piece(struct client_house *house, const struct content *content, uint32_t offset, struct slice *out)
{
	size_t want = content->size - offset;
	ssize_t got;

	if (want > BODY_BLOCK)
		want = BODY_BLOCK;
	if (content->bytes != NULL) {
		*out = slice_of(content->bytes + offset, want);
		return 0;
	}
	errno = 0;
	got = fd_pread_full(content->fd, house->block, want, (off_t)offset);
	if (got != (ssize_t)want)
		return -1;
	*out = slice_of(house->block, want);
	return 0;
}

static bool
any_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 127)
			return true;
	}
	return false;
}

int
body_is_8bit(struct client *c, const struct content *content)
{
	struct slice piece;

	for (uint32_t offset = 0; offset < content->size; offset += (uint32_t)piece.len) {
		if (next_piece(c->house, content, offset, &piece) == -1)
			return -1;
		if (any_8bit(piece))
			return 1;
	}
	return 0;
}

/* Our own trouble in the middle of the content: without the final dot the next hop forgets all of it. */
static void
give_up(struct client *c, enum action action, struct status status, const char *text)
{
	struct outcome o = { .action = action, .status = status, .text = slice_str(text) };

	client_decide_rest(c, &o);
	client_fail(c, "%s: %s", c->name, text);
}

/* All of `piece` into the stream. -1: the content has a CR or LF that stands alone; 1: the stream has failed, and tells so itself. */
static int
put_piece(struct client *c, struct slice piece)
{
	struct slice run;
	enum dot_result result;

	while ((result = dot_write(&c->dots, &piece, &run)) == DOT_RUN) {
		if (stream_write(c->stream, run) == -1)
			return 1;
	}
	return result == DOT_MORE ? 0 : -1;
}

static void
put_end(struct client *c)
{
	struct slice last = dot_write_end(&c->dots);

	if (last.p == NULL) {
		give_up(c, ACTION_FAILED, STATUS(5, 6, 0), "the content has a bare CR or LF");
		return;
	}
	c->body_done = true;
	(void)stream_write(c->stream, last);
}

void
body_pump(struct client *c)
{
	const struct content *content = &c->tx->content;
	struct slice piece;
	int put;

	while (c->offset < content->size && !stream_congested(c->stream)) {
		if (next_piece(c->house, content, c->offset, &piece) == -1) {
			give_up(c, ACTION_DELAYED, STATUS(4, 3, 0), "the content cannot be read");
			return;
		}
		put = put_piece(c, piece);
		if (put == -1)
			give_up(c, ACTION_FAILED, STATUS(5, 6, 0), "the content has a bare CR or LF");
		if (put != 0)
			return;
		c->offset += (uint32_t)piece.len;
	}
	if (c->offset == content->size)
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
