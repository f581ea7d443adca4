/*
 * command_table — which verbs there are, when each is allowed, and who handles it.
 *
 * What a row forbids is refused before its handler runs, so no handler asks about state that its row already names.
 */
#include "smtpd/session/inside.h"

enum {
	WANTS_HELO	= 1 << 0,	/* 503 before HELO or EHLO */
	WANTS_MAIL	= 1 << 1,	/* 503 outside a transaction */
	WANTS_NO_MAIL	= 1 << 2,	/* 503 within one */
	WANTS_NOTHING	= 1 << 3,	/* no parameters */
	IS_JUNK		= 1 << 4,	/* brings no mail any further */
	IS_LAST		= 1 << 5,	/* the client has to wait for the reply (RFC 2920 3.1) */
	IS_BATCHED	= 1 << 6,	/* several of one read are looked up together */
	WANTS_NO_CHUNK	= 1 << 7,	/* 503 once BDAT has begun (RFC 3030 2) */
	HAS_BYTES	= 1 << 8	/* as many as it says come behind it, also when it is refused */
};

static const struct row {
	enum done	(*fn)(struct session *, struct slice argument);
	unsigned	 rules;
} rows[VERB_COUNT] = {
	[VERB_HELO]	= { cmd_helo,		IS_LAST | IS_JUNK },
	[VERB_EHLO]	= { cmd_ehlo,		IS_LAST | IS_JUNK },
	[VERB_MAIL]	= { cmd_mail,		WANTS_HELO | WANTS_NO_MAIL },
	[VERB_RCPT]	= { cmd_rcpt,		WANTS_HELO | WANTS_MAIL | WANTS_NO_CHUNK | IS_BATCHED },
	[VERB_DATA]	= { cmd_data,		WANTS_HELO | WANTS_MAIL | WANTS_NO_CHUNK | WANTS_NOTHING | IS_LAST },
	[VERB_BDAT]	= { cmd_bdat,		WANTS_HELO | WANTS_MAIL | HAS_BYTES },
	[VERB_RSET]	= { cmd_rset,		WANTS_NOTHING | IS_JUNK },
	[VERB_NOOP]	= { cmd_noop,		IS_JUNK },
	[VERB_QUIT]	= { cmd_quit,		WANTS_NOTHING },
	[VERB_HELP]	= { cmd_help,		IS_JUNK },
	[VERB_VRFY]	= { cmd_vrfy,		IS_JUNK },
	[VERB_AUTH]	= { cmd_auth,		WANTS_HELO | IS_LAST },
	[VERB_EXPN]	= { cmd_expn,		IS_JUNK },
	[VERB_STARTTLS]	= { cmd_starttls,	WANTS_NOTHING | IS_LAST },
	[VERB_ETRN]	= { cmd_etrn,		WANTS_HELO | WANTS_NO_MAIL | IS_LAST | IS_JUNK },
	[VERB_VERB]	= { cmd_verb,		IS_JUNK },
	[VERB_XFORWARD]	= { cmd_xforward,	IS_JUNK },
	[VERB_XCLIENT]	= { cmd_xclient,	IS_LAST | IS_JUNK },
	[VERB_UNKNOWN]	= { cmd_unknown,	IS_JUNK },
	[VERB_FOREIGN]	= { cmd_foreign,	IS_JUNK },
};

bool
command_batches(enum verb verb)
{
	return (rows[verb].rules & IS_BATCHED) != 0;
}

/* SAY_NONE: the row allows it. */
static enum sentence
refusal(const struct session *s, unsigned rules, struct slice argument)
{
	if ((rules & WANTS_HELO) && s->helo[0] == '\0')
		return SAY_NO_HELO;
	if ((rules & WANTS_NO_MAIL) && s->tx != NULL)
		return SAY_NESTED_MAIL;
	if ((rules & WANTS_MAIL) && s->tx == NULL)
		return SAY_NO_MAIL;
	if ((rules & WANTS_NO_CHUNK) && s->tx->chunked)
		return SAY_CHUNKING;
	if ((rules & WANTS_NOTHING) && argument.len > 0)
		return SAY_NO_PARAMETERS;
	return SAY_NONE;
}

/* Talking on where one has to wait: an attack on what stands behind us, or a program that hears nobody. Behind AUTH it is a password. */
enum done
command_not_synchronous(struct session *s)
{
	struct slice in = stream_input(s->stream);
	struct slice early = slice_of(in.p + (in.len - s->behind), s->behind < 100 ? s->behind : 100);

	if (s->last == VERB_AUTH) {
		explicit_bzero((char *)(uintptr_t)in.p, in.len);
		early = SLICE_LIT("(not shown: it may be a password)");
	}
	log_event(EVENT_IMPROPER_PIPELINING, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, session_where(s)),
	    LOG_STR(KEY_CLIENT, s->client), LOG_SLICE(KEY_TEXT, early));
	return session_end_sentence(s, SAY_SYNCHRONIZATION);
}

enum done
command_run(struct session *s, const struct command *command)
{
	const struct row *row = &rows[command->verb];
	enum sentence no = refusal(s, row->rules, command->argument);
	enum done done;

	s->last = command->verb;
	if (row->rules & IS_JUNK)
		session_junk(s);
	if (no != SAY_NONE && (row->rules & HAS_BYTES)) {
		done = bdat_refuse(s, command->argument, no);
	} else if (no != SAY_NONE) {
		session_say(s, no);
		done = DONE_REFUSED;
	} else if ((row->rules & IS_LAST) && s->behind > 0) {
		session_count(s, command->verb, false);
		return command_not_synchronous(s);
	} else {
		done = row->fn(s, command->argument);
	}
	if (done == DONE_OK || done == DONE_REFUSED)
		session_count(s, command->verb, done == DONE_OK);
	return done;
}
