/*
 * Sessions in trouble: hostile input, limits, large messages, time, loss, and the end.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define RCPT		"RCPT TO:<user@example.net>\r\n"

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
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
test_bare(void **state)
{
	static const char *const rows[] = {
		"x\n.\r\n", "x\r\n.\n", "x\n.\n", "x\r.\r\n", "x\r\n.\r.\r\n", "\r\r\n", "\n", "x\r\n\n.\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_hello(&w, STRANGER);
		world_talk(&w, MAIL, "250");
		world_talk(&w, RCPT, "250");
		world_talk(&w, "DATA\r\n", "354");
		world_say(&w, rows[i]);
		world_say(&w, MAIL RCPT "DATA\r\nsmuggled\r\n.\r\n");
		world_expect(&w, "550 5.6.11");
		world_expect_close(&w);
	}
	assert_int_equal(w.stored_count, 0);
	world_hello(&w, STRANGER);
	world_talk(&w, "NOOP\nNOOP\r\n", "550 5.6.11");
	world_expect_close(&w);
	/* A recipient whose answer is still to come hears its own. */
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_say(&w, "RCPT TO:<later@example.net>\r\nNOOP\n");
	world_expect(&w, "451 4.3.0");
	world_expect(&w, "550 5.6.11");
	world_expect_close(&w);
}

static void
test_early_talkers(void **state)
{
	struct sockaddress peer;
	char tail[300];

	(void)state;
	(void)peer;
	/* behind DATA */
	world_hello(&w, STRANGER);
	world_say(&w, MAIL RCPT "DATA\r\nSubject: too early\r\n\r\n.\r\n");
	world_expect(&w, "250");
	world_expect(&w, "250");
	world_expect(&w, "554 5.5.0");
	world_expect_close(&w);
	snprintf(tail, sizeof(tail), "%d %d=DATA %d=unknown[192.0.2.7] %d=Subject: too early", EVENT_IMPROPER_PIPELINING, KEY_COMMAND,
	    KEY_CLIENT, KEY_TEXT);
	assert_true(world_logged(&w, tail));
	/* behind EHLO */
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	world_talk(&w, "EHLO x\r\n" MAIL, "554 5.5.0");
	world_expect_close(&w);
	/* before the greeting */
	w.conf.smtpd.greeting_delay = 30;
	world_reopen(&w);
	world_connect(&w, STRANGER);
	world_talk(&w, "EHLO x\r\n", "554 5.5.0");
	world_expect_close(&w);
	world_hello(&w, STRANGER);	/* who waits is greeted */
	assert_int_equal(w.stored_count, 0);
}

static void
test_http(void **state)
{
	(void)state;
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	world_say(&w, "GET / HTTP/1.1\r\nHost: x\r\n\r\n" MAIL);
	world_expect(&w, "554 5.5.0");
	world_expect_close(&w);
	assert_true(world_logged(&w, "non-SMTP command from unknown[192.0.2.7]"));
}

static void
test_long_lines(void **state)
{
	static char bytes[200000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	world_hello(&w, STRANGER);
	world_send(&w, bytes, 2047);
	world_talk(&w, "\r\n", "500 5.5.2");
	world_send(&w, bytes, 2046);
	world_talk(&w, "\r\n", "500 5.5.2");
	world_send(&w, bytes, 60000);
	world_talk(&w, "\r\nNOOP\r\n", "500 5.5.2");
	world_expect(&w, "250");
	world_send(&w, bytes, 5000);
	world_talk(&w, "\nNOOP\r\n", "550 5.6.11");
	world_expect_close(&w);
	world_hello(&w, STRANGER);
	world_send(&w, bytes, sizeof(bytes));
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
}

static void
test_error_limits(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	for (int i = 0; i < 20; i++)
		world_talk(&w, "WHAT\r\n", "500 5.5.2");
	world_expect(&w, "421 4.7.0 Error: too many errors");
	world_expect_close(&w);
	assert_int_equal(w.events[EVENT_TOO_MANY_ERRORS], 1);
	assert_true(world_logged(&w, "unknown=0/20 commands=1/21"));
	world_hello(&w, STRANGER);
	for (int i = 1; i < 120; i++)		/* EHLO was the first; behind the hundredth each is an error */
		world_talk(&w, i % 2 == 0 ? "NOOP\r\n" : "RSET\r\n", "250");
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
	/* nor does beginning anew make it last */
	world_hello(&w, STRANGER);
	for (int i = 1; i < 120; i++) {
		world_talk(&w, MAIL, "250");
		world_talk(&w, "HELO again.example\r\n", "250");
	}
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
	/* a message in between forgives */
	world_hello(&w, STRANGER);
	for (int n = 0; n < 3; n++) {
		for (int i = 0; i < 15; i++)
			world_talk(&w, "WHAT\r\n", "500 5.5.2");
		world_talk(&w, MAIL, "250");
		world_talk(&w, RCPT, "250");
		world_talk(&w, "DATA\r\n", "354");
		world_talk(&w, ".\r\n", "250");
	}
}

static void
test_content_limits(void **state)
{
	static char line[1002];
	int i;

	(void)state;
	memset(line, 'x', 1000);
	memcpy(line + 1000, "\r\n", 2);
	/* too big: said when it ends, and the session goes on */
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "Subject: big\r\n\r\n");
	for (i = 0; i < 1000; i++)
		world_send(&w, line, sizeof(line));
	world_talk(&w, ".\r\n", "552 5.3.4");
	/* endless: not even the end is waited for */
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	for (i = 0; i < 4000 && !w.closed; i++)
		world_send(&w, line, sizeof(line));
	world_expect(&w, "552 5.3.4");
	world_expect_close(&w);
	assert_true(i < 4000);
	/* a header without end */
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	for (i = 0; i < 200; i++)
		world_say(&w, "X-Filler: .........1.........2.........3.........4.........5.........6.........7.........8.........9"
		    ".........1.........2.........3.........4.........5.........6.........7.........8.........9.........1"
		    ".........1.........2.........3.........4.........5.........6.........7.........8.........9.........2"
		    ".........1.........2.........3.........4.........5.........6.........7.........8.........9.........3"
		    ".........1.........2.........3.........4.........5.........6.........7.........8.........9.........4\r\n");
	world_talk(&w, ".\r\n", "552 5.3.4 Error: message header too long");
	assert_int_equal(w.stored_count, 0);
}

static void
test_hops(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	for (int hops = 100; hops <= 101; hops++) {
		world_talk(&w, MAIL, "250");
		world_talk(&w, RCPT, "250");
		world_talk(&w, "DATA\r\n", "354");
		for (int i = 0; i < hops; i++)
			world_say(&w, "Received: from x\r\n\tby y\r\n");
		world_talk(&w, ".\r\n", hops == 100 ? "250 2.0.0" : "554 5.4.6");
	}
	assert_int_equal(w.stored_count, 1);
}

/* Fills a message of about `size` bytes of content with lines that differ. */
static uint32_t
send_large(size_t size, struct buf *copy)
{
	char text[100];
	uint32_t crc = 0;

	buf_reset(copy);
	for (size_t i = 0; buf_len(copy) < size; i++) {
		int len = snprintf(text, sizeof(text), "%zu..........................................................\r\n", i);

		assert_int_equal(buf_append(copy, text, (size_t)len), 0);
		crc = crc32c(crc, text, (size_t)len);
	}
	world_send(&w, buf_slice(copy).p, buf_len(copy));
	return crc;
}

static void
check_large(size_t i, const struct buf *copy)
{
	struct slice all = buf_slice(&w.stored[i].content);

	assert_true(all.len > buf_len(copy));
	slice_drop(&all, all.len - buf_len(copy));
	assert_true(slice_eq(all, buf_slice(copy)));
	all = buf_slice(&w.stored[i].content);
	assert_true(slice_starts(all, SLICE_LIT("Received: ")));
	if (w.stored[i].large)
		assert_true(w.stored[i].crc == crc32c(0, all.p, all.len));
}

static void
test_large(void **state)
{
	static const struct {
		size_t	size;
		bool	large;
	} rows[] = {
		{ 200000, false }, { 261000, false }, { 262144, true }, { 270000, true }, { 330000, true }, { 900000, true },
	};
	struct buf copy;

	(void)state;
	buf_init(&copy, 1 << 24);
	world_hello(&w, STRANGER);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_talk(&w, MAIL, "250");
		world_talk(&w, RCPT, "250");
		world_talk(&w, "DATA\r\n", "354");
		send_large(rows[i].size, &copy);
		world_talk(&w, ".\r\n", "250 2.0.0 Ok: queued");
		assert_int_equal(w.stored[i].large, rows[i].large);
		check_large(i, &copy);
	}
	assert_int_equal(w.drops, 0);
	buf_fini(&copy);
}

/* Content that begins with a blank is a body, and nothing that goes on in our trace field. */
static void
test_folded_start(void **state)
{
	static const char wanted[] = "\r\n\r\n (really from a.test [192.0.2.1])\r\nSubject: x\r\n";
	struct slice all;

	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, " (really from a.test [192.0.2.1])\r\nSubject: x\r\n.\r\n", "250 2.0.0 Ok: queued");
	all = buf_slice(&w.stored[0].content);
	slice_drop(&all, all.len - strlen(wanted));
	assert_slice(all, wanted);
}

/* Of a nearly full disk the client hears at MAIL, if he says how large it is, and else at the end; small mail goes on. */
static void
test_large_without_room(void **state)
{
	struct buf copy;

	(void)state;
	buf_init(&copy, 1 << 24);
	world_hello(&w, STRANGER);
	submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_SMALL);
	assert_int_equal(channel_end(w.queue), 0);
	world_run_round(&w);
	world_talk(&w, "MAIL FROM:<a@b.test> SIZE=262145\r\n", "452 4.3.1");
	world_talk(&w, "MAIL FROM:<a@b.test> SIZE=262144\r\n", "250");
	world_talk(&w, RCPT, "250");
	w.no_file = true;
	world_talk(&w, "DATA\r\n", "354");
	send_large(400000, &copy);
	world_talk(&w, ".\r\n", "452 4.3.1");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, "x\r\n.\r\n", "250 2.0.0 Ok: queued");
	buf_fini(&copy);
}

/* Trouble with the large file: no file, a broken file, a client that leaves, a queue that dies. */
static void
test_large_trouble(void **state)
{
	struct buf copy;

	(void)state;
	buf_init(&copy, 1 << 24);
	world_hello(&w, STRANGER);
	w.no_file = true;
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	send_large(400000, &copy);
	world_talk(&w, ".\r\n", "451 4.3.0");
	w.no_file = false;
#ifdef POSTHORN_FAULTS
	fault_plan("content-write:3:ENOSPC");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	send_large(500000, &copy);
	world_talk(&w, ".\r\n", "451 4.3.0");
	fault_plan(NULL);
	world_until(&w, &w.drops, 1);
#endif
	w.drops = 0;
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	send_large(500000, &copy);
	world_hang_up(&w);
	world_until(&w, &w.drops, 1);
	world_hello(&w, STRANGER);
	w.hold_file = true;
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	w.file_asked = 0;
	buf_reset(&copy);
	for (int i = 0; i < 300; i++) {
		char line[1003];

		memset(line, 'y', sizeof(line));
		memcpy(line + 1000, "\r\n", 3);
		world_say(&w, line);
	}
	while (w.file_asked == 0)
		world_run_round(&w);
	world_queue(&w);
	world_talk(&w, ".\r\n", "451 4.3.0");
	w.hold_file = false;
	world_talk(&w, "NOOP\r\n", "250");
	assert_int_equal(w.stored_count, 0);
	buf_fini(&copy);
}

static void
test_timeouts(void **state)
{
	(void)state;
	w.conf.smtpd.command_timeout = 40;
	w.conf.smtpd.data_timeout = 40;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	world_expect(&w, "421 4.4.2 mx.example.net Error: timeout exceeded");
	world_expect_close(&w);
	assert_true(world_logged(&w, "ehlo=1 commands=1"));
	assert_int_equal(w.events[EVENT_TIMEOUT], 1);
	/* drip feeding buys no time */
	world_hello(&w, STRANGER);
	for (int i = 0; i < 2000 && !w.closed && buf_len(&w.got) == 0; i++) {
		world_send(&w, "N", 1);
		world_run_round(&w);
		usleep(1000);
	}
	world_expect(&w, "421 4.4.2");
	world_expect_close(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "x\r\n");
	world_expect(&w, "421 4.4.2");
	world_expect_close(&w);
	assert_true(world_logged(&w, "=DATA "));
	assert_int_equal(w.stored_count, 0);
}

static void
test_transaction_timeout(void **state)
{
	(void)state;
	w.conf.smtpd.transaction_timeout = 60;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	for (int i = 0; i < 90 && !w.closed && buf_len(&w.got) == 0; i++) {
		world_say(&w, "VRFY x\r\n");
		world_run_round(&w);
		usleep(1000);
		if (buf_len(&w.got) > 0 && strncmp(buf_cstr(&w.got), "252", 3) == 0)
			world_expect(&w, "252");
	}
	while (!w.closed)
		world_run_round(&w);
	assert_non_null(strstr(buf_cstr(&w.got), "421 4.4.2"));
	buf_reset(&w.got);
}

static void
test_lost(void **state)
{
	(void)state;
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	world_hang_up(&w);
	world_run_round(&w);
	assert_true(world_logged(&w, "=CONNECT "));
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "half a mess");
	world_hang_up(&w);
	world_run_round(&w);
	assert_true(world_logged(&w, "=DATA "));
	assert_int_equal(w.events[EVENT_LOST], 2);
	assert_true(world_logged(&w, "ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"));
	/* after the dot: it is queue's, and nobody hears of it */
	w.verdict = VERDICT_NONE;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "x\r\n.\r\n");
	while (w.stored_count == 0)
		world_run_round(&w);
	world_hang_up(&w);
	world_run_round(&w);
	world_give_verdict(&w, 0, VERDICT_DURABLE);
	world_run_round(&w);
}

/* RFC 5321 4.1.3: IPv6 in our header has its tag. */
static void
test_ipv6(void **state)
{
	(void)state;
	world_hello(&w, "2001:db8::7");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250");
	assert_true(slice_starts(buf_slice(&w.stored[0].content),
	    SLICE_LIT("Received: from client.example (unknown [IPv6:2001:db8::7])\r\n")));
	assert_true(world_logged(&w, "=unknown[2001:db8::7]"));
}

/* A name from the client stands in our header and is tamed there. */
static void
test_helo_name(void **state)
{
	(void)state;
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	world_talk(&w, "HELO a(b)c;\"\\\033\377\r\n", "250 mx");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250");
	assert_true(slice_starts(buf_slice(&w.stored[0].content), SLICE_LIT("Received: from a?b?c????? (unknown [192.0.2.7])\r\n")));
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "with SMTP id"));
}

static void
test_stop(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	smtpd_stop(w.smtpd, 10000);
	world_run_round(&w);
	assert_false(w.stopped);
	world_talk(&w, "x\r\n.\r\n" MAIL, "250 2.0.0 Ok: queued");
	world_expect(&w, "451 4.3.2");		/* nothing new begins */
	world_expect(&w, "421 4.3.2");
	world_expect_close(&w);
	world_run_round(&w);
	assert_true(w.stopped);
}

static void
test_stop_idle(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	smtpd_stop(w.smtpd, 10000);
	world_expect(&w, "421 4.3.2");
	world_expect_close(&w);
	world_run_round(&w);
	assert_true(w.stopped);
}

/* One who would not end is told so when the time is up. */
static void
test_stop_hard(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	smtpd_stop(w.smtpd, 510);
	world_expect(&w, "421 4.3.2");
	world_expect_close(&w);
	world_run_round(&w);
	assert_true(w.stopped);
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bare, open_mx),
		TEST(test_early_talkers, open_mx),
		TEST(test_http, open_mx),
		TEST(test_long_lines, open_mx),
		TEST(test_error_limits, open_mx),
		TEST(test_content_limits, open_mx),
		TEST(test_hops, open_mx),
		TEST(test_large, open_mx),
		TEST(test_large_without_room, open_mx),
		TEST(test_folded_start, open_mx),
		TEST(test_large_trouble, open_mx),
		TEST(test_timeouts, open_mx),
		TEST(test_transaction_timeout, open_mx),
		TEST(test_lost, open_mx),
		TEST(test_ipv6, open_mx),
		TEST(test_helo_name, open_mx),
		TEST(test_stop, open_mx),
		TEST(test_stop_idle, open_mx),
		TEST(test_stop_hard, open_mx),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
