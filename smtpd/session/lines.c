/*
 * lines — the input between messages: whole command lines to the command table, overlong ones to nowhere.
 */
#include "smtp/line.h"
#include "smtpd/session/inside.h"

#define SKIP_MAX	(64 * 1024)	/* bytes of a line without end */

void
lines_bare(struct session *s)
{
	session_count(s, VERB_UNKNOWN, false);
	session_reject_sentence(s, session_where(s), NULL, NULL, SAY_BARE);
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

void
lines_done(struct session *s)
{
	stream_consume(s->stream, s->taken);
	s->taken = 0;
}

static void
run_line(struct session *s, struct slice line, size_t taken)
{
	struct command command;

	command_parse(line, &command);
	lines_flush(s, &command);
	if (s->phase != PHASE_COMMAND)
		return;		/* the line stays where it is */
	s->taken = taken;
	s->behind = stream_input(s->stream).len - taken;
	(void)command_run(s, &command);
	if (s->stream == NULL)
		return;
	lines_done(s);
	/* A whole command: patience begins anew. Part of one never gets here, so drip feeding buys no time. */
	if (s->phase == PHASE_COMMAND)
		session_go(s, PHASE_COMMAND);
}

void
lines_command(struct session *s)
{
	struct slice in = stream_input(s->stream), line;
	size_t had = in.len;
	/* An initial response may be as long as any other (RFC 4954 4). */
	bool auth = auth_is_offered(s) && slice_casestarts(in, SLICE_LIT("AUTH "));

	switch (line_next(&in, auth ? AUTH_LINE_MAX : COMMAND_LINE_MAX, &line)) {
	case LINE_READY:
		run_line(s, line, had - in.len);
		break;
	case LINE_TOO_LONG:
		lines_flush(s, NULL);
		if (s->phase == PHASE_COMMAND && slice_casestarts(in, SLICE_LIT("BDAT ")))
			(void)session_end_sentence(s, SAY_BDAT_SYNTAX);		/* how many bytes would follow? */
		else if (s->phase == PHASE_COMMAND)
			lines_too_long(s, auth ? VERB_AUTH : VERB_UNKNOWN);
		break;
	case LINE_BROKEN:
		lines_flush(s, NULL);		/* whose replies come first: no recipient may hear what is meant for this line */
		if (s->phase == PHASE_COMMAND)
			lines_bare(s);
		break;
	default:
		break;
	}
}

void
lines_too_long(struct session *s, enum verb verb)
{
	s->skip_verb = verb;
	s->skipped = 0;
	s->skip_last = '\0';
	session_go(s, PHASE_SKIP);
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
		lines_bare(s);
	} else if (lf != NULL) {
		session_count(s, s->skip_verb, false);
		session_say(s, s->skip_verb == VERB_AUTH ? SAY_AUTH_TOO_LONG : SAY_LINE_TOO_LONG);
		session_go(s, PHASE_COMMAND);
	}
}
