/*
 * lobby — see lobby.h.
 */
#include "tests/unit/smtpd/lobby.h"

#include <sys/socket.h>

#include "tests/support/testing.h"

static void
closed(void *arg, struct session *s)
{
	struct lobby *l = arg;

	assert_true(s == l->session);
	l->session = NULL;
}

static bool
grant(void *arg, struct session *s, enum client_charge charge)
{
	struct lobby *l = arg;

	(void)charge;
	return s == l->session;
}

void
lobby_open(struct lobby *l, void (*configure)(struct conf *))
{
	static char users[] = "file:/etc/posthorn/passwd";
	struct err err;

	world_open(&l->w, ROLE_SUBMISSION);
	l->w.conf.submission.users = users;
	if (configure != NULL)
		configure(&l->w.conf);
	l->home = (struct home){ .loop = l->w.loop, .role = ROLE_SUBMISSION, .closed = closed, .charge = grant, .arg = l, .number_base = 1 };
	l->home.settings = settings_new(&l->w.conf, NULL, &err);
	l->home.intake = intake_new(l->w.loop, &err);
	l->home.routes = routes_new(l->w.loop, &err);
	l->home.logins = logins_new(l->w.loop, &err);
	intake_wire(l->home.intake, world_queue_end(&l->w));
	routes_wire(l->home.routes, world_lookup_end(&l->w));
	world_run_round(&l->w);
}

void
lobby_close(struct lobby *l)
{
	if (l->session != NULL)
		session_kill(l->session);
	world_run_round(&l->w);
	logins_free(&l->home.logins);
	routes_free(&l->home.routes);
	intake_free(&l->home.intake);
	transaction_pool_fini(&l->home.pool);
	settings_drop(&l->home.settings);
	world_close(&l->w);
}

const char *
lobby_hello(struct lobby *l, const char *ip, bool secure)
{
	struct sockaddress peer;
	struct err err;
	int pair[2];

	if (l->session != NULL)
		session_kill(l->session);
	world_hang_up(&l->w);
	assert_int_equal(sockaddress_parse(slice_str(ip), 40000, &peer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	l->w.client = pair[0];
	assert_non_null(l->session = session_open(&l->home, pair[1], &peer, settings_trust(l->home.settings, &peer), &err));
	l->session->secure = secure;
	session_begin(l->session);
	world_expect(&l->w, "220 ");
	return world_ehlo(&l->w);
}
