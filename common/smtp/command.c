/*
 * command — the verbs, as a table.
 */
#include "smtp/command.h"

static const struct {
	const char	*name;
	struct slice	 word;
} verbs[VERB_COUNT] = {
	[VERB_HELO] = { "HELO", SLICE_LIT("HELO") },
	[VERB_EHLO] = { "EHLO", SLICE_LIT("EHLO") },
	[VERB_MAIL] = { "MAIL", SLICE_LIT("MAIL") },
	[VERB_RCPT] = { "RCPT", SLICE_LIT("RCPT") },
	[VERB_DATA] = { "DATA", SLICE_LIT("DATA") },
	[VERB_BDAT] = { "BDAT", SLICE_LIT("BDAT") },
	[VERB_RSET] = { "RSET", SLICE_LIT("RSET") },
	[VERB_NOOP] = { "NOOP", SLICE_LIT("NOOP") },
	[VERB_QUIT] = { "QUIT", SLICE_LIT("QUIT") },
	[VERB_HELP] = { "HELP", SLICE_LIT("HELP") },
	[VERB_VRFY] = { "VRFY", SLICE_LIT("VRFY") },
	[VERB_AUTH] = { "AUTH", SLICE_LIT("AUTH") },
	[VERB_EXPN] = { "EXPN", SLICE_LIT("EXPN") },
	[VERB_STARTTLS] = { "STARTTLS", SLICE_LIT("STARTTLS") },
	[VERB_ETRN] = { "ETRN", SLICE_LIT("ETRN") },
	[VERB_VERB] = { "VERB", SLICE_LIT("VERB") },
	[VERB_XFORWARD] = { "XFORWARD", SLICE_LIT("XFORWARD") },
	[VERB_XCLIENT] = { "XCLIENT", SLICE_LIT("XCLIENT") },
};

/* Words that begin a line of HTTP or a field of its header: the peer is a browser that somebody has tricked. */
static const struct slice foreign[] = {
	SLICE_LIT("GET"), SLICE_LIT("POST"), SLICE_LIT("PUT"), SLICE_LIT("HEAD"), SLICE_LIT("CONNECT"), SLICE_LIT("OPTIONS"),
	SLICE_LIT("DELETE"), SLICE_LIT("PATCH"), SLICE_LIT("TRACE"), SLICE_LIT("PRI"),
	SLICE_LIT("Host:"), SLICE_LIT("User-Agent:"),
};

static enum verb
find(struct slice word)
{
	for (enum verb v = VERB_HELO; v < VERB_UNKNOWN; v++)
		if (slice_caseeq(word, verbs[v].word))
			return v;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (slice_caseeq(word, foreign[i]))
			return VERB_FOREIGN;
	return VERB_UNKNOWN;
}

void
command_parse(struct slice line, struct command *out)
{
	struct slice rest;

	out->word = slice_split(line, ' ', &rest);
	out->argument = rest.p == NULL ? slice_of("", 0) : slice_trim(rest);
	out->verb = find(out->word);
}

const char *
verb_name(enum verb verb)
{
	if (verb >= VERB_COUNT || verbs[verb].name == NULL)
		return "UNKNOWN";
	return verbs[verb].name;
}

int
command_take_label(struct slice *argument, const char *label)
{
	struct slice want = slice_str(label);

	if (!slice_casestarts(*argument, want))
		return -1;
	slice_drop(argument, want.len);
	while (argument->len > 0 && argument->p[0] == ' ')
		slice_drop(argument, 1);
	return 0;
}
