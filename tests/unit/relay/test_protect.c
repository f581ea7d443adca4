/* test_protect — mail that requires TLS (RFC 8689): what a session has to be like, and what becomes of mail for which none is. */
#include "tests/unit/relay/room.h"

#include <stdio.h>

#include "net/tls_context.h"
#include "tests/support/certificate.h"

#define CLEAR		"S 220 mx ESMTP\nC EHLO me.test\n"
#define STARTTLS	CLEAR "S 250-mx\nS 250-REQUIRETLS\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\nC EHLO me.test\n"
#define FIT		STARTTLS "S 250-mx\nS 250 REQUIRETLS\n"
#define UNFIT		STARTTLS "S 250 mx\n"
#define REST		"S 250 ok\nC RCPT TO:<a@x.test>\nS 250 ok\nC DATA\nS 354 go\nB\nS 250 2.0.0 ok\n"
#define PROTECTED	"C MAIL FROM:<s@me.test> REQUIRETLS\n" REST
#define ORDINARY	"C MAIL FROM:<s@me.test>\n" REST
#define BOUNCE		"C MAIL FROM:<>\n" REST
#define QUIT		"C QUIT\nS 221 bye\nE"
#define LATER		CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 454 4.7.0 later\n"

static EVP_PKEY *key;
static char *pem, *other_pem;
static struct tls_context *server;

static int
setup_group(void **state)
{
	static const char *const names[] = { "mx1.test", "implicit.test", "twins.test", "half.test", "unsure.test", "nine.test", NULL }, *const other[] = { "other.test", NULL };
	const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };
	struct err err;

	(void)state;
	key = certificate_key(KEY_EC_P256);
	pem = certificate_pem(key, names);
	other_pem = certificate_pem(key, other);
	server = tls_server_new(&(struct tls_identity){ .chain = slice_str(pem), .key = key }, 1, &options, &err);
	peer_identity(server);
	return server == NULL ? -1 : 0;
}

static int
teardown_group(void **state)
{
	(void)state;
	tls_context_drop(&server);
	EVP_PKEY_free(key);
	free(pem);
	free(other_pem);
	return 0;
}

struct row {
	const char	*name, *nexthop, *scripts[2];
	struct asked	 asked;
	const char	*result;
	enum { TRUSTED, NOBODY, STRANGERS } believed;	/* whose certificates */
	bool		 no_opportunity;	/* opportunistic-tls = no */
	int		 max_addresses;		/* 0: as it is */
};

static void
play(void **state, size_t i, const struct row *row)
{
	char wanted[100];

	(void)teardown(state);
	authorities = row->believed == TRUSTED ? pem : row->believed == STRANGERS ? other_pem : "";
	(void)setup(state);
	memcpy(scripts, row->scripts, sizeof(row->scripts));
	conf.relay.opportunistic_tls = !row->no_opportunity;
	if (row->max_addresses > 0)
		conf.relay.max_addresses = row->max_addresses;
	conf.relay.idle_timeout = 1;
	give_as(i + 1, row->nexthop, &row->asked, -1);
	run_until(":");
	rounds(6);
	(void)snprintf(wanted, sizeof(wanted), "%zu: 3%s", i + 1, row->result);
	if (strcmp(said, wanted) != 0)
		ROW(i, row->name);
	assert_string_equal(said, wanted);
	for (unsigned k = 0; k < 2 && row->scripts[k] != NULL; k++) {
		if (k >= peer_count || !peer_done(peers[k]))
			ROW(i, row->name);
		assert_true(k < peer_count && peer_done(peers[k]));
	}
}

#define REQUIRED	{ .tls = TLS_TAG_REQUIRED }
#define NOTICE		{ .tls = TLS_TAG_REQUIRED, .null_path = true }
#define OPTIONAL	{ .tls = TLS_TAG_OPTIONAL }

static void
test_rows(void **state)
{
	static const struct row rows[] = {
		{ "all that it takes", "[mx1.test]", { FIT PROTECTED QUIT }, REQUIRED, .result = "R2.0.0" },
		{ "without opportunity", "[mx1.test]", { FIT PROTECTED QUIT }, REQUIRED, .result = "R2.0.0", .no_opportunity = true },
		{ "a domain without MX is its own host", "implicit.test", { FIT PROTECTED QUIT }, REQUIRED, .result = "R2.0.0" },
		{ "hosts that DNS has named: not even connected to", "two.test", { NULL }, REQUIRED, .result = "F5.7.10" },
		{ "no such domain says so first", "nothing.test", { NULL }, REQUIRED, .result = "F5.1.2" },
		{ "an address has no name", "[127.0.0.1]", { NULL }, REQUIRED, .result = "F5.7.10" },
		{ "STARTTLS is not offered", "[mx1.test]", { CLEAR "S 250 mx\n" QUIT }, REQUIRED, .result = "F5.7.10" },
		{ "REQUIRETLS in clear is none", "[mx1.test]", { CLEAR "S 250-mx\nS 250 REQUIRETLS\n" QUIT }, REQUIRED, .result = "F5.7.10" },
		{ "STARTTLS is refused", "[mx1.test]", { CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 502 no\n" QUIT }, REQUIRED, .result = "F5.7.10" },
		{ "STARTTLS is refused for now", "[mx1.test]", { LATER QUIT }, REQUIRED, .result = "D4.7.10" },
		{ "lost in the handshake", "[mx1.test]", { CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nX" }, REQUIRED, .result = "D4.7.10" },
		{ "no TLS behind 220", "[mx1.test]", { CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nD 100\nS this is no TLS at all\nE" }, REQUIRED, .result = "F5.7.10" },
		{ "more than 220", "[mx1.test]", { CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nW 220 go\\r\\n250 mx\\r\\n\nE" }, REQUIRED, .result = "D4.5.0" },
		{ "a certificate by nobody we believe", "[mx1.test]", { UNFIT QUIT }, REQUIRED, .result = "F5.7.10", .believed = STRANGERS },
		{ "for another host", "[mx2.test]", { FIT QUIT }, REQUIRED, .result = "F5.7.10" },
		{ "no authorities at all: our own trouble", "[mx1.test]", { FIT QUIT }, REQUIRED, .result = "D4.3.5", .believed = NOBODY },
		{ "REQUIRETLS is not offered", "[mx1.test]", { UNFIT QUIT }, REQUIRED, .result = "F5.7.30" },
		{ "the next address of the host is fit", "[twins.test]", { UNFIT QUIT, FIT PROTECTED QUIT }, REQUIRED, .result = "R2.0.0" },
		{ "none is", "[twins.test]", { UNFIT QUIT, CLEAR "S 250 mx\n" QUIT }, REQUIRED, .result = "F5.7.10" },
		{ "one is not, and one does not answer", "[half.test]", { UNFIT QUIT }, REQUIRED, .result = "D4.7.30" },
		{ "one is not, and one is busy", "[twins.test]", { UNFIT QUIT, "S 421 4.3.2 busy\nE" }, REQUIRED, .result = "D4.3.2" },
		{ "one is not, and one goes down in MAIL", "[twins.test]", { FIT "C MAIL FROM:<s@me.test> REQUIRETLS\nS 421 4.3.2 going down\nE", UNFIT QUIT },
		    REQUIRED, .result = "D4.7.30" },
		{ "one begins no TLS now, and one is not", "[twins.test]", { LATER QUIT, UNFIT QUIT }, REQUIRED, .result = "D4.7.30" },
		{ "the same, the other way round", "[twins.test]", { UNFIT QUIT, LATER QUIT }, REQUIRED, .result = "D4.7.10" },
		{ "one is not, and a question has no answer", "[unsure.test]", { UNFIT QUIT }, REQUIRED, .result = "D4.7.30" },
		{ "one is not, and the other is beyond max-addresses", "[twins.test]", { UNFIT QUIT }, REQUIRED, .result = "D4.7.30", .max_addresses = 1 },
		{ "one is not, and the others are too many to be looked at", "[nine.test]", { UNFIT QUIT }, REQUIRED, .result = "D4.7.30" },
		{ "a notification is as safe as can be", "[mx1.test]", { FIT "C MAIL FROM:<> REQUIRETLS\n" REST QUIT }, NOTICE, .result = "R2.0.0" },
		{ "and goes where it is not", "[mx1.test]", { UNFIT BOUNCE QUIT }, NOTICE, .result = "R2.0.0" },
		{ "even in clear", "two.test", { CLEAR "S 250 mx\n" BOUNCE QUIT }, NOTICE, .result = "R2.0.0" },
		{ "REQUIRETLS is not said to a host that DNS has named", "two.test", { FIT BOUNCE QUIT }, NOTICE, .result = "R2.0.0" },
		{ "a notification, lost in the handshake", "[mx1.test]",
		    { CLEAR "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nX", CLEAR "S 250 mx\n" BOUNCE QUIT }, NOTICE, .result = "R2.0.0" },
		{ "TLS-Required: No", "two.test", { FIT ORDINARY QUIT }, OPTIONAL, .result = "R2.0.0" },
		{ "TLS-Required: No, in clear", "two.test", { CLEAR "S 250 mx\n" ORDINARY QUIT }, OPTIONAL, .result = "R2.0.0" },
		{ "nothing said", "[mx1.test]", { FIT ORDINARY QUIT }, { .tls = TLS_TAG_NONE }, .result = "R2.0.0" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		play(state, i, &rows[i]);
}

/* What idles is taken only when it is fit; an ordinary message may take what is more than it needs. */
static void
test_pool(void **state)
{
	authorities = pem;
	(void)teardown(state);
	(void)setup(state);
	conf.relay.opportunistic_tls = false;
	scripts[0] = CLEAR "S 250 mx\n" ORDINARY "E";
	scripts[1] = FIT PROTECTED PROTECTED ORDINARY "E";
	give(1, "[mx1.test]", -1);
	run_until("1:");
	give_as(2, "[mx1.test]", &(struct asked)REQUIRED, -1);
	run_until("2:");
	give_as(3, "[mx1.test]", &(struct asked)REQUIRED, -1);
	run_until("3:");
	give(4, "[mx1.test]", -1);
	run_until("4:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3R2.0.0; 3: 3R2.0.0; 4: 3R2.0.0");
	assert_int_equal(peer_count, 2);
}

/* Taken, too, for a notification of such mail: one that idles in clear is not as safe as can be. */
static void
test_pool_notice(void **state)
{
	authorities = pem;
	(void)teardown(state);
	(void)setup(state);
	conf.relay.opportunistic_tls = false;
	scripts[0] = CLEAR "S 250 mx\n" ORDINARY "E";
	scripts[1] = FIT "C MAIL FROM:<> REQUIRETLS\n" REST "E";
	give(1, "[mx1.test]", -1);
	run_until("1:");
	give_as(2, "[mx1.test]", &(struct asked)NOTICE, -1);
	run_until("2:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3R2.0.0");
	assert_int_equal(peer_count, 2);
}

static void
believe(const char *who)
{
	struct err err;
	struct tls_context *tls = tls_client_new(slice_str(who), &err);

	assert_int_equal(relay_reload(relay, &conf, &tls, &err), 0);
}

/* What a session proves, it proves by the authorities that it began with: other ones come with the next session. */
static void
test_reload(void **state)
{
	static const struct { bool before, after; const char *then, *result; } rows[] = {
		{ false, true, QUIT, "1: 3D4.3.5" },
		{ true, false, PROTECTED QUIT, "1: 3R2.0.0" },
	};
	char script[500];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].result);
		(void)teardown(state);
		authorities = rows[i].before ? pem : "";
		(void)setup(state);
		conf.relay.opportunistic_tls = true;
		conf.relay.idle_timeout = 1;
		(void)snprintf(script, sizeof(script), STARTTLS "%s", rows[i].then);
		scripts[0] = script;
		give_as(1, "[mx1.test]", &(struct asked)REQUIRED, -1);
		for (int n = 0; n < 300 && (peer_count == 0 || !slice_eq(peer_rest(peers[0]), slice_str(rows[i].then))); n++)
			rounds(1);
		believe(rows[i].after ? pem : "");
		peer_say(peers[0], "250-mx\r\n250 REQUIRETLS\r\n");
		run_until("1:");
		assert_string_equal(said, rows[i].result);
	}
}

/* Fit for the first message of a session, and gone before the second: that is the host's trouble, and no verdict on the mail. */
static void
test_gone_between(void **state)
{
	(void)teardown(state);
	authorities = pem;
	(void)setup(state);
	scripts[0] = FIT "C MAIL FROM:<s@me.test> REQUIRETLS\nS 250 ok\nC RCPT TO:<a@x.test>\nS 250 ok\nC RCPT TO:<b@x.test>\nS 452 4.5.3 too many\n"
	    "C DATA\nS 354 go\nB\nS 250 2.0.0 ok\nC MAIL FROM:<s@me.test> REQUIRETLS\nS 421 4.3.2 going down\nE";
	scripts[1] = UNFIT QUIT;
	give_as(1, "[twins.test]", &(struct asked){ .tls = TLS_TAG_REQUIRED, .to = { "a@x.test", "b@x.test" } }, -1);
	run_until("1:");
	assert_string_equal(said, "1: 3R2.0.0 4D4.7.30");
}

/* What idles was made with the old configuration. */
static void
test_reload_and_idle(void **state)
{
	authorities = pem;
	(void)teardown(state);
	(void)setup(state);
	conf.relay.opportunistic_tls = true;
	scripts[0] = FIT PROTECTED QUIT;
	scripts[1] = STARTTLS "S 250-mx\nS 250 REQUIRETLS\n" QUIT;
	give_as(1, "[mx1.test]", &(struct asked)REQUIRED, -1);
	run_until("1:");
	believe(other_pem);
	give_as(2, "[mx1.test]", &(struct asked)REQUIRED, -1);
	run_until("2:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3F5.7.10");
}

/* So is what was in use when the reload came: it ends with its job. */
static void
test_reload_and_use(void **state)
{
	static const char then[] = PROTECTED QUIT;

	authorities = pem;
	(void)teardown(state);
	(void)setup(state);
	conf.relay.opportunistic_tls = true;
	scripts[0] = STARTTLS PROTECTED QUIT;
	scripts[1] = FIT QUIT;
	give_as(1, "[mx1.test]", &(struct asked)REQUIRED, -1);
	for (int n = 0; n < 300 && (peer_count == 0 || !slice_eq(peer_rest(peers[0]), slice_str(then))); n++)
		rounds(1);
	believe(other_pem);
	peer_say(peers[0], "250-mx\r\n250 REQUIRETLS\r\n");
	run_until("1:");
	give_as(2, "[mx1.test]", &(struct asked)REQUIRED, -1);
	run_until("2:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3F5.7.10");
	assert_int_equal(peer_count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool_notice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_and_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_and_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_between, setup, teardown),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
