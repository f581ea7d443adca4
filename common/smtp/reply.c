/*
 * reply — the bounded reader of what servers say.
 */
#include "smtp/reply.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

struct slice
reply_text(const struct reply *reply)
{
	return slice_of(reply->text, reply->len);
}

unsigned
reply_class(const struct reply *reply)
{
	return reply->code / 100u;
}

struct status
reply_status(const struct reply *reply)
{
	if (reply->status.class != 0)
		return reply->status;
	/* 3xx has no class of its own in RFC 3463; nobody makes an outcome of it. */
	return STATUS((uint8_t)(reply_class(reply) == 3 ? 2 : reply_class(reply)), 0, 0);
}

/* Adds text behind a space, as printable ASCII, as far as there is room. */
static void
add_text(struct reply *reply, struct slice text)
{
	if (text.len > 0 && reply->len > 0 && reply->len < OUTCOME_TEXT_MAX)
		reply->text[reply->len++] = ' ';
	for (size_t i = 0; i < text.len && reply->len < OUTCOME_TEXT_MAX; i++)
		reply->text[reply->len++] = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';
	reply->text[reply->len] = '\0';
}

/* "250" and what separates it from its text; -1: no such thing. */
static int
take_code(struct slice *line, uint16_t *code, bool *last)
{
	if (line->len < 3 || line->p[0] < '2' || line->p[0] > '5' || !is_digit(line->p[1]) || !is_digit(line->p[2]))
		return -1;
	*code = (uint16_t)((line->p[0] - '0') * 100 + (line->p[1] - '0') * 10 + (line->p[2] - '0'));
	*last = line->len == 3 || line->p[3] == ' ';
	if (!*last && line->p[3] != '-')
		return -1;
	slice_drop(line, line->len == 3 ? 3 : 4);
	return 0;
}

/* An enhanced status belongs to the reply only when its class is the code's (RFC 2034 4). */
static void
take_status(struct reply *reply, struct slice *text)
{
	struct slice behind = *text, shown;
	struct status status;

	if (status_take(&behind, &status) == -1 || status.class != reply_class(reply))
		return;
	shown = slice_of(text->p, (size_t)(behind.p - text->p));
	*text = behind;
	if (reply->status.class != 0)
		return;
	reply->status = status;
	add_text(reply, slice_trim(shown));
}

static int
take_line(struct reply *reply, struct slice text, reply_line_fn *line, void *arg)
{
	uint16_t code;
	bool last;

	if (text.len > 0 && text.p[text.len - 1] == '\r')
		text.len--;
	if (take_code(&text, &code, &last) == -1 || (reply->lines > 0 && code != reply->code))
		return -1;
	if (reply->lines == 0) {
		char digits[3] = { (char)('0' + code / 100), (char)('0' + code / 10 % 10), (char)('0' + code % 10) };

		reply->code = code;
		add_text(reply, slice_of(digits, sizeof(digits)));
	}
	take_status(reply, &text);
	if (line != NULL)
		line(arg, reply->lines, text);
	add_text(reply, slice_trim(text));
	reply->lines++;
	reply->whole = last;
	return 0;
}

enum reply_result
reply_take(struct reply *reply, struct slice *in, reply_line_fn *line, void *arg)
{
	if (reply->whole)
		*reply = (struct reply){ 0 };
	while (in->len > 0) {
		const char *lf = memchr(in->p, '\n', in->len);
		size_t len = lf != NULL ? (size_t)(lf - in->p) + 1 : in->len;
		struct slice text = slice_of(in->p, len - (lf != NULL));

		if (len > REPLY_LINE_MAX || reply->lines == REPLY_LINES_MAX)
			return REPLY_BROKEN;
		if (lf == NULL)
			return REPLY_MORE;
		if (take_line(reply, text, line, arg) == -1)
			return REPLY_BROKEN;
		slice_drop(in, len);
		if (reply->whole)
			return REPLY_READY;
	}
	return REPLY_MORE;
}
