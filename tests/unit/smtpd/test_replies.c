/*
 * Sentences of smtpd to the letter: people search for them, and programs match them. tests/dev/replies.py sees to it that each has a test.
 */
#include <stdio.h>

#include "base/fault.h"
#include "smtpd/session/inside.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/lobby.h"

#define STRANGER	"192.0.2.7"
#define PROXY		"192.0.2.200"
#define FRIEND		"10.1.2.3"
#define POOR		"192.0.2.100"
#define HELO		"HELO client.example\r\n"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define RCPT		"RCPT TO:<user@example.net>\r\n"

static struct world w;
static struct network proxy, poor;

static void
open_role(enum wire_role role)
{
	static char chunking[] = "CHUNKING", name[] = "poor";
	static char *withheld[] = { chunking };
	static struct conf_clients clients;

	world_open(&w, role);
	assert_int_equal(network_parse(SLICE_LIT(PROXY), &proxy), 0);
	assert_int_equal(network_parse(SLICE_LIT(POOR), &poor), 0);
	w.conf.smtpd.xclient_networks = w.conf.smtpd.xforward_networks = (struct conf_networks){ .count = 1, .v = &proxy };
	clients = (struct conf_clients){ name, { 1, &poor }, { 1, withheld } };
	w.conf.clients = &clients;
	w.conf.clients_count = 1;
	w.conf.message_size = 1000;
	w.conf.smtpd.client_sessions = 1;
	world_reopen(&w);
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* From whom, what is said, each answered with 2xx or 3xx but the last, and the whole answer to that. */
static const struct {
	const char	*ip, *say[5], *reply;
} rows[] = {
	{ STRANGER, { "WHAT\r\n" }, "500 5.5.2 Error: command not recognized" },
	{ STRANGER, { "EXPN list\r\n" }, "502 5.5.1 EXPN is not served here" },
	{ STRANGER, { "RSET now\r\n" }, "501 5.5.4 Syntax: this command takes no parameters" },
	{ STRANGER, { "HELO\r\n" }, "501 5.5.4 Syntax: HELO hostname" },
	{ STRANGER, { "EHLO\r\n" }, "501 5.5.4 Syntax: EHLO hostname" },
	{ STRANGER, { MAIL }, "503 5.5.1 Error: send HELO/EHLO first" },
	{ STRANGER, { HELO, "MAIL TO:<a@example.org>\r\n" }, "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ STRANGER, { HELO, MAIL, MAIL }, "503 5.5.1 Error: nested MAIL command" },
	{ STRANGER, { HELO, RCPT }, "503 5.5.1 Error: need MAIL command" },
	{ STRANGER, { HELO, MAIL, "RCPT FROM:<user@example.net>\r\n" }, "501 5.5.4 Syntax: RCPT TO:<address>" },
	{ STRANGER, { HELO, MAIL, "DATA\r\n" }, "554 5.5.1 Error: no valid recipients" },
	{ STRANGER, { HELO, MAIL, RCPT, "BDAT 1 FIRST\r\nx" }, "501 5.5.4 Syntax: BDAT size [LAST]" },
	{ STRANGER, { HELO, MAIL, RCPT, "BDAT 1\r\nx", "DATA\r\n" }, "503 5.5.1 Error: BDAT has begun" },
	{ STRANGER, { HELO, MAIL, RCPT, "DATA\r\n" }, "354 End data with <CR><LF>.<CR><LF>" },
	{ STRANGER, { HELO, "MAIL FROM:<a@example.org> SIZE=1001\r\n" }, "552 5.3.4 Error: message file too big" },
	{ STRANGER, { HELO, "MAIL FROM:<a@example.org> REQUIRETLS\r\n" }, "555 5.5.4 Unsupported option: REQUIRETLS" },
	{ STRANGER, { "STARTTLS\r\n" }, "502 5.5.1 Error: TLS is not served here" },
	{ STRANGER, { HELO, "AUTH PLAIN\r\n" }, "503 5.5.1 Error: authentication not enabled" },
	{ STRANGER, { "HELO x\r\nNOOP\r\n" }, "554 5.5.0 Error: SMTP protocol synchronization" },
	{ STRANGER, { "GET / HTTP/1.1\r\n" }, "554 5.5.0 Error: this is not a web server" },
	{ STRANGER, { "VERB\r\n" }, "250 2.0.0 Ok, but there is no more to say" },
	{ STRANGER, { HELO, "ETRN example.org\r\n" }, "459 4.7.0 Node not allowed" },
	{ FRIEND, { HELO, "ETRN two words\r\n" }, "501 5.5.4 Syntax: ETRN domain" },
	{ FRIEND, { HELO, "ETRN later.example\r\n" }, "458 4.3.0 Unable to queue messages" },
	{ FRIEND, { HELO, "VRFY later@example.net\r\n" }, "451 4.3.0 Error: temporary lookup failure" },
	{ PROXY, { "XCLIENT WHAT=x\r\n" }, "501 5.5.4 Syntax: XCLIENT attribute=value..." },
	{ PROXY, { "XFORWARD WHAT=x\r\n" }, "501 5.5.4 Syntax: XFORWARD attribute=value..." },
	{ POOR, { HELO, MAIL, RCPT, "BDAT 1 LAST\r\nx" }, "502 5.5.1 Error: CHUNKING is not offered here" },
};

static void
hear(const char *wanted)
{
	char line[600];

	world_line(&w, wanted, line, sizeof(line));
	assert_string_equal(line, wanted);
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t last = 0;

		open_role(strcmp(rows[i].ip, FRIEND) == 0 ? ROLE_TRUSTED : ROLE_MX);
		ROW(i, rows[i].reply);
		world_connect(&w, rows[i].ip);
		hear("220 mx.example.net ESMTP posthorn");
		while (last < 4 && rows[i].say[last + 1] != NULL)
			world_talk(&w, rows[i].say[last++], "2");
		world_say(&w, rows[i].say[last]);
		hear(rows[i].reply);
		(void)close_world(state);
	}
	open_role(ROLE_MX);
}

/* What queue or time have to do with. */
static void
test_states(void **state)
{
	(void)state;
	open_role(ROLE_MX);
	world_hello(&w, STRANGER);
	submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_NONE);
	assert_int_equal(channel_end(w.queue), 0);
	world_run_round(&w);
	world_say(&w, MAIL);
	hear("452 4.3.1 Insufficient system storage");
	submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_ALL);
	assert_int_equal(channel_end(w.queue), 0);
	world_run_round(&w);
	w.verdict = VERDICT_TRY_LATER;
	world_talk(&w, MAIL RCPT, "250");
	world_expect(&w, "250");
	world_say(&w, "BDAT 3 LAST\r\nx\r\n");
	hear("451 4.3.0 Error: queue file write error");
	w.verdict = VERDICT_REFUSED;
	world_talk(&w, MAIL RCPT, "250");
	world_expect(&w, "250");
	world_say(&w, "BDAT 3 LAST\r\nx\r\n");
	hear("550 5.7.1 Error: the queue refuses this message");
	channel_close(&w.queue);
	world_run_round(&w);
	world_say(&w, MAIL);
	hear("451 4.3.2 Error: the queue is not available, try again later");
}

static void
test_long_lines(void **state)
{
	static char x[70000];

	(void)state;
	open_role(ROLE_MX);
	world_hello(&w, STRANGER);
	memset(x, 'x', sizeof(x));
	world_send(&w, x, 5000);
	world_say(&w, "\r\n");
	hear("500 5.5.2 Error: line too long");
	world_send(&w, x, sizeof(x));
	hear("421 4.7.0 Error: line without end");
}

/* A proxy speaks for somebody who has as many sessions as he may. */
static void
test_too_many_sessions(void **state)
{
	int other;

	(void)state;
	open_role(ROLE_MX);
	world_hello(&w, STRANGER);
	other = w.client;
	w.client = -1;
	world_hello(&w, PROXY);
	world_say(&w, "XCLIENT ADDR=" STRANGER "\r\n");
	hear("421 4.7.0 Error: too many connections");
	world_hang_up(&w);
	w.client = other;
}

#ifdef POSTHORN_FAULTS
/* Whichever allocation of a command fails: it is our trouble, and never an address that is none (501, 550). */
static unsigned
say_without_memory(const char *what)
{
	char plan[20], line[600];
	unsigned heard = 0;

	for (int n = 1; n < 12; n++) {
		world_talk(&w, "RSET\r\n", "250");
		snprintf(plan, sizeof(plan), "alloc:%d", n);
		fault_plan(plan);
		world_say(&w, what);
		world_line(&w, "a reply", line, sizeof(line));
		fault_plan(NULL);
		if (line[0] != '2' && line[0] != '4')
			fail_msg("allocation %d of %s: %s", n, what, line);
		heard += strcmp(line, "452 4.3.1 Insufficient memory, try again later") == 0;
	}
	return heard;
}

static void
test_no_memory(void **state)
{
	(void)state;
	open_role(ROLE_MX);
	w.conf.smtpd.max_errors = 0;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	assert_true(say_without_memory(MAIL) > 0);
}
#endif

/* --- below TLS ---------------------------------------------------------------------------------- */

static struct lobby lobby;

static int
close_lobby(void **state)
{
	(void)state;
	lobby_close(&lobby);
	return 0;
}

static void
test_below_tls(void **state)
{
	static struct served served;

	(void)state;
	lobby_open(&lobby, NULL);
	(void)lobby_hello(&lobby, STRANGER, true);
	world_talk(&lobby.w, "STARTTLS\r\n", "554 5.5.1 Error: TLS already active");
	(void)lobby_hello(&lobby, STRANGER, false);
	served.tls = (struct tls_context *)(void *)&served;	/* it has a certificate, and there is no process that signs */
	lobby.session->served = &served;
	world_talk(&lobby.w, "STARTTLS\r\n", "454 4.7.0 TLS not available due to local problem");
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_teardown(t, close_world)
	const struct CMUnitTest tests[] = {
		CASE(test_rows), CASE(test_states), CASE(test_long_lines), CASE(test_too_many_sessions),
#ifdef POSTHORN_FAULTS
		CASE(test_no_memory),
#endif
		cmocka_unit_test_teardown(test_below_tls, close_lobby),
	};

	return cmocka_run_group_tests_name("smtpd replies", tests, NULL, NULL);
}
