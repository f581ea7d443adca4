/* test_limits — what a client may have and do, prefixes, and what happens when sessions run out. */
#include "tests/support/testing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/listen.h"
#include "smtpd/client_limit.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define FRIEND		"10.1.2.3"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	return 0;
}

static int
open_trusted(void **state)
{
	(void)state;
	world_open(&w, ROLE_TRUSTED);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static void
test_client_limits(void **state)
{
	(void)state;
	w.conf.smtpd.client_sessions = 1;
	w.conf.smtpd.client_rate = 3;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	{
		int first = w.client;

		w.client = -1;
		world_connect(&w, STRANGER);
		world_expect(&w, "421 4.7.0 mx.example.net Error: too many connections");
		world_expect_close(&w);
		world_hello(&w, "192.0.2.8");		/* somebody else */
		fd_close(&first);
		world_run_round(&w);
	}
	world_hello(&w, STRANGER);
	world_hang_up(&w);
	world_run_round(&w);
	world_connect(&w, STRANGER);			/* the fourth within a minute */
	world_expect(&w, "421 4.7.0");
	assert_true(world_logged(&w, "Connection concurrency limit exceeded: 2 from unknown[192.0.2.7] for service smtp"));
	assert_true(world_logged(&w, "Connection rate limit exceeded: 4 from unknown[192.0.2.7] for service smtp"));
}

static void
test_limit_table(void **state)
{
	static const struct {
		const char	*a, *b;
		bool		 same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::ffff:1", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "::", "0.0.0.0", false },
	};
	static const struct client_rules rules = { .sessions = 1, .bits_ipv4 = 32, .bits_ipv6 = 64 }, none = { .bits_ipv4 = 32, .bits_ipv6 = 64 };
	struct client_limit limit;
	struct client *one, *two;
	uint32_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddress a, b;

		ROW(i, rows[i].b);
		assert_int_equal(sockaddress_parse(slice_str(rows[i].a), 1, &a), 0);
		assert_int_equal(sockaddress_parse(slice_str(rows[i].b), 2, &b), 0);
		client_limit_init(&limit, w.loop);
		assert_int_equal(client_enter(&limit, &a, &rules, &one, &count), CLIENT_OK);
		assert_int_equal(client_enter(&limit, &b, &rules, &two, &count), rows[i].same ? CLIENT_TOO_MANY : CLIENT_OK);
		client_leave(&limit, &one);
		client_leave(&limit, &two);
		assert_int_equal(client_enter(&limit, &b, &rules, &two, &count), CLIENT_OK);
		client_leave(&limit, &two);
		assert_int_equal(client_enter(&limit, &b, &none, &two, &count), CLIENT_OK);
		assert_null(two);
		client_limit_fini(&limit);
	}
}

/* A table full of clients that are all fresh: newcomers are not counted, and no time is lost over them. Idle ones make room. */
static void
test_limit_table_full(void **state)
{
	static const struct client_rules rules = { .sessions = 1, .bits_ipv4 = 32, .bits_ipv6 = 64 };
	struct client_limit limit;
	struct sockaddress peer;
	struct client *one;
	uint32_t count;
	int64_t began;

	(void)state;
	client_limit_init(&limit, w.loop);
	assert_int_equal(sockaddress_parse(SLICE_LIT("2001:db8::1"), 1, &peer), 0);
	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		memcpy(&peer.v6.sin6_addr.s6_addr[4], &i, sizeof(i));
		assert_int_equal(client_enter(&limit, &peer, &rules, &one, &count), CLIENT_OK);
		client_leave(&limit, &one);
	}
	began = clock_mono_ms();
	for (uint32_t i = CLIENTS_MAX; i < CLIENTS_MAX + 20000; i++) {
		memcpy(&peer.v6.sin6_addr.s6_addr[4], &i, sizeof(i));
		assert_int_equal(client_enter(&limit, &peer, &rules, &one, &count), CLIENT_OK);
		assert_null(one);
	}
	assert_true(clock_mono_ms() - began < 2000);
	clock_turn(61000, 0);
	world_run_round(&w);
	assert_int_equal(client_enter(&limit, &peer, &rules, &one, &count), CLIENT_OK);
	assert_non_null(one);
	client_leave(&limit, &one);
	client_limit_fini(&limit);
}

/* How many bits make two addresses one client. */
static void
test_prefixes(void **state)
{
	static const struct {
		const char	*a, *b;
		uint8_t		 ipv4, ipv6;
		bool		 same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.254", 24, 64, true },
		{ "192.0.2.1", "192.0.3.1", 24, 64, false },
		{ "192.0.2.1", "192.0.3.1", 23, 64, true },
		{ "192.0.2.1", "192.1.2.1", 8, 64, true },
		{ "2001:db8::1", "2001:db8:0:ffff::1", 32, 48, true },
		{ "2001:db8::1", "2001:db8:1::1", 32, 48, false },
		{ "2001:db8::1", "2001:db8::2", 32, 128, false },
		{ "2001:db8::1", "2001:db8::3", 32, 126, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client_rules rules = { .sessions = 1, .bits_ipv4 = rows[i].ipv4, .bits_ipv6 = rows[i].ipv6 };
		struct client_limit limit;
		struct sockaddress a, b;
		struct client *one, *two;
		uint32_t count;

		ROW(i, rows[i].b);
		assert_int_equal(sockaddress_parse(slice_str(rows[i].a), 1, &a), 0);
		assert_int_equal(sockaddress_parse(slice_str(rows[i].b), 2, &b), 0);
		client_limit_init(&limit, w.loop);
		assert_int_equal(client_enter(&limit, &a, &rules, &one, &count), CLIENT_OK);
		assert_int_equal(client_enter(&limit, &b, &rules, &two, &count), rows[i].same ? CLIENT_TOO_MANY : CLIENT_OK);
		client_leave(&limit, &one);
		client_leave(&limit, &two);
		client_limit_fini(&limit);
	}
}

static void
test_messages_a_minute(void **state)
{
	(void)state;
	w.conf.smtpd.client_messages = 2;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	for (int i = 0; i < 2; i++) {
		world_talk(&w, MAIL, "250");
		world_talk(&w, "RSET\r\n", "250");
	}
	world_talk(&w, MAIL, "450 4.7.1");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "503");
	world_hang_up(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "450 4.7.1");
	assert_true(world_logged(&w, "Message delivery request rate limit exceeded: 3 from unknown[192.0.2.7] for service smtp"));
	clock_turn(60000, 0);
	world_run_round(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
}

static void
test_recipients_a_minute(void **state)
{
	(void)state;
	w.conf.smtpd.client_recipients = 2;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	world_talk(&w, "RCPT TO:<nobody@example.net>\r\n", "550");
	world_talk(&w, "RCPT TO:<user2@example.net>\r\n", "450 4.7.1");
	world_hang_up(&w);
	world_hello(&w, "192.0.2.99");		/* another client */
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
}

static void
test_errors_a_minute(void **state)
{
	(void)state;
	w.conf.smtpd.client_errors = 2;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	for (int i = 0; i < 3; i++)
		world_talk(&w, "WHAT\r\n", "500");
	world_hang_up(&w);
	world_run_round(&w);
	world_connect(&w, STRANGER);
	world_expect(&w, "421 4.7.0 mx.example.net Error: too many errors");
	world_expect_close(&w);
	assert_true(world_logged(&w, "Error rate limit exceeded: 3 from unknown[192.0.2.7] for service smtp"));
	clock_turn(60000, 0);
	world_run_round(&w);
	world_hello(&w, STRANGER);
}

static void
test_exempt_networks(void **state)
{
	struct network exempt;

	(void)state;
	assert_int_equal(network_parse(SLICE_LIT("192.0.2.0/24"), &exempt), 0);
	w.conf.smtpd.client_exempt = (struct conf_networks){ .count = 1, .v = &exempt };
	w.conf.smtpd.client_messages = 1;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	for (int i = 0; i < 3; i++) {
		world_talk(&w, MAIL, "250");
		world_talk(&w, "RSET\r\n", "250");
	}
}

/* Who speaks for others is not charged for them, and they are. */
static void
test_limits_move_with_xclient(void **state)
{
	struct network proxy;
	int first;

	(void)state;
	assert_int_equal(network_parse(SLICE_LIT("192.0.2.7/32"), &proxy), 0);
	w.conf.smtpd.xclient_networks = (struct conf_networks){ .count = 1, .v = &proxy };
	w.conf.smtpd.client_exempt = (struct conf_networks){ .count = 1, .v = &proxy };
	w.conf.smtpd.client_sessions = 1;
	world_reopen(&w);
	world_connect(&w, STRANGER);
	world_expect(&w, "220 ");
	world_talk(&w, "XCLIENT ADDR=198.51.100.1\r\n", "220 ");
	first = w.client;
	w.client = -1;
	world_connect(&w, STRANGER);
	world_expect(&w, "220 ");
	world_talk(&w, "XCLIENT ADDR=198.51.100.2\r\n", "220 ");
	world_hang_up(&w);
	world_connect(&w, STRANGER);
	world_expect(&w, "220 ");
	world_talk(&w, "XCLIENT ADDR=198.51.100.1\r\n", "421 4.7.0");
	assert_true(world_logged(&w, "Connection concurrency limit exceeded: 2 from unknown[198.51.100.1] for service smtp"));
	fd_close(&first);
	world_run_round(&w);
}

/* A client may send as many recipients as LIMITS names (RFC 9422) before it reads: those who fit in no envelope are no errors. */
static void
test_all_that_limits_names(void **state)
{
	char line[120];

	(void)state;
	w.conf.message_recipients = 4000;
	w.conf.smtpd.client_recipients = 0;
	world_reopen(&w);
	world_hello(&w, FRIEND);
	world_talk(&w, MAIL, "250");
	for (int i = 0; i < 4000; i++) {
		(void)snprintf(line, sizeof(line), "RCPT TO:<user%060d@example.org>\r\n", i);
		world_talk(&w, line, i < 2000 ? "250" : "");
	}
	world_talk(&w, "DATA\r\n", "354");
}

/* A chunk that nobody asked for buys no time either. */
static void
test_stress_and_chunks(void **state)
{
	(void)state;
	w.conf.smtpd.max_sessions = 1;
	w.conf.smtpd.stress_timeout = 2000;
	w.conf.smtpd.data_timeout = 60000;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	world_say(&w, "BDAT 1000\r\nx");
	world_run_round(&w);
	clock_turn(2100, 0);
	world_until(&w, &w.events[EVENT_TIMEOUT], 1);
}

/* With four fifths of the sessions in use strangers are hurried, those too who were there before; at half of them no more. */
static void
test_stress(void **state)
{
	int held[8];

	(void)state;
	w.conf.smtpd.max_sessions = 10;
	w.conf.smtpd.stress_timeout = 2000;
	world_reopen(&w);
	for (size_t i = 0; i < 8; i++) {
		world_hello(&w, STRANGER);
		held[i] = w.client;
		w.client = -1;
	}
	assert_true(world_logged(&w, "8 of 10 sessions are in use"));
	clock_turn(1000, 0);
	world_run_round(&w);
	assert_int_equal(w.events[EVENT_TIMEOUT], 0);
	clock_turn(2100, 0);
	world_until(&w, &w.events[EVENT_TIMEOUT], 8);
	assert_true(world_logged(&w, "clients have their usual time again"));
	for (size_t i = 0; i < 8; i++)
		fd_close(&held[i]);
	world_hello(&w, STRANGER);
	clock_turn(5000, 0);
	world_run_round(&w);
	world_talk(&w, "NOOP\r\n", "250");
}

/* Trusted networks are not hurried. */
static void
test_stress_spares_friends(void **state)
{
	(void)state;
	w.conf.smtpd.max_sessions = 1;
	w.conf.smtpd.stress_timeout = 2000;
	world_reopen(&w);
	world_hello(&w, FRIEND);
	assert_true(world_logged(&w, "1 of 1 sessions are in use"));
	clock_turn(5000, 0);
	world_run_round(&w);
	world_talk(&w, "NOOP\r\n", "250");
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_client_limits, open_mx),
		TEST(test_limit_table, open_mx),
		TEST(test_limit_table_full, open_mx),
		TEST(test_prefixes, open_mx),
		TEST(test_messages_a_minute, open_mx),
		TEST(test_recipients_a_minute, open_mx),
		TEST(test_errors_a_minute, open_mx),
		TEST(test_exempt_networks, open_mx),
		TEST(test_limits_move_with_xclient, open_mx),
		TEST(test_all_that_limits_names, open_trusted),
		TEST(test_stress, open_mx),
		TEST(test_stress_and_chunks, open_mx),
		TEST(test_stress_spares_friends, open_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
