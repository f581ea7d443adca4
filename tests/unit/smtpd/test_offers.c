/*
 * What EHLO offers to whom, what becomes of it when it is withheld, and the commands that are for some only: VRFY, EXPN, ETRN, XFORWARD.
 */
#include <stdio.h>

#include "mail/extension.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define FILTER		"192.0.2.200"
#define FRIEND		"10.1.2.3"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define RCPT		"RCPT TO:<user@example.net>\r\n"

static struct world w;
static struct network filters, poor;

/* In this role, with a filter that may say XFORWARD, and a network from which `withheld` is withheld. */
static void
open_role(enum wire_role role, char **withheld, uint32_t count)
{
	static struct conf_clients clients;
	static char name[] = "poor";

	world_open(&w, role);
	assert_int_equal(network_parse(SLICE_LIT(FILTER), &filters), 0);
	assert_int_equal(network_parse(SLICE_LIT("192.0.2.64/26"), &poor), 0);
	w.conf.smtpd.xforward_networks = (struct conf_networks){ .count = 1, .v = &filters };
	clients = (struct conf_clients){ name, { 1, &poor }, { count, withheld } };
	w.conf.clients = &clients;
	w.conf.clients_count = 1;
	world_reopen(&w);
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static const char *
offered(const char *ip)
{
	world_connect(&w, ip);
	world_expect(&w, "220");
	return world_ehlo(&w);
}

static void
test_to_whom(void **state)
{
	(void)state;
	open_role(ROLE_MX, NULL, 0);
	assert_string_equal(offered(STRANGER),
	    " PIPELINING SIZE 1000000 8BITMIME DSN SMTPUTF8 CHUNKING LIMITS RCPTMAX=100 ENHANCEDSTATUSCODES ");
	assert_string_equal(offered(FILTER), " PIPELINING SIZE 1000000 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE "
	    "8BITMIME DSN SMTPUTF8 CHUNKING LIMITS RCPTMAX=100 ENHANCEDSTATUSCODES ");
	world_close(&w);
	open_role(ROLE_TRUSTED, NULL, 0);
	assert_string_equal(offered(FRIEND), " PIPELINING SIZE 1000000 VRFY ETRN 8BITMIME DSN SMTPUTF8 CHUNKING LIMITS RCPTMAX=100 ENHANCEDSTATUSCODES ");
}

/* One after the other: not in the answer, and not taken. The next client has it all. */
static const struct {
	const char	*keyword, *say, *with, *without;
} withheld[] = {
	{ "PIPELINING", "NOOP\r\n", "250", "250" },
	{ "SIZE", "MAIL FROM:<a@example.org> SIZE=10\r\n", "250", "555 5.5.4 Unsupported option: SIZE=10" },
	{ "8BITMIME", "MAIL FROM:<a@example.org> BODY=8BITMIME\r\n", "250", "555" },
	{ "DSN", "MAIL FROM:<a@example.org> RET=HDRS\r\n", "250", "555" },
	{ "dsn", "MAIL FROM:<a@example.org> ENVID=x\r\n", "250", "555" },
	{ "SMTPUTF8", "MAIL FROM:<a@example.org> SMTPUTF8\r\n", "250", "555" },
	{ "CHUNKING", "BDAT 0 LAST\r\n", "503 5.5.1 Error: need MAIL", "503" },
	{ "XFORWARD", "XFORWARD NAME=x\r\n", "250", "550" },
	{ "ENHANCEDSTATUSCODES", "NOOP\r\n", "250", "250" },
};

static void
test_withheld(void **state)
{
	for (size_t i = 0; i < sizeof(withheld) / sizeof(withheld[0]); i++) {
		char keyword[40];
		char *list[1] = { keyword };

		snprintf(keyword, sizeof(keyword), "%s", withheld[i].keyword);
		open_role(ROLE_MX, list, 1);
		filters = poor;
		world_reopen(&w);
		ROW(i, keyword);
		assert_null(strcasestr(offered("192.0.2.100"), keyword));
		world_talk(&w, withheld[i].say, withheld[i].without);
		world_hang_up(&w);
		if (strcmp(keyword, "XFORWARD") != 0) {
			assert_non_null(strcasestr(offered(STRANGER), keyword));
			world_talk(&w, withheld[i].say, withheld[i].with);
		}
		(void)close_world(state);
	}
	open_role(ROLE_MX, NULL, 0);
}

/* The bytes of a chunk that is not taken are passed over all the same. */
static void
test_no_chunks(void **state)
{
	static char keyword[] = "CHUNKING";
	char *list[1] = { keyword };

	(void)state;
	open_role(ROLE_MX, list, 1);
	(void)offered("192.0.2.100");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "BDAT 6 LAST\r\nQUIT\r\n", "502 5.5.1");
	world_talk(&w, "NOOP\r\n", "250");
	world_talk(&w, "RCPT TO:<user@example.net> NOTIFY=NEVER\r\n", "503");
}

static void
test_recipient_parameters(void **state)
{
	static char keyword[] = "DSN";
	char *list[1] = { keyword };

	(void)state;
	open_role(ROLE_MX, list, 1);
	(void)offered("192.0.2.100");
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<user@example.net> NOTIFY=NEVER\r\n", "555 5.5.4 Unsupported option: NOTIFY=NEVER");
	world_talk(&w, "RCPT TO:<user@example.net> ORCPT=rfc822;x@y\r\n", "555");
	world_talk(&w, RCPT, "250");
}

static void
test_names(void **state)
{
	(void)state;
	open_role(ROLE_MX, NULL, 0);
	for (enum extension e = EXTENSION_NONE + 1; e < EXTENSION_COUNT; e++)
		assert_int_equal(extension_named(extension_name(e)), e);
	assert_int_equal(extension_named(SLICE_LIT("chunking")), EXTENSION_CHUNKING);
	assert_int_equal(extension_named(SLICE_LIT("CHUNK")), EXTENSION_NONE);
	assert_int_equal(extension_named(SLICE_LIT("")), EXTENSION_NONE);
}

static const struct {
	const char	*say, *to_friend, *to_stranger;
} questions[] = {
	{ "VRFY user@example.net\r\n", "250 2.1.5 <user@example.net>", "252" },
	{ "VRFY <User@Example.NET>\r\n", "550 5.1.1", "252" },
	{ "VRFY postmaster@example.net\r\n", "250 2.1.5 <", "252" },
	{ "VRFY user\r\n", "250 2.1.5 <user@mx.example.net>", "252" },
	{ "VRFY nobody@example.net\r\n", "550 5.1.1", "252" },
	{ "VRFY odd@example.net\r\n", "550 5.1.1", "252" },
	{ "VRFY later@example.net\r\n", "451", "252" },
	{ "VRFY x@elsewhere.example\r\n", "252", "252" },
	{ "VRFY\r\n", "501 5.1.3", "252" },
	{ "VRFY <>\r\n", "501 5.1.3", "252" },
	{ "VRFY two words\r\n", "501 5.1.3", "252" },
	{ "EXPN user@example.net\r\n", "550 5.1.1 That is a mailbox", "502" },
	{ "EXPN nobody@example.net\r\n", "550 5.1.1 User unknown", "502" },
	{ "EXPN later@example.net\r\n", "451", "502" },
	{ "EXPN x@elsewhere.example\r\n", "502", "502" },
	{ "VERB\r\n", "250 2.0.0", "250 2.0.0" },
	{ "VERB on\r\n", "250 2.0.0", "250 2.0.0" },
	{ "ETRN example.org\r\n", "250 2.0.0 Queuing started", "459 4.7.0" },
	{ "ETRN @example.org\r\n", "250 2.0.0", "459" },
	{ "ETRN #example.org\r\n", "250 2.0.0", "459" },
	{ "ETRN later.example\r\n", "458 4.3.0", "459" },
	{ "ETRN not.example\r\n", "459", "459" },
	{ "ETRN\r\n", "501 5.5.4", "459" },
	{ "ETRN exa mple\r\n", "501 5.5.4", "459" },
	{ "ETRN a@b\r\n", "501 5.5.4", "459" },
	{ "XFORWARD NAME=x\r\n", "550 5.7.0", "550 5.7.0" },
};

static void
test_questions(void **state)
{
	open_role(ROLE_TRUSTED, NULL, 0);
	w.conf.smtpd.max_errors = 0;
	world_reopen(&w);
	(void)offered(FRIEND);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		ROW(i, questions[i].say);
		world_talk(&w, questions[i].say, questions[i].to_friend);
	}
	assert_string_equal(w.flushed, "not.example");
	assert_int_equal(w.flushes, 5);
	(void)close_world(state);
	open_role(ROLE_MX, NULL, 0);
	w.conf.smtpd.max_errors = 0;
	world_reopen(&w);
	(void)offered(STRANGER);
	w.questions = 0;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		ROW(i, questions[i].say);
		world_talk(&w, questions[i].say, questions[i].to_stranger);
	}
	assert_int_equal(w.questions + w.flushes, 0);	/* nobody was asked */
}

/* Within a transaction VRFY asks beside it, and ETRN does not belong there. */
static void
test_beside_a_transaction(void **state)
{
	(void)state;
	open_role(ROLE_TRUSTED, NULL, 0);
	(void)offered(FRIEND);
	world_say(&w, MAIL RCPT "VRFY user1@example.net\r\n" "RCPT TO:<user2@example.net>\r\n");
	world_expect(&w, "250 2.1.0");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "250 2.1.5 <user1@example.net>");
	world_expect(&w, "250 2.1.5 Ok");
	world_talk(&w, "ETRN example.org\r\n", "503 5.5.1");
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250");
	assert_string_equal(buf_cstr(&w.stored[0].recipients), "user@example.net\nuser2@example.net\n");
}

/* The client goes, or lookup or queue do, while an answer is awaited. */
static void
test_somebody_goes(void **state)
{
	(void)state;
	open_role(ROLE_TRUSTED, NULL, 0);
	(void)offered(FRIEND);
	world_say(&w, "ETRN hold.example\r\n");
	world_until(&w, &w.flushes, 1);
	channel_close(&w.queue);
	world_expect(&w, "458 4.3.0");
	world_talk(&w, "ETRN example.org\r\n", "458 4.3.0");
	world_queue(&w);
	w.hold_answers = true;
	world_say(&w, "VRFY user@example.net\r\n");
	world_until(&w, &w.questions, 1);
	channel_close(&w.lookup);
	world_expect(&w, "451 4.3.0");
	world_talk(&w, "VRFY user@example.net\r\n", "451 4.3.0");
	world_lookup(&w);
	w.questions = w.flushes = 0;
	world_say(&w, "VRFY user@example.net\r\n");
	world_until(&w, &w.questions, 1);
	world_hang_up(&w);
	world_run_round(&w);
	world_answer(&w);
	(void)offered(FRIEND);
	world_say(&w, "ETRN hold.example\r\n");
	world_until(&w, &w.flushes, 1);
	world_hang_up(&w);
	world_run_round(&w);
}

/* From whom a filter has a message stands in the log of that message, and of no other. */
static void
test_xforward(void **state)
{
	char line[200];

	(void)state;
	open_role(ROLE_MX, NULL, 0);
	(void)offered(FILTER);
	world_talk(&w, "XFORWARD NAME=client.example ADDR=198.51.100.9 PORT=[UNAVAILABLE] HELO=hi\r\n", "250 2.0.0");
	world_talk(&w, "XFORWARD IDENT=4Xq1+2B PROTO=ESMTP SOURCE=REMOTE\r\n", "250 2.0.0");
	world_talk(&w, MAIL, "250");
	world_talk(&w, "XFORWARD NAME=other\r\n", "503 5.5.1");
	world_talk(&w, RCPT, "250");
	snprintf(line, sizeof(line), " %d=4Xq1+ %d=client.example[198.51.100.9]\n", (int)KEY_ORIG_ID, (int)KEY_ORIG_CLIENT);
	assert_true(world_logged(&w, line));
	world_talk(&w, "BDAT 3 LAST\r\nx\r\n", "250");
	assert_null(strstr(buf_cstr(&w.stored[0].content), "198.51.100.9"));
	buf_reset(&w.texts);
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	snprintf(line, sizeof(line), " %d=", (int)KEY_ORIG_CLIENT);
	assert_false(world_logged(&w, line));
	world_talk(&w, "RSET\r\n", "250");
	world_talk(&w, "XFORWARD NAME=\r\n", "501 5.5.4");
	world_talk(&w, "XFORWARD LOGIN=root\r\n", "501 5.5.4");
	world_talk(&w, "XFORWARD\r\n", "501 5.5.4");
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_teardown(t, close_world)
	const struct CMUnitTest tests[] = {
		CASE(test_to_whom), CASE(test_withheld), CASE(test_no_chunks), CASE(test_recipient_parameters), CASE(test_names),
		CASE(test_questions), CASE(test_beside_a_transaction), CASE(test_somebody_goes), CASE(test_xforward),
	};

	return cmocka_run_group_tests_name("smtpd offers", tests, NULL, NULL);
}
