/*
 * cmd_vrfy — VRFY and EXPN (RFC 5321 3.5), for those who may relay. Strangers learn nothing: they may be harvesting addresses, and hear
 * 252 and 502 whatever they ask.
 */
#include "base/fmt.h"
#include "smtpd/session/inside.h"

static const struct {
	enum sentence	verify, expand;
} verdicts[ROUTE_VERDICT_COUNT] = {
	[ROUTE_NONE]		= { SAY_TROUBLE,	SAY_TROUBLE },
	[ROUTE_LOCAL]		= { SAY_OK,		SAY_NO_LIST },		/* VRFY names the address instead */
	[ROUTE_REMOTE]		= { SAY_VRFY,		SAY_NO_EXPN },
	[ROUTE_UNKNOWN]		= { SAY_NO_USER,	SAY_NO_USER },
	[ROUTE_INVALID]		= { SAY_NO_USER,	SAY_NO_USER },
	[ROUTE_TRY_LATER]	= { SAY_TROUBLE,	SAY_TROUBLE },
};

static void
on_route(void *arg, const struct route_answer *answer)
{
	enum route_verdict verdict = answer == NULL ? ROUTE_TRY_LATER : answer->routes[0].verdict;
	struct session *s = arg;
	enum sentence what = s->last == VERB_VRFY ? verdicts[verdict].verify : verdicts[verdict].expand;
	char shown[ADDRESS_MAX];

	if (s->last == VERB_VRFY && verdict == ROUTE_LOCAL)
		session_sayf(s, "250 2.1.5 <%s>\r\n", fmt_escaped(shown, sizeof(shown), answer->routes[0].nexthop));
	else
		session_say(s, what);
	session_count(s, s->last, !sentence_is_error(what));
	session_go(s, PHASE_COMMAND);
	session_resume(s);
}

/* "ann", "ann@example.org", "<ann@example.org>". */
static int
take_address(struct session *s, struct slice argument, struct arena *arena, struct slice *out)
{
	const char *why;
	struct address address;

	if (argument.len > 2 && argument.p[0] == '<' && argument.p[argument.len - 1] == '>')
		argument = slice_of(argument.p + 1, argument.len - 2);
	if (address_parse(argument, true, arena, &address, &why) == -1 || !address_is_ascii(&address) || address_complete(s, &address) == -1)
		return -1;
	*out = address_canonical(arena, &address);
	return out->p == NULL ? -1 : 0;
}

static enum done
say(struct session *s, enum sentence what)
{
	session_say(s, what);
	return sentence_is_error(what) ? DONE_REFUSED : DONE_OK;
}

static enum done
ask(struct session *s, struct slice argument)
{
	struct arena arena = { .max = 4096 };
	enum done done = DONE_LATER;
	struct slice address;

	if (take_address(s, argument, &arena, &address) == -1)
		done = say(s, SAY_ADDRESS_SYNTAX);
	else if (routes_ask(s->home->routes, &s->ask, &address, 1, on_route, s) == -1)
		done = say(s, SAY_TROUBLE);
	else
		session_go(s, PHASE_VERIFY);
	arena_fini(&arena);
	return done;
}

enum done
cmd_vrfy(struct session *s, struct slice argument)
{
	return auth_may_relay(s) && offers_has(s, EXTENSION_VRFY) ? ask(s, argument) : say(s, SAY_VRFY);
}

enum done
cmd_expn(struct session *s, struct slice argument)
{
	return auth_may_relay(s) && offers_has(s, EXTENSION_VRFY) ? ask(s, argument) : say(s, SAY_NO_EXPN);
}
