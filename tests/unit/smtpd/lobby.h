#ifndef TEST_SMTPD_LOBBY_H
#define TEST_SMTPD_LOBBY_H
/*
 * lobby — one session of a submission worker, opened by hand, so that a test may say that it stands below TLS or is logged in. The world
 * around it is world.h's, whose own smtpd has nothing to do here.
 */
#include "smtpd/session/inside.h"
#include "tests/unit/smtpd/world.h"

struct lobby {
	struct world	 w;
	struct home	 home;
	struct session	*session;	/* NULL: over */
};

void	lobby_open(struct lobby *, void (*configure)(struct conf *));	/* configure NULL: nothing to change */
void	lobby_close(struct lobby *);
/* A client that has said EHLO; what it was offered, as world_ehlo says. */
const char *lobby_hello(struct lobby *, const char *ip, bool secure);

#endif
