/*
 * outcome — the names of what can happen to a recipient (RFC 3464 2.3.3).
 */
#include "mail/outcome.h"

static const struct {
	const char	*name;
	bool		 final;
} actions[ACTION_COUNT] = {
	[ACTION_NONE]		= { "none",		false },
	[ACTION_DELIVERED]	= { "delivered",	true },
	[ACTION_RELAYED]	= { "relayed",		true },
	[ACTION_EXPANDED]	= { "expanded",		true },
	[ACTION_DELAYED]	= { "delayed",		false },
	[ACTION_UNKNOWN]	= { "delayed",		false },
	[ACTION_FAILED]		= { "failed",		true },
};

const char *
action_name(enum action action)
{
	return actions[action < ACTION_COUNT ? action : ACTION_NONE].name;
}

bool
action_final(enum action action)
{
	return actions[action < ACTION_COUNT ? action : ACTION_NONE].final;
}
