/*
 * Nobody relays through us without a right to: every dress that an address for elsewhere has been seen in, from every kind of sender,
 * while lookup works, is away, and dies with the question in hand.
 */
#include <stdio.h>

#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"

/* The code while lookup works. Without it all that asked become 451, and what was no address stays 501. */
static const struct {
	const char	*to;
	const char	*code;
} forms[] = {
	{ "<x@elsewhere.example>", "554 5.7.1" },
	{ "<x@ELSEWHERE.example>", "554 5.7.1" },
	{ "<x@elsewhere.example.>", "554 5.7.1" },
	{ "<\"x\"@elsewhere.example>", "554 5.7.1" },
	{ "x@elsewhere.example", "501" },
	{ "<x%elsewhere.example@example.net>", "550 5.1.1" },
	{ "<x%elsewhere.example@[192.0.2.1]>", "554 5.7.1" },
	{ "<x%elsewhere.example>", "501" },
	{ "<\"x%elsewhere.example\"@example.net>", "550 5.1.1" },
	{ "<\"x@elsewhere.example\"@example.net>", "550 5.1.1" },
	{ "<\"x@elsewhere.example\"@[192.0.2.1]>", "554 5.7.1" },
	{ "<\"x@elsewhere.example\">", "501" },
	{ "<x@elsewhere.example@example.net>", "501" },
	{ "<x@example.net@elsewhere.example>", "501" },
	{ "<@example.net:x@elsewhere.example>", "554 5.7.1" },
	{ "<@example.net,@mx.example.net:x@elsewhere.example>", "554 5.7.1" },
	{ "<@elsewhere.example:x%elsewhere.example@example.net>", "550 5.1.1" },
	{ "<@[192.0.2.1]:x@elsewhere.example>", "501" },
	{ "<elsewhere.example!x>", "501" },
	{ "<elsewhere.example!x@example.net>", "550 5.1.1" },
	{ "<\"elsewhere.example!x\"@example.net>", "550 5.1.1" },
	{ "<example.net!elsewhere.example!x@[192.0.2.1]>", "554 5.7.1" },
	{ "<elsewhere.example:x@example.net>", "501" },
	{ "<x@[192.0.2.1]>", "554 5.7.1" },
	{ "<x@[127.0.0.1]>", "554 5.7.1" },
	{ "<x@[IPv6:::1]>", "554 5.7.1" },
	{ "<x@[IPv6:::ffff:127.0.0.1]>", "554 5.7.1" },
	{ "<user@[IPv6:2001:db8::25]>", "554 5.7.1" },
	{ "<x@[elsewhere.example]>", "501" },
	{ "<x@[]>", "501" },
	{ "<x@192.0.2.1>", "501" },
	{ "<x@elsewhere.example:25>", "501" },
	{ "<x@elsewhere.example,user@example.net>", "501" },
	{ "<user@example.net,x@elsewhere.example>", "501" },
	{ "<user@example.net><x@elsewhere.example>", "501" },
	{ "<user@example.net> <x@elsewhere.example>", "555" },
	{ "<user@example.net\t@elsewhere.example>", "501" },
	{ "<user@example.net@>", "501" },
	{ "<user@elsewhere.example.example.net>", "554 5.7.1" },
	{ "<user@example.net.elsewhere.example>", "554 5.7.1" },
	{ "<user@xexample.net>", "554 5.7.1" },
	{ "<|/bin/sh@elsewhere.example>", "554 5.7.1" },
};
#define FORMS	(sizeof(forms) / sizeof(forms[0]))

static const char *const senders[] = {
	"<>", "<user@example.net>", "<postmaster@example.net>", "<x@elsewhere.example>", "<user@[192.0.2.1]>", "<@example.net:user@example.net>",
};
#define SENDERS	(sizeof(senders) / sizeof(senders[0]))

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	w.conf.smtpd.max_errors = w.conf.smtpd.max_junk = 1000;
	w.ttl_ms = 0;
	world_reopen(&w);
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
begin(const char *sender)
{
	char text[200];

	world_hello(&w, STRANGER);
	snprintf(text, sizeof(text), "MAIL FROM:%s\r\n", sender);
	world_talk(&w, text, "250");
}

static void
say_rcpt(size_t form)
{
	char text[200];

	snprintf(text, sizeof(text), "RCPT TO:%s\r\n", forms[form].to);
	world_say(&w, text);
}

/* A refusal that begins like `want`. */
static void
expect_refusal(size_t form, const char *want)
{
	char line[400];

	world_line(&w, want, line, sizeof(line));
	if (strncmp(line, want, strlen(want)) == 0 && (line[0] == '4' || line[0] == '5'))
		return;
	ROW(form, forms[form].to);
	fail_msg("wanted \"%s\", got \"%s\"", want, line);
}

/* Neither way of sending content has anybody to send it to. */
static void
nobody_was_taken(void)
{
	world_talk(&w, "DATA\r\n", "554 5.5.1");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "554 5.5.1");
	assert_int_equal(w.stored_count, 0);
}

static void
test_lookup_works(void **state)
{
	(void)state;
	for (size_t s = 0; s < SENDERS; s++) {
		begin(senders[s]);
		for (size_t i = 0; i < FORMS; i++) {
			say_rcpt(i);
			expect_refusal(i, forms[i].code);
		}
		nobody_was_taken();
	}
}

/* "501" and "555" come from the address; anything else needed an answer and has none. */
static const char *
code_without_lookup(size_t form)
{
	const char *code = forms[form].code;

	if (strncmp(code, "501", 3) == 0 || strncmp(code, "555", 3) == 0)
		return code;
	return "451 4.3.0";
}

static void
test_lookup_away(void **state)
{
	(void)state;
	channel_close(&w.lookup);
	world_run_round(&w);
	for (size_t s = 0; s < SENDERS; s++) {
		begin(senders[s]);
		for (size_t i = 0; i < FORMS; i++) {
			say_rcpt(i);
			expect_refusal(i, code_without_lookup(i));
		}
		nobody_was_taken();
	}
}

/* All of them in one write, and lookup dies while it thinks. */
static void
test_lookup_dies(void **state)
{
	(void)state;
	for (size_t s = 0; s < SENDERS; s++) {
		unsigned asked = w.questions;

		w.hold_answers = true;
		begin(senders[s]);
		for (size_t i = 0; i < FORMS; i++)
			say_rcpt(i);
		world_until(&w, &w.questions, asked + 1);
		channel_close(&w.lookup);
		for (size_t i = 0; i < FORMS; i++)
			expect_refusal(i, code_without_lookup(i));
		w.hold_answers = false;
		world_lookup(&w);
		nobody_was_taken();
	}
}

/* The positive control: the same words from a network that may relay. */
static void
test_friends_may(void **state)
{
	(void)state;
	world_close(&w);
	world_open(&w, ROLE_TRUSTED);
	world_hello(&w, "10.1.2.3");
	world_talk(&w, "MAIL FROM:<x@elsewhere.example>\r\n", "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "250 2.1.5");
	world_talk(&w, "RCPT TO:<@example.net:y@elsewhere.example>\r\n", "250 2.1.5");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250 2.0.0 Ok: queued");
	assert_slice(buf_slice(&w.stored[0].recipients), "x@elsewhere.example\ny@elsewhere.example\n");
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, open_mx, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lookup_works), TEST(test_lookup_away), TEST(test_lookup_dies), TEST(test_friends_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
