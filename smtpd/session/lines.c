/*
 * lines — the input between messages: whole command lines to the command table, overlong ones to nowhere.
 */
#include "smtp/line.h"
#include "smtpd/session/inside.h"

#define SKIP_MAX	(64 * 1024)	/* bytes of a line without end */

static void
input_bare(struct session *s)
{
	struct slice text = sentence_text(SAY_BARE);

	session_count(s, VERB_UNKNOWN, false);
	session_reject(s, session_where(s), NULL, NULL, "%.*s", (int)text.len - 2, text.p);
	(void)session_end(s, NULL);
}

/* Recipients that wait for lookup go there before anything else happens. */
void
lines_flush(struct session *s, const struct command *command)
{
	if (s->tx == NULL || s->tx->pending_count == 0)
		return;
	if (command == NULL || !command_batches(command->verb) || s->tx->pending_count == PENDING_MAX)
		rcpt_flush(s);
}

static void
run_line(struct session *s, struct slice line, size_t taken)
{
	struct command command;

	command_parse(line, &command);
	lines_flush(s, &command);
	if (s->phase != PHASE_COMMAND)
		return;		/* the line stays where it is */
	s->behind = stream_input(s->stream).len - taken;
	(void)command_run(s, &command);
	if (s->stream == NULL)
		return;
	stream_consume(s->stream, taken);
	/* A whole command: patience begins anew. Part of one never gets here, so drip feeding buys no time. */
	if (s->phase == PHASE_COMMAND)
		session_go(s, PHASE_COMMAND);
}

void
lines_command(struct session *s)
{
	struct slice in = stream_input(s->stream), line;
	size_t had = in.len;

	switch (line_next(&in, COMMAND_LINE_MAX, &line)) {
	case LINE_READY:
		run_line(s, line, had - in.len);
		break;
	case LINE_TOO_LONG:
		s->skipped = 0;
		s->skip_last = '\0';
		lines_flush(s, NULL);
		if (s->phase == PHASE_COMMAND)
			session_go(s, PHASE_SKIP);
		break;
	case LINE_BROKEN:
		lines_flush(s, NULL);		/* whose replies come first: no recipient may hear what is meant for this line */
		if (s->phase == PHASE_COMMAND)
			input_bare(s);
		break;
	default:
		break;
	}
}

/* Within a line that was too long: nothing of it is kept, and there is an end to patience, too. */
void
lines_skip(struct session *s)
{
	struct slice in = stream_input(s->stream);
	const char *lf = memchr(in.p, '\n', in.len);
	size_t taken = lf != NULL ? (size_t)(lf - in.p) + 1 : in.len;
	char before = taken >= 2 ? in.p[taken - 2] : s->skip_last;

	s->skipped += taken;
	s->skip_last = in.p[taken - 1];
	stream_consume(s->stream, taken);
	if (s->skipped > SKIP_MAX) {
		(void)session_end_sentence(s, SAY_NO_END);
	} else if (lf != NULL && before != '\r') {
		input_bare(s);
	} else if (lf != NULL) {
		session_count(s, VERB_UNKNOWN, false);
		session_say(s, SAY_LINE_TOO_LONG);
		session_go(s, PHASE_COMMAND);
	}
}
