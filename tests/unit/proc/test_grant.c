/* test_grant — ports and folders off the configuration. */
#include "base/arena.h"
#include "conf/fill.h"
#include "proc/grant.h"
#include "tests/support/testing.h"

static const struct {
	const char	*host;
	uint16_t	 port;
} hosts[] = {
	{ "relay.example.org",		25 },
	{ "relay.example.org:587",	587 },
	{ "[relay.example.org]:2525",	2525 },
	{ "[192.0.2.1]:26",		26 },
	{ "[192.0.2.1]",		25 },
	{ "[2001:db8::1]:587",		587 },
	{ "[2001:db8::1]",		25 },
	{ "2001:db8::1",		25 },
	{ "host:",			25 },
	{ "host:0",			25 },
	{ "host:70000",			25 },
	{ "host:5x",			25 },
	{ "",				25 },
};

static void
test_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (grant_port(hosts[i].host, 25) != hosts[i].port)
			ROW(i, hosts[i].host);
		assert_int_equal(grant_port(hosts[i].host, 25), hosts[i].port);
	}
}

static bool
grants_port(const struct sandbox_grant *g, uint16_t port)
{
	for (size_t i = 0; i < SANDBOX_PORTS; i++)
		if (g->connect[i] == port)
			return true;
	return false;
}

static void
test_grants(void **state)
{
	struct conf *conf = conf_new();
	struct sandbox_grant g;

	(void)state;
	assert_int_equal(conf_set_initial(conf), 0);
	conf->relay.mx_port = 2500;
	conf->relay.smart_host = arena_str(&conf->arena, "[127.0.0.1]:2600");
	grant_of(SANDBOX_NETWORK, conf, &g);
	assert_true(grants_port(&g, 2500) && grants_port(&g, 2600) && grants_port(&g, 53));
	assert_null(g.write[0]);
	assert_null(g.read[0]);
	grant_of(SANDBOX_SESSION, conf, &g);
	assert_true(grants_port(&g, 53));
	assert_false(grants_port(&g, 2500) || grants_port(&g, 2600));
	grant_of(SANDBOX_STORE, conf, &g);
	assert_string_equal(g.write[0], conf->queue.directory);
	assert_int_equal(g.connect[0], 0);
	grant_of(SANDBOX_DELIVER, conf, &g);
	assert_true(g.write[0] == NULL && g.read[0] == NULL && g.connect[0] == 0);
	grant_of(SANDBOX_LOOKUP, conf, &g);
	assert_string_equal(g.read[0], "/");
	assert_true(g.write[0] == NULL && !g.connect_any);
	grant_of(SANDBOX_PAM, conf, &g);
	for (size_t i = 0; i < SANDBOX_PATHS && g.read[i] != NULL; i++)
		assert_string_not_equal(g.read[i], "/");
	assert_true(g.read[0] != NULL && g.write[0] == NULL && g.connect_any && g.read_beside == NULL);
	conf->submission.users = arena_str(&conf->arena, "pam:smtp");
	grant_of(SANDBOX_PAM, conf, &g);
	assert_null(g.read_beside);
	conf->submission.users = arena_str(&conf->arena, "pam:/srv/pam/smtp");
	grant_of(SANDBOX_PAM, conf, &g);
	assert_string_equal(g.read_beside, "/srv/pam/smtp");
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ports), cmocka_unit_test(test_grants) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
