/*
 * Sessions: dialogues with a receiver whose queue and lookup are the test's own.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define FRIEND		"10.1.2.3"
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
open_trusted(void **state)
{
	(void)state;
	world_open(&w, ROLE_TRUSTED);
	return 0;
}

static int
open_submission(void **state)
{
	(void)state;
	world_open(&w, ROLE_SUBMISSION);
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
check_stored(size_t i, const char *sender, const char *recipients, const char *body)
{
	struct slice content = buf_slice(&w.stored[i].content);
	const char *end;

	assert_true(i < w.stored_count);
	assert_slice(buf_slice(&w.stored[i].sender), sender);
	assert_slice(buf_slice(&w.stored[i].recipients), recipients);
	assert_int_equal(content.len, w.stored[i].size);
	assert_true(slice_starts(content, SLICE_LIT("Received: from client.example (unknown [")));
	/* Our trace header has five lines with one recipient, four with more. */
	end = strstr(buf_cstr(&w.stored[i].content), ";\r\n\t");
	assert_non_null(end);
	end = strstr(end + 4, "\r\n");
	assert_non_null(end);
	assert_string_equal(end + 2, body);
}

static void
test_one_message(void **state)
{
	char want[200], id[QUEUE_ID_LEN + 1];

	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, "MAIL FROM:<Alice@Example.org> SIZE=100 BODY=8BITMIME\r\n", "250 2.1.0 Ok");
	world_talk(&w, RCPT, "250 2.1.5 Ok");
	world_talk(&w, "DATA\r\n", "354 ");
	world_say(&w, "Subject: hi\r\nMessage-ID: <x@y>\r\n\r\n..dot\r\n.\r\n");
	queue_id_print(queue_id_of(1, 1), id);
	snprintf(want, sizeof(want), "250 2.0.0 Ok: queued as %s", id);
	world_expect(&w, want);
	world_talk(&w, "QUIT\r\n", "221 2.0.0 Bye");
	world_expect_close(&w);
	check_stored(0, "Alice@example.org", "user@example.net\n", "Subject: hi\r\nMessage-ID: <x@y>\r\n\r\n.dot\r\n");
	assert_int_equal(w.stored[0].body, BODY_8BITMIME);
	assert_true(w.stored[0].id == queue_id_of(1, 1));
	snprintf(want, sizeof(want), "by mx.example.net (posthorn) with ESMTP id %s\r\n\tfor <user@example.net>;\r\n\t", id);
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), want));
	assert_int_equal(w.events[EVENT_CONNECT], 1);
	assert_int_equal(w.events[EVENT_CLIENT], 1);
	assert_int_equal(w.events[EVENT_LOST], 0);
	snprintf(want, sizeof(want), "%d %d=%s %d=<x@y>", EVENT_MESSAGE_ID, KEY_ID, id, KEY_MESSAGE_ID);
	assert_true(world_logged(&w, want));
	assert_true(world_logged(&w, "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5\n"));
}

/* Everything a client may pipeline, in one write; the lookup hears of all recipients in one frame. */
static void
test_pipelined(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_say(&w, MAIL "RCPT TO:<user1@example.net>\r\nRCPT TO:<nobody@example.net>\r\nRCPT TO:bad\r\n"
	    "RCPT TO:<user2@example.net>\r\nRCPT TO:<later@example.net>\r\nRCPT TO:<x@elsewhere.example>\r\n"
	    "RCPT TO:<odd@example.net>\r\nDATA\r\n");
	world_expect(&w, "250 2.1.0 Ok");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown");
	world_expect(&w, "501 5.1.3 Bad recipient address syntax");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "451 4.3.0 <later@example.net>");
	world_expect(&w, "554 5.7.1 <x@elsewhere.example>: Relay access denied");
	world_expect(&w, "550 5.1.2 <odd@example.net>: Recipient address rejected: odd\\x0d\\x0anews");
	world_expect(&w, "354 ");
	assert_int_equal(w.questions, 1);
	assert_int_equal(w.asked, 6);
	world_say(&w, ".\r\n" MAIL "RCPT TO:<user2@example.net>\r\nDATA\r\n");
	world_expect(&w, "250 2.0.0 Ok: queued as ");
	world_expect(&w, "250 2.1.0 Ok");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "354 ");
	world_talk(&w, "x\r\n.\r\n", "250 2.0.0 Ok: queued as ");
	assert_int_equal(w.questions, 1);	/* the second time it was known */
	world_talk(&w, "QUIT\r\n", "221 ");
	world_expect_close(&w);
	check_stored(0, "a@example.org", "user1@example.net\nuser2@example.net\n", "");
	check_stored(1, "a@example.org", "user2@example.net\n", "x\r\n");
	assert_int_equal(w.events[EVENT_REJECT], 4);
	assert_true(world_logged(&w, "=554 5.7.1 <x@elsewhere.example>: Relay access denied"));
	assert_true(world_logged(&w, "ehlo=1 mail=2 rcpt=3/8 data=2 quit=1 commands=9/14\n"));
}

/* Ids of transactions that came to nothing serve again; two messages never share one. */
static void
test_ids(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_say(&w, MAIL RCPT "RSET\r\n" MAIL RCPT "RSET\r\n" MAIL RCPT "DATA\r\n");
	for (int i = 0; i < 2; i++) {
		world_expect(&w, "250 2.1.0");
		world_expect(&w, "250 2.1.5");
		world_expect(&w, "250 2.0.0 Ok");
	}
	world_expect(&w, "250 2.1.0");
	world_expect(&w, "250 2.1.5");
	world_expect(&w, "354 ");
	world_talk(&w, ".\r\n", "250 2.0.0 Ok: queued as");
	world_say(&w, MAIL RCPT "DATA\r\n");
	world_expect(&w, "250 2.1.0");
	world_expect(&w, "250 2.1.5");
	world_expect(&w, "354 ");
	world_talk(&w, ".\r\n", "250 2.0.0 Ok: queued as");
	assert_true(w.stored[0].id == queue_id_of(1, 1));
	assert_true(w.stored[1].id == queue_id_of(1, 2));
}

/* The whole dialogue byte by byte gives the same replies and the same message. */
static void
test_every_split(void **state)
{
	static const char dialogue[] = "EHLO client.example\r\n" MAIL RCPT "DATA\r\n";
	static const char content[] = "Subject: x\r\n\r\n..a\r\n.\r\nQUIT\r\n";

	(void)state;
	for (size_t cut = 1; cut < sizeof(content) - 1; cut++) {
		world_connect(&w, STRANGER);
		world_expect(&w, "220 ");
		for (const char *p = dialogue; *p != '\0'; p++) {
			world_send(&w, p, 1);
			if (cut % 7 == 0)
				world_run_round(&w);
			/* EHLO and DATA are to be the last of what is sent at once */
			if (*p == '\n' && (p[-2] == 'e' || p[-2] == 'A'))
				world_run_round(&w);
		}
		for (int i = 0; i < 9; i++)
			world_expect(&w, "250");
		world_expect(&w, "250 2.1.0");
		world_expect(&w, "250 2.1.5");
		world_expect(&w, "354");
		world_send(&w, content, cut);
		world_run_round(&w);
		world_send(&w, content + cut, sizeof(content) - 1 - cut);
		world_expect(&w, "250 2.0.0 Ok: queued");
		world_expect(&w, "221");
		world_expect_close(&w);
		check_stored(cut - 1, "a@example.org", "user@example.net\n", "Subject: x\r\n\r\n.a\r\n");
	}
}

static const struct {
	const char	*say;
	const char	*replies[6];	/* what the session then says, in order */
} order[] = {
	{ "NOOP\r\n", { "250 2.0.0 Ok" } },
	{ "noop with words\r\n", { "250 2.0.0 Ok" } },
	{ "MAIL FROM:<>\r\n", { "503 5.5.1" } },
	{ "RCPT TO:<user@example.net>\r\n", { "503 5.5.1" } },
	{ "DATA\r\n", { "503 5.5.1" } },
	{ "HELO\r\n", { "501 5.5.4" } },
	{ "HELO two words\r\n", { "501 5.5.4" } },
	{ "EHLO\r\n", { "501 5.5.4" } },
	{ "HELO x\r\n", { "250 mx.example.net" } },
	{ "DATA\r\n", { "503 5.5.1 Error: need MAIL" } },
	{ "RCPT TO:<user@example.net>\r\n", { "503 5.5.1 Error: need MAIL" } },
	{ "MAIL FROM:<>\r\n", { "250 2.1.0" } },
	{ "MAIL FROM:<>\r\n", { "503 5.5.1 Error: nested MAIL" } },
	{ "DATA\r\n", { "554 5.5.1 Error: no valid recipients" } },
	{ "RCPT TO:<nobody@example.net>\r\n", { "550 5.1.1" } },
	{ "DATA\r\n", { "554 5.5.1 Error: no valid recipients" } },
	{ "RCPT TO:<user@example.net>\r\n", { "250 2.1.5" } },
	{ "DATA now\r\n", { "501 5.5.4" } },
	{ "VRFY user\r\n", { "252 2.0.0" } },
	{ "EXPN list\r\n", { "502 5.5.1" } },
	{ "HELP\r\n", { "214-2.0.0", "214 2.0.0" } },
	{ "RSET x\r\n", { "501 5.5.4" } },
	{ "RSET\r\n", { "250 2.0.0" } },
	{ "DATA\r\n", { "503 5.5.1" } },
	{ "MAIL\r\n", { "501 5.5.4" } },
	{ "MAIL FROM\r\n", { "501 5.5.4" } },
	{ "MAIL FROM:\r\n", { "501 5.1.7" } },
	{ "MAIL FROM:<a\r\n", { "501 5.1.7" } },
	{ "MAIL FROM:<a>\r\n", { "501 5.1.7 Bad sender address syntax: domain missing" } },
	{ "MAIL FROM:<a@b> SIZE=2000000\r\n", { "552 5.3.4" } },
	{ "MAIL FROM:<a@b> SIZE=x\r\n", { "501 5.5.4 Bad option: SIZE=x" } },
	{ "MAIL FROM:<a@b> RETURN=FULL\r\n", { "555 5.5.4 Unsupported option: RETURN=FULL" } },
	{ "MAIL FROM:<a@b>\r\n", { "250 2.1.0" } },
	{ "RCPT TO:<>\r\n", { "501 5.1.3" } },
};

static void
test_order(void **state)
{
	(void)state;
	w.conf.smtpd.max_errors = 100;
	world_reopen(&w);
	world_connect(&w, STRANGER);
	world_expect(&w, "220 ");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		world_say(&w, order[i].say);
		for (size_t n = 0; order[i].replies[n] != NULL; n++)
			world_expect(&w, order[i].replies[n]);
	}
	/* HELO within a transaction begins anew */
	world_talk(&w, "HELO again\r\n", "250 mx");
	world_talk(&w, RCPT, "503 ");
}

static void
test_rcpt_forms(void **state)
{
	static const struct {
		const char	*say, *reply;
	} rows[] = {
		{ "RCPT TO:<postmaster>\r\n", "250 2.1.5" },
		{ "RCPT TO:<PostMaster@example.net>\r\n", "250 2.1.5" },
		{ "RCPT TO:<user>\r\n", "501 5.1.3 Bad recipient address syntax: domain missing" },
		{ "RCPT TO:<@a.example,@b.example:user@example.net>\r\n", "250 2.1.5" },
		{ "RCPT TO:<user%elsewhere.example@example.net>\r\n", "250 2.1.5" },	/* one of ours, by that very name */
		{ "RCPT TO:<\"user\"@EXAMPLE.NET.>\r\n", "250 2.1.5" },
		{ "RCPT TO:<x@[192.0.2.1]>\r\n", "554 5.7.1" },
		{ "RCPT TO:<x@[IPv6:::1]>\r\n", "554 5.7.1" },
		{ "RCPT TO:<user@example.net> NOTICE=NEVER\r\n", "555 5.5.4" },
		{ "RCPT TO:<user@example.net>x\r\n", "501 5.5.4" },
		{ "RCPT FROM:<user@example.net>\r\n", "501 5.5.4" },
	};

	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		world_talk(&w, rows[i].say, rows[i].reply);
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250 2.0.0 Ok: queued");
	check_stored(0, "a@example.org", "postmaster@mx.example.net\nPostMaster@example.net\nuser@example.net\n"
	    "user%elsewhere.example@example.net\n", "");
}

static void
test_recipient_limit(void **state)
{
	char text[64];

	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	for (int i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "RCPT TO:<user%d@example.net>\r\n", i % 125);
		world_say(&w, text);
		if (i == 110)
			break;
	}
	for (int i = 0; i < 100; i++)
		world_expect(&w, "250 2.1.5");
	for (int i = 100; i <= 110; i++)
		world_expect(&w, "452 4.5.3");
	world_talk(&w, "RCPT TO:<user5@example.net>\r\n", "250 2.1.5");		/* that one is in already */
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250");
}

/* A long list in one go: those beyond the limit are told so, and those within it get the message all the same. */
static void
test_recipient_excess(void **state)
{
	char text[64];

	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	for (int i = 0; i < 1119; i++) {
		snprintf(text, sizeof(text), "RCPT TO:<user%d@example.net>\r\n", i);
		world_talk(&w, text, i < 100 ? "250 2.1.5" : "452 4.5.3");
	}
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250");
	/* There is an end to that, too. */
	world_talk(&w, MAIL, "250");
	for (int i = 0; i < 1120; i++) {
		snprintf(text, sizeof(text), "RCPT TO:<user%d@example.net>\r\n", i);
		world_talk(&w, text, i < 100 ? "250 2.1.5" : "452 4.5.3");
	}
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
}

/* More recipients in one read than one question may hold. */
static void
test_many_in_one_read(void **state)
{
	struct buf all;

	(void)state;
	w.conf.message_recipients = 1000;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	buf_init(&all, 1 << 20);
	buf_puts(&all, MAIL);
	for (int i = 0; i < 300; i++)
		buf_printf(&all, "RCPT TO:<user%d@example.net>\r\n", i);
	buf_puts(&all, "DATA\r\n");
	world_send(&w, buf_slice(&all).p, buf_len(&all));
	for (int i = 0; i < 301; i++)
		world_expect(&w, "250 2.1");
	world_expect(&w, "354");
	world_talk(&w, ".\r\n", "250");
	assert_int_equal(w.questions, 3);
	assert_int_equal(w.asked, 300);
	buf_fini(&all);
}

static void
test_relay_rights(void **state)
{
	(void)state;
	world_hello(&w, FRIEND);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "250 2.1.5");
	world_talk(&w, "RCPT TO:<root>\r\n", "550 5.1.1 <root@mx.example.net>");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, ".\r\n", "250");
	/* the same worker, another peer */
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "554 5.7.1");
}

/* A trusted peer that stays with an mx worker is no more than a stranger: queue would refuse what it claims. */
static void
test_no_relay_by_mx(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "554 5.7.1");
	world_talk(&w, RCPT, "250");
}

static void
test_submission(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "530 5.7.0 Authentication required");
	world_talk(&w, RCPT, "503 ");
	assert_int_equal(w.events[EVENT_REJECT], 1);
	world_hello(&w, FRIEND);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "250");
}

static void
test_verdicts(void **state)
{
	static const struct {
		enum submit_verdict	 verdict;
		uint32_t		 wait_s;
		const char		*reply;
	} rows[] = {
		{ VERDICT_TRY_LATER, 0, "451 4.3.0" },
		{ VERDICT_NO_SPACE, 0, "452 4.3.1" },
		{ VERDICT_REFUSED, 0, "550 5.7.1" },
		{ VERDICT_REFUSED, 60, "550 5.7.1" },
		{ VERDICT_NEVER, 0, "554 5.7.1 Error: more recipients in one message than you may name in an hour" },
		{ VERDICT_TOO_MUCH_MAIL, 0, "450 4.7.1 Error: too much mail from you, try again later" },
		{ VERDICT_TOO_MUCH_MAIL, 1, "450 4.7.1 Error: too much mail from you, try again in 1 minute" },
		{ VERDICT_TOO_MUCH_MAIL, 60, "450 4.7.1 Error: too much mail from you, try again in 1 minute" },
		{ VERDICT_TOO_MUCH_MAIL, SUBMIT_WAIT_MAX, "450 4.7.1 Error: too much mail from you, try again in 60 minutes" },
		{ VERDICT_TOO_MANY_NAMES, 61, "450 4.7.1 Error: too many recipients from you, try again in 2 minutes" },
		{ VERDICT_TOO_MANY_NAMES, 0, "450 4.7.1 Error: too many recipients from you, try again later" },
		{ VERDICT_DURABLE, 0, "250 2.0.0 Ok: queued" },
	};

	(void)state;
	world_hello(&w, STRANGER);
	w.verdict = VERDICT_NONE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned before = (unsigned)w.stored_count;

		world_talk(&w, MAIL, "250");
		world_talk(&w, RCPT, "250");
		world_talk(&w, "DATA\r\n", "354");
		world_say(&w, "x\r\n.\r\nNOOP\r\n");
		while (w.stored_count == before)
			world_run_round(&w);
		assert_int_equal(buf_len(&w.got), 0);	/* I4: not a word before the verdict */
		w.wait_s = rows[i].wait_s;
		world_give_verdict(&w, before, rows[i].verdict);
		world_expect(&w, rows[i].reply);
		world_expect(&w, "250 2.0.0 Ok");
	}
	world_talk(&w, RCPT, "503 ");
	world_talk(&w, "QUIT\r\n", "221");
	world_expect_close(&w);
	assert_true(world_logged(&w, "data=1/12"));
}

/* queue dies: what it had is answered 451, the session lives, and goes on with the next queue. */
static void
test_queue_lost(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	w.verdict = VERDICT_NONE;
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "x\r\n.\r\n");
	while (w.stored_count == 0)
		world_run_round(&w);
	channel_close(&w.queue);
	world_expect(&w, "451 4.3.0");
	world_talk(&w, MAIL, "451 4.3.2");
	world_queue(&w);
	w.verdict = VERDICT_DURABLE;
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	/* replaced between RCPT and DATA: the id is of another life */
	world_queue(&w);
	world_talk(&w, "DATA\r\n", "451 4.3.2");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_say(&w, "x\r\n");
	world_run_round(&w);
	world_queue(&w);
	world_talk(&w, ".\r\n", "451 4.3.0");
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
	world_talk(&w, "DATA\r\n", "354");
	world_talk(&w, "y\r\n.\r\n", "250 2.0.0 Ok: queued");
	assert_int_equal(w.stored_count, 2);
	assert_true(w.stored[1].id >> 32 == w.epoch);
}

static void
test_no_room(void **state)
{
	(void)state;
	submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_NONE);
	assert_int_equal(channel_end(w.queue), 0);
	world_run_round(&w);
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "452 4.3.1");
	submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_ALL);
	assert_int_equal(channel_end(w.queue), 0);
	world_run_round(&w);
	world_talk(&w, MAIL, "250");
}

/* lookup dies with questions in flight, or is away: never "no such user". */
static void
test_lookup_lost(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	w.hold_answers = true;
	world_say(&w, "RCPT TO:<nobody@example.net>\r\n" RCPT "NOOP\r\n");
	world_until(&w, &w.questions, 1);
	assert_int_equal(buf_len(&w.got), 0);
	channel_close(&w.lookup);
	world_expect(&w, "451 4.3.0 <nobody@example.net>");
	world_expect(&w, "451 4.3.0 <user@example.net>");
	world_expect(&w, "250 2.0.0");
	world_talk(&w, RCPT, "451 4.3.0");
	w.hold_answers = false;
	world_lookup(&w);
	world_talk(&w, RCPT, "250 2.1.5");
	assert_true(world_logged(&w, "451 4.3.0 <nobody@example.net>: Temporary lookup failure"));
}

/* While lookup thinks the commands behind wait, and a client that leaves is forgotten. */
static void
test_leaves_while_looked_up(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	w.hold_answers = true;
	world_say(&w, MAIL RCPT "RSET\r\n");
	world_expect(&w, "250 2.1.0");
	world_until(&w, &w.questions, 1);
	assert_int_equal(buf_len(&w.got), 0);
	world_answer(&w);
	world_expect(&w, "250 2.1.5");
	world_expect(&w, "250 2.0.0");
	world_say(&w, MAIL "RCPT TO:<user9@example.net>\r\n");
	world_expect(&w, "250 2.1.0");
	world_until(&w, &w.questions, 2);
	world_hang_up(&w);
	world_run_round(&w);
	world_answer(&w);
	world_run_round(&w);
	world_log(&w);
	assert_int_equal(w.events[EVENT_LOST], 1);
	assert_true(world_logged(&w, "=RCPT "));
}

/* A client that has sent all it had may close its half; it still gets every answer, then the session ends. */
static void
test_half_closed(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	w.hold_answers = true;
	w.verdict = VERDICT_NONE;
	world_say(&w, MAIL RCPT "DATA\r\n");
	world_expect(&w, "250 2.1.0");
	world_until(&w, &w.questions, 1);
	world_answer(&w);
	world_expect(&w, "250 2.1.5");
	world_expect(&w, "354");
	world_say(&w, "x\r\n.\r\nNOOP\r\n");
	assert_int_equal(shutdown(w.client, SHUT_WR), 0);
	while (w.stored_count == 0)
		world_run_round(&w);
	world_run_round(&w);
	assert_false(w.closed);
	world_give_verdict(&w, 0, VERDICT_DURABLE);
	world_expect(&w, "250 2.0.0 Ok: queued");
	world_expect(&w, "250 2.0.0 Ok");
	world_expect_close(&w);
	assert_int_equal(w.events[EVENT_LOST], 1);
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_message, open_mx),
		TEST(test_pipelined, open_mx),
		TEST(test_ids, open_mx),
		TEST(test_every_split, open_mx),
		TEST(test_order, open_mx),
		TEST(test_rcpt_forms, open_mx),
		TEST(test_recipient_limit, open_mx),
		TEST(test_recipient_excess, open_mx),
		TEST(test_many_in_one_read, open_mx),
		TEST(test_relay_rights, open_trusted),
		TEST(test_no_relay_by_mx, open_mx),
		TEST(test_submission, open_submission),
		TEST(test_verdicts, open_mx),
		TEST(test_queue_lost, open_mx),
		TEST(test_no_room, open_mx),
		TEST(test_lookup_lost, open_mx),
		TEST(test_leaves_while_looked_up, open_mx),
		TEST(test_half_closed, open_mx),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
