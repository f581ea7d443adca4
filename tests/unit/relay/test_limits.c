/* test_limits — the limits of servers that say them (RFC 9422): recipients over transactions, transactions and domains over sessions. */
#include "tests/unit/relay/room.h"

#include <stdio.h>

#define HELLO(limits)	"S 220 mx ESMTP\nC EHLO me.test\nS 250-mx\nS 250-PIPELINING\nS 250 LIMITS " limits "\n"
#define TO(address)	"C MAIL FROM:<s@me.test>\nC RCPT TO:<" address ">\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 ok\n"
#define TO2(a, b)	"C MAIL FROM:<s@me.test>\nC RCPT TO:<" a ">\nC RCPT TO:<" b ">\nC DATA\nS 250 ok\nS 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 ok\n"
#define QUIT		"C QUIT\nS 221 bye\nE"

static void
play(void **state, size_t i, const char *const *script, const struct asked *asked, const char *result)
{
	char wanted[100];

	(void)teardown(state);
	(void)setup(state);
	memcpy(scripts, script, 4 * sizeof(scripts[0]));
	conf.relay.idle_timeout = 1;
	give_as(i + 1, "[mx1.test]", asked, -1);
	run_until(":");
	rounds(4);
	(void)snprintf(wanted, sizeof(wanted), "%zu: %s", i + 1, result);
	if (strcmp(said, wanted) != 0)
		ROW(i, asked->to[0]);
	assert_string_equal(said, wanted);
	for (unsigned k = 0; k < 4 && script[k] != NULL; k++)
		assert_true(k < peer_count && peer_done(peers[k]));
}

static void
test_one_job(void **state)
{
	static const struct { const char *scripts[4]; struct asked asked; const char *result; } rows[] = {
		{ { HELLO("RCPTMAX=1") TO("a@x.test") TO("b@x.test") QUIT }, { .to = { "a@x.test", "b@x.test" } }, "3R2.0.0 4R2.0.0" },
		{ { HELLO("RCPTMAX=2 MAILMAX=1") TO2("a@x.test", "b@x.test") QUIT, HELLO("MAILMAX=1") TO("c@x.test") QUIT },
		    { .to = { "a@x.test", "b@x.test", "c@x.test" } }, "3R2.0.0 4R2.0.0 5R2.0.0" },
		{ { HELLO("MAILMAX=1 RCPTMAX=1") TO("a@x.test") QUIT, HELLO("MAILMAX=1 RCPTMAX=1") TO("b@x.test") QUIT,
		    HELLO("MAILMAX=1 RCPTMAX=1") TO("c@x.test") QUIT, HELLO("MAILMAX=1 RCPTMAX=1") TO("d@x.test") QUIT },
		    { .to = { "a@x.test", "b@x.test", "c@x.test", "d@x.test" } }, "3R2.0.0 4R2.0.0 5R2.0.0 6R2.0.0" },
		{ { HELLO("RCPTDOMAINMAX=1") TO2("a@x.test", "b@X.test") QUIT, HELLO("RCPTDOMAINMAX=1") TO("c@y.test") QUIT },
		    { .to = { "a@x.test", "c@y.test", "b@X.test" } }, "3R2.0.0 4R2.0.0 5R2.0.0" },
		{ { HELLO("RCPTDOMAINMAX=2") TO2("a@x.test", "c@y.test") QUIT }, { .to = { "a@x.test", "c@y.test" } }, "3R2.0.0 4R2.0.0" },
		/* The limits are the session's that said them. */
		{ { HELLO("MAILMAX=1 RCPTMAX=1") TO("a@x.test") QUIT, HELLO("X=1") TO2("b@x.test", "c@x.test") QUIT },
		    { .to = { "a@x.test", "b@x.test", "c@x.test" } }, "3R2.0.0 4R2.0.0 5R2.0.0" },
		/* A second session that is refused delays those who waited for it, and them alone. */
		{ { HELLO("MAILMAX=1 RCPTMAX=1") TO("a@x.test") QUIT, "S 421 4.3.2 busy\nE" }, { .to = { "a@x.test", "b@x.test" } }, "3R2.0.0 4D4.3.2" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		play(state, i, rows[i].scripts, &rows[i].asked, rows[i].result);
}

/* Connections that idle: not one transaction more than the server takes, and no further domain. */
static void
test_between_jobs(void **state)
{
	static const struct { const char *scripts[2], *to[2]; unsigned peers; } rows[] = {
		{ { HELLO("MAILMAX=2") TO("a@x.test") TO("a@x.test") QUIT }, { "a@x.test", "a@x.test" }, 1 },
		{ { HELLO("MAILMAX=1") TO("a@x.test") QUIT, HELLO("MAILMAX=1") TO("a@x.test") QUIT }, { "a@x.test", "a@x.test" }, 2 },
		{ { HELLO("RCPTDOMAINMAX=1") TO("a@x.test") QUIT, HELLO("RCPTDOMAINMAX=1") TO("a@y.test") QUIT }, { "a@x.test", "a@y.test" }, 2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].scripts[0]);
		(void)teardown(state);
		(void)setup(state);
		memcpy(scripts, rows[i].scripts, sizeof(rows[i].scripts));
		conf.relay.idle_timeout = 300;
		for (unsigned k = 0; k < 2; k++) {
			char wanted[40];

			(void)snprintf(wanted, sizeof(wanted), "%u: 3R2.0.0", k + 1);
			give_as(k + 1, "[mx1.test]", &(struct asked){ .to = { rows[i].to[k] } }, -1);
			run_until(wanted);
			assert_non_null(strstr(said, wanted));
		}
		for (int n = 0; n < 300 && !peer_done(peers[rows[i].peers - 1]); n++)
			rounds(1);
		assert_int_equal(peer_count, rows[i].peers);
		for (unsigned k = 0; k < peer_count; k++)
			assert_true(peer_done(peers[k]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_job, setup, teardown),
		cmocka_unit_test_setup_teardown(test_between_jobs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
