/*
 * cmd_misc — commands that bring no mail any further. Of them only RSET may touch the transaction.
 */
#include "base/log.h"
#include "smtpd/session/inside.h"

static enum done
say(struct session *s, enum sentence what)
{
	session_say(s, what);
	return sentence_is_error(what) ? DONE_REFUSED : DONE_OK;
}

enum done
cmd_rset(struct session *s, struct slice argument)
{
	(void)argument;
	session_reset(s);
	return say(s, SAY_OK);
}

enum done
cmd_noop(struct session *s, struct slice argument)
{
	(void)argument;		/* RFC 5321 4.1.1.9: may be there, means nothing */
	return say(s, SAY_OK);
}

enum done
cmd_quit(struct session *s, struct slice argument)
{
	(void)argument;
	session_count(s, VERB_QUIT, true);
	return session_end_sentence(s, SAY_BYE);
}

enum done
cmd_help(struct session *s, struct slice argument)
{
	(void)argument;
	return say(s, SAY_HELP);
}

/* Old guides show it, and sendmail's answer to it. */
enum done
cmd_verb(struct session *s, struct slice argument)
{
	(void)argument;
	return say(s, SAY_VERBOSE);
}

enum done
cmd_unknown(struct session *s, struct slice argument)
{
	(void)argument;
	return say(s, SAY_UNKNOWN_COMMAND);
}

/* A browser that was led here: what follows is its request, and must not be taken for commands. */
enum done
cmd_foreign(struct session *s, struct slice argument)
{
	(void)argument;
	session_count(s, VERB_UNKNOWN, false);
	log_warn("non-SMTP command from %s", s->client);
	return session_end_sentence(s, SAY_FOREIGN);
}
