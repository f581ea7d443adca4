/*
 * Connections through a proxy, over real sockets of the loopback: who is believed, what the client may then do, and who is cut off.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/listen.h"
#include "smtpd/handoff.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"PROXY TCP4 192.0.2.55 198.51.100.1 40000 25\r\n"
#define FRIEND		"PROXY TCP4 10.1.2.3 198.51.100.1 40000 25\r\n"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define FAR		"RCPT TO:<x@elsewhere.example>\r\n"

static struct world w;
static struct sockaddress at;		/* the listener that has a proxy */
static struct network proxies;
static struct conf_listener served;

static void
open_role(enum wire_role role, const char *network)
{
	struct sockaddress any;
	struct err err;
	int fd;

	world_open(&w, role);
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &any), 0);
	fd = listen_tcp(&any, 16, &err);
	assert_true(fd >= 0);
	assert_int_equal(listen_address(fd, &at), 0);
	assert_int_equal(network_parse(slice_str(network), &proxies), 0);
	served = (struct conf_listener){ .role = LISTENER_MX, .at = { .count = 1, .v = &at }, .proxy = { .count = 1, .v = &proxies } };
	w.conf.listener_count = 1;
	w.conf.listeners = &served;
	world_reopen(&w);
	smtpd_listener(w.smtpd, fd);
}

static int
open_mx(void **state)
{
	(void)state;
	open_role(ROLE_MX, "127.0.0.1");
	return 0;
}

static int
open_trusted(void **state)
{
	(void)state;
	open_role(ROLE_TRUSTED, "127.0.0.1");
	return 0;
}

static int
open_unlisted(void **state)
{
	(void)state;
	open_role(ROLE_MX, "192.0.2.0/24");
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
dial(void)
{
	world_hang_up(&w);
	w.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(w.client >= 0);
	assert_int_equal(connect(w.client, &at.any, at.len), 0);
}

static void
dial_with(const char *header)
{
	dial();
	world_talk(&w, header, "220 mx.example.net");
}

static void
begin(void)
{
	world_talk(&w, "HELO client.example\r\n", "250");
	world_talk(&w, MAIL, "250");
}

static void
test_named(void **state)
{
	(void)state;
	dial_with(STRANGER);
	begin();
	world_talk(&w, "RCPT TO:<user@example.net>\r\n", "250");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250 2.0.0 Ok: queued");
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "Received: from client.example (unknown [192.0.2.55])"));
	assert_true(world_logged(&w, "=unknown[192.0.2.55]"));
	assert_false(world_logged(&w, "127.0.0.1"));
	dial_with("PROXY TCP6 2001:db8::55 2001:db8::1 40000 25\r\n");
	dial_with("PROXY TCP6 ::ffff:192.0.2.77 2001:db8::1 40000 25\r\n");
	assert_true(world_logged(&w, "=unknown[2001:db8::55]"));
	assert_true(world_logged(&w, "=unknown[192.0.2.77]"));
}

static void
test_every_cut(void **state)
{
	static const char binary[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x38\xc0\0\x02\x02\x9c\x40\0\x19\x04\0\x01x";

	(void)state;
	for (size_t cut = 1; cut < sizeof(STRANGER) - 1; cut++) {
		dial();
		world_send(&w, STRANGER, cut);
		world_run_round(&w);
		world_talk(&w, &STRANGER[cut], "220");
	}
	for (size_t cut = 1; cut < sizeof(binary) - 1; cut++) {
		dial();
		world_send(&w, binary, cut);
		world_run_round(&w);
		world_send(&w, binary + cut, sizeof(binary) - 1 - cut);
		world_expect(&w, "220");
	}
	assert_true(world_logged(&w, "=unknown[192.0.2.56]"));
}

/* Behind an mx listener nobody relays, whoever the proxy says it is; queue would not have it either. */
static void
test_no_relay_by_mx(void **state)
{
	(void)state;
	assert_int_equal(network_parse(SLICE_LIT("0.0.0.0/0"), &w.trusted), 0);
	world_reopen(&w);
	smtpd_listener(w.smtpd, listen_tcp(&at, 16, NULL));
	dial_with(FRIEND);
	begin();
	world_talk(&w, FAR, "554 5.7.1");
	world_talk(&w, "RCPT TO:<user@example.net>\r\n", "250");
}

/* A trusted worker looks at the client anew; the proxy itself is nobody's friend. */
static void
test_trust(void **state)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", datagram[] = "\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\x0a\1\2\3\x0a\1\2\3\0\1\0\1";
	static const struct { struct slice header; const char *reply; } rows[] = {
		{ SLICE_LIT(FRIEND), "250 2.1.5" },
		{ SLICE_LIT(STRANGER), "554 5.7.1" },
		{ SLICE_LIT("PROXY UNKNOWN\r\n"), "554 5.7.1" },
		{ SLICE_LIT("PROXY UNKNOWN 10.1.2.3 10.1.2.3 1 1\r\n"), "554 5.7.1" },
		{ { local, sizeof(local) - 1 }, "554 5.7.1" },
		{ { datagram, sizeof(datagram) - 1 }, "554 5.7.1" },
	};
	struct network both[2];

	(void)state;
	both[0] = w.trusted;
	assert_int_equal(network_parse(SLICE_LIT("127.0.0.0/8"), &both[1]), 0);
	w.conf.trusted_networks = (struct conf_networks){ .count = 2, .v = both };
	world_reopen(&w);
	smtpd_listener(w.smtpd, listen_tcp(&at, 16, NULL));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		dial();
		world_send(&w, rows[i].header.p, rows[i].header.len);
		world_expect(&w, "220");
		begin();
		world_talk(&w, FAR, rows[i].reply);
	}
}

/* What is no header, or half of one, gets no answer. */
static void
test_cut_off(void **state)
{
	static const char *const rows[] = { "EHLO x\r\n", "PROXY TCP4 nonsense\r\n", "\r\nQUIT\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 1\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		dial();
		world_say(&w, rows[i]);
		world_expect_close(&w);
	}
	dial();
	world_say(&w, "PROXY TCP4 192");
	assert_int_equal(shutdown(w.client, SHUT_WR), 0);
	world_expect_close(&w);
	dial();
	assert_int_equal(shutdown(w.client, SHUT_WR), 0);
	world_expect_close(&w);
	assert_int_equal(w.events[EVENT_CONNECT], 0);
	assert_true(world_logged(&w, "proxy [127.0.0.1]: no PROXY header"));
	assert_true(world_logged(&w, "proxy [127.0.0.1]: lost connection in the PROXY header"));
}

static void
test_late(void **state)
{
	(void)state;
	dial();
	world_say(&w, "PROXY TCP4 192");
	world_run_round(&w);
	clock_turn(11000, 0);
	world_run_round(&w);
	world_expect_close(&w);
	assert_true(world_logged(&w, "no PROXY header in time"));
	clock_turn(-11000, 0);
}

/* A client talks too early behind a proxy as anywhere. */
static void
test_early(void **state)
{
	(void)state;
	dial();
	world_talk(&w, STRANGER "EHLO x\r\n", "554 5.5.0");
	world_expect_close(&w);
}

static void
test_unlisted(void **state)
{
	(void)state;
	dial();
	world_expect(&w, "220");
	world_talk(&w, STRANGER, "500 5.5.2");
	begin();
	assert_true(world_logged(&w, "=unknown[127.0.0.1]"));
}

/* Limits are the client's, not the proxy's. */
static void
test_limits(void **state)
{
	int first;

	(void)state;
	w.conf.smtpd.client_sessions = 1;
	world_reopen(&w);
	smtpd_listener(w.smtpd, listen_tcp(&at, 16, NULL));
	dial_with(STRANGER);
	first = w.client;
	w.client = -1;
	dial();
	world_talk(&w, STRANGER, "421 4.7.0");
	world_expect_close(&w);
	dial_with("PROXY TCP4 192.0.2.56 198.51.100.1 40000 25\r\n");
	fd_close(&first);
}

/* An mx worker that was broken into hands over a proxy's connection, whose header it may have swallowed. */
static void
test_handed_over(void **state)
{
	struct control_wire wire = { .kind = WIRE_HANDOFF, .role = ROLE_MX, .number = 0 };
	struct smtpd *mx;
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(network_parse(SLICE_LIT("127.0.0.0/8"), &w.trusted), 0);
	world_reopen(&w);
	served.proxy.count = 0;
	mx = smtpd_new(w.loop, settings_new(&w.conf, NULL, &err), ROLE_MX, 4, NULL, NULL, &err);
	served.proxy.count = 1;
	assert_non_null(mx);
	smtpd_listener(mx, listen_tcp(&at, 16, NULL));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	smtpd_wire(w.smtpd, &wire, fds[0]);
	smtpd_wire(mx, &wire, fds[1]);
	dial();
	world_expect_close(&w);
	assert_int_equal(w.events[EVENT_CONNECT], 0);
	smtpd_free(&mx);
}

static void
test_stop(void **state)
{
	(void)state;
	dial();
	world_say(&w, "PROXY TCP4 192");
	world_run_round(&w);
	smtpd_stop(w.smtpd, 1000);
	world_expect_close(&w);
	assert_true(w.stopped);
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_named, open_mx), TEST(test_every_cut, open_mx), TEST(test_no_relay_by_mx, open_mx), TEST(test_trust, open_trusted),
		TEST(test_cut_off, open_mx), TEST(test_late, open_mx), TEST(test_early, open_mx), TEST(test_unlisted, open_unlisted),
		TEST(test_limits, open_mx), TEST(test_handed_over, open_trusted), TEST(test_stop, open_mx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
