/*
 * XCLIENT: who may say it, what a session is afterwards, and that nobody gets rights by it that the other client would not have.
 */
#include <stdio.h>

#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define PROXY	"192.0.2.200"
#define MAIL	"MAIL FROM:<a@example.org>\r\n"
#define RCPT	"RCPT TO:<user@example.net>\r\n"
#define FAR	"RCPT TO:<x@elsewhere.example>\r\n"

static struct world w;
static struct network proxies;

static void
open_role(enum wire_role role)
{
	world_open(&w, role);
	assert_int_equal(network_parse(SLICE_LIT(PROXY), &proxies), 0);
	w.conf.smtpd.xclient_networks = (struct conf_networks){ .count = 1, .v = &proxies };
	world_reopen(&w);
}

static int
open_mx(void **state)
{
	(void)state;
	open_role(ROLE_MX);
	return 0;
}

static int
open_trusted(void **state)
{
	(void)state;
	open_role(ROLE_TRUSTED);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* A session of the proxy that has said EHLO. */
static void
begin(void)
{
	world_connect(&w, PROXY);
	world_expect(&w, "220");
	world_talk(&w, "EHLO proxy.example\r\n", "250-mx.example.net");
	world_expect(&w, "250-PIPELINING");
	world_expect(&w, "250-SIZE");
	world_expect(&w, "250-XCLIENT NAME ADDR PORT PROTO HELO");
	world_expect(&w, "250-8BITMIME");
	world_expect(&w, "250-DSN");
	world_expect(&w, "250-SMTPUTF8");
	world_expect(&w, "250-CHUNKING");
	world_expect(&w, "250-LIMITS RCPTMAX=");
	world_expect(&w, "250 ENHANCEDSTATUSCODES");
}

static void
test_another_client(void **state)
{
	(void)state;
	begin();
	world_talk(&w, "XCLIENT NAME=client.example.org ADDR=192.0.2.66 PORT=40000\r\n", "220 mx.example.net ESMTP");
	world_talk(&w, MAIL, "503 5.5.1 Error: send HELO");
	world_talk(&w, "HELO its.own.name\r\n", "250");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250 2.0.0 Ok: queued");
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "Received: from its.own.name (client.example.org [192.0.2.66])\r\n"));
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), " with SMTP id "));
	assert_true(world_logged(&w, "=client.example.org[192.0.2.66]"));
	/* once more; HELO and PROTO stand for what that client has said */
	world_talk(&w, "XCLIENT ADDR=IPV6:2001:db8::66 HELO=six.example PROTO=ESMTP\r\n", "220");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250 2.0.0 Ok: queued");
	assert_non_null(strstr(buf_cstr(&w.stored[1].content), "Received: from six.example (unknown [IPv6:2001:db8::66])\r\n"));
	assert_non_null(strstr(buf_cstr(&w.stored[1].content), " with ESMTP id "));
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "LOGIN=me", "ADDR=x", "ADDR=192.0.2.300", "ADDR=2001:db8::1", "ADDR=IPV6:192.0.2.1", "ADDR=IPV6:", "ADDR=[192.0.2.1]", "NAME=two+20words",
		"NAME=a_b.example", "NAME=a+3Eb", "PORT=65536", "PORT=x", "PROTO=QMQP", "PROTO=[UNAVAILABLE]", "HELO=a+20b", "ADDR=192.0.2.1 ADDR=192.0.2.2",
	};
	char line[200];

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ROW(i, bad[i]);
		snprintf(line, sizeof(line), "XCLIENT %s\r\n", bad[i]);
		world_talk(&w, line, "501 5.5.4");
	}
	/* what is refused changes nothing */
	world_talk(&w, MAIL, "250");
	world_talk(&w, "XCLIENT ADDR=192.0.2.66\r\n", "503 5.5.1 Error: MAIL transaction in progress");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "BDAT 1\r\nx", "250");
	world_talk(&w, "XCLIENT ADDR=192.0.2.66\r\n", "503 5.5.1 Error: MAIL transaction in progress");
	world_talk(&w, "BDAT 0 LAST\r\n", "250 2.0.0 Ok: queued");
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "Received: from proxy.example (unknown [" PROXY "])\r\n"));
}

/* The next words belong to another client: they must not have been sent by this one. */
static void
test_early(void **state)
{
	(void)state;
	begin();
	world_talk(&w, "XCLIENT ADDR=192.0.2.66\r\nEHLO x\r\n", "554 5.5.0");
	world_expect_close(&w);
}

static void
test_others(void **state)
{
	(void)state;
	world_hello(&w, "192.0.2.7");		/* where it is not offered */
	world_talk(&w, "XCLIENT ADDR=10.1.2.3\r\n", "550 5.7.0");
	world_hello(&w, "10.1.2.3");		/* who may relay may not say for others */
	world_talk(&w, "XCLIENT ADDR=10.1.2.4\r\n", "550 5.7.0");
}

static void
expect_far(const char *xclient, const char *reply)
{
	begin();
	world_talk(&w, xclient, "220");
	world_talk(&w, "HELO x\r\n", "250");
	world_talk(&w, MAIL, "250");
	world_talk(&w, FAR, reply);
}

static void
test_trust(void **state)
{
	(void)state;
	expect_far("XCLIENT ADDR=10.1.2.3\r\n", "250 2.1.5");
	expect_far("XCLIENT ADDR=IPV6:::ffff:10.1.2.3\r\n", "250 2.1.5");
	expect_far("XCLIENT ADDR=192.0.2.66\r\n", "554 5.7.1");
	expect_far("XCLIENT ADDR=[UNAVAILABLE]\r\n", "554 5.7.1");
	expect_far("XCLIENT NAME=friend.example\r\n", "554 5.7.1");
	/* and back: rights do not outlive the client that had them */
	begin();
	world_talk(&w, "XCLIENT ADDR=10.1.2.3\r\n", "220");
	world_talk(&w, "XCLIENT ADDR=192.0.2.66\r\n", "220");
	world_talk(&w, "HELO x\r\n", "250");
	world_talk(&w, MAIL, "250");
	world_talk(&w, FAR, "554 5.7.1");
	/* a proxy that may relay itself does so no more when it speaks for a stranger */
	assert_int_equal(network_parse(SLICE_LIT("192.0.2.0/24"), &w.trusted), 0);
	world_reopen(&w);
	expect_far("XCLIENT ADDR=198.51.100.1\r\n", "554 5.7.1");
	expect_far("XCLIENT NAME=me.example\r\n", "250 2.1.5");
}

static void
test_no_relay_by_mx(void **state)
{
	(void)state;
	expect_far("XCLIENT ADDR=10.1.2.3\r\n", "554 5.7.1");
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_another_client, open_mx), TEST(test_refused, open_mx), TEST(test_early, open_mx), TEST(test_others, open_trusted),
		TEST(test_trust, open_trusted), TEST(test_no_relay_by_mx, open_mx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
