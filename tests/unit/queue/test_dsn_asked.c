/* test_dsn_asked — reports that a sender asked for (RFC 3461), in the form and in the letters that it can read (RFC 6533). */
#include "tests/unit/queue/report.h"

#include <stdlib.h>
#include <time.h>

static void
test_success(void **state)
{
	struct dsn_recipient arrived[] = {
		{ .address = SLICE_LIT("bob@example.net"), .last_attempt_ms = NOW, .outcome = { .action = ACTION_DELIVERED } },
		{ .address = SLICE_LIT("eve@example.com"), .original = SLICE_LIT("eve"), .last_attempt_ms = NOW,
		  .outcome = { .action = ACTION_RELAYED, .status = { 2, 6, 0 }, .text = SLICE_LIT("250 2.6.0 queued"),
			       .mta = SLICE_LIT("mx.example.com[192.0.2.1]:25") } },
	};
	struct dsn dsn = plain();
	struct parts p;

	(void)state;
	dsn.kind = DSN_SUCCESS;
	dsn.recipients = arrived;
	dsn.count = 2;
	p = build(&dsn);
	assert_has(p.header, "\r\nSubject: Successful Mail Delivery Report\r\n");
	assert_has(p.notice, "<bob@example.net>:\r\n    delivered to the mailbox\r\n\r\n<eve@example.com>");
	assert_has(p.notice, "    passed on\r\n    mx.example.com[192.0.2.1]:25 said:\r\n    250 2.6.0 queued\r\n");
	assert_has(p.report, "Final-Recipient: rfc822; bob@example.net\r\nAction: delivered\r\nStatus: 2.0.0\r\n");
	assert_has(p.report, "Original-Recipient: rfc822; eve\r\nFinal-Recipient: rfc822; eve@example.com\r\n"
	    "Action: relayed\r\nStatus: 2.6.0\r\nRemote-MTA: dns; mx.example.com\r\n");
	assert_has(p.original, "text/rfc822-headers");
	assert_has_not(p.original, "Undelivered");
}

/* What the sender gave with RFC 3461 comes back word for word, and cannot end a line wherever it came from. */
static void
test_given(void **state)
{
	static const struct { const char *name; struct slice envid, orcpt; const char *message, *recipient; } rows[] = {
		{ "both", SLICE_LIT("QQ 314159"), SLICE_LIT("rfc822;\"B\\\"ob\"@Example.NET"), "\r\n\r\nOriginal-Envelope-Id: QQ 314159\r\nReporting-MTA: ",
		  "\r\n\r\nOriginal-Recipient: rfc822; \"B\\\"ob\"@Example.NET\r\nFinal-Recipient: rfc822; bob@example.net\r\n" },
		{ "another type", SLICE_LIT("x"), SLICE_LIT("utf-8;\\x{5E74}@example.net"), "Original-Envelope-Id: x\r\n",
		  "Original-Recipient: utf-8; \\x{5E74}@example.net\r\n" },
		{ "neither", SLICE_LIT(""), SLICE_LIT(""), "\r\n\r\nReporting-MTA: ", "Original-Recipient: rfc822; Bob@Example.NET\r\n" },
		{ "from a broken disk", SLICE_LIT("a\r\nX: y"), SLICE_LIT("t\r\n;b\r\nX: y"), "Original-Envelope-Id: a\\x0d\\x0aX: y\r\n",
		  "Original-Recipient: t\\x0d\\x0a; b\\x0d\\x0aX: y\r\n" },
		{ "without a type", SLICE_LIT("a"), SLICE_LIT("bob"), "Original-Envelope-Id: a\r\n", "Original-Recipient: rfc822; Bob@Example.NET\r\n" },
	};
	struct dsn_recipient rcpt = one;
	struct dsn dsn = plain();

	(void)state;
	dsn.recipients = &rcpt;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		dsn.envid = rows[i].envid;
		rcpt.orcpt = rows[i].orcpt;
		struct parts p = build(&dsn);
		assert_has(p.report, rows[i].message);
		assert_has(p.report, rows[i].recipient);
		assert_has_not(p.report, "\r\nX: y");
	}
}

/* RET=FULL: the message as it was, if it may travel like that; else its header. */
static void
test_full(void **state)
{
	static char long_line[1100] = "A: 1\r\n\r\n";
	static const struct { const char *name; struct slice content; bool full; enum body_type body; } rows[] = {
		{ "7-bit", SLICE_LIT("A: 1\r\n\r\nbody\r\n--x\r\n.\r\n"), true, BODY_7BIT },
		{ "8-bit", SLICE_LIT("A: 1\r\n\r\nb\xc3\xb6" "dy\r\n"), true, BODY_8BITMIME },
		{ "a form feed", SLICE_LIT("A: 1\r\n\r\n\f\r\n"), true, BODY_7BIT },
		{ "no end of line", SLICE_LIT("A: 1\r\n\r\nbody"), true, BODY_7BIT },
		{ "NUL", SLICE_LIT("A: 1\r\n\r\nb\0dy\r\n"), false, BODY_7BIT },
		{ "bare LF", SLICE_LIT("A: 1\r\n\r\nbo\ndy\r\n"), false, BODY_7BIT },
		{ "bare CR", SLICE_LIT("A: 1\r\n\r\nbo\rdy\r\n"), false, BODY_7BIT },
		{ "CR at the end", SLICE_LIT("A: 1\r\n\r\nbody\r"), false, BODY_7BIT },
		{ "a long line", { long_line, sizeof(long_line) }, false, BODY_7BIT },
	};
	struct dsn dsn = plain();

	(void)state;
	memset(long_line + 8, 'x', sizeof(long_line) - 8);
	dsn.full = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		dsn.header = rows[i].content;
		buf_reset(&out);
		assert_int_equal(dsn_build(&dsn, &out), 0);
		assert_int_equal(dsn_body(&dsn), rows[i].body);
		assert_has(buf_slice(&out), rows[i].body == BODY_8BITMIME ? "Content-Transfer-Encoding: 8bit\r\nMessage-Id:" :
		    "Content-Transfer-Encoding: 7bit\r\nMessage-Id:");
		assert_has(buf_slice(&out), rows[i].full ? "message/rfc822\r\n" : "text/rfc822-headers\r\n");
		assert_int_equal(memmem(buf_slice(&out).p, buf_len(&out), rows[i].content.p, rows[i].content.len) != NULL, rows[i].full);
	}
}

/* To a sender outside ASCII the report is UTF-8 (RFC 6533); to others it stays ASCII, whatever the recipients' names are. */
static void
test_utf8(void **state)
{
	struct dsn_recipient rcpt = one;
	struct dsn dsn = plain();
	struct parts p;

	(void)state;
	rcpt.address = SLICE_LIT("b\303\266b@b\303\274cher.example");
	rcpt.original = SLICE_LIT("B\303\226B@b\303\274cher.example");
	dsn.recipients = &rcpt;
	dsn.header = SLICE_LIT("Subject: gr\303\274n\r\n\r\nb\303\266dy\r\n");
	p = build(&dsn);
	assert_has(p.report, "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n");
	assert_has(p.report, "Original-Recipient: utf-8; B\\x{D6}B@b\\x{FC}cher.example\r\nFinal-Recipient: utf-8; b\\x{F6}b@b\\x{FC}cher.example\r\n");
	assert_has(p.original, "text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: gr=C3=BCn\r\n");
	assert_int_equal(dsn_body(&dsn), BODY_7BIT);
	dsn.full = true;		/* no message/rfc822 has such a header */
	assert_has(build(&dsn).original, "text/rfc822-headers");

	dsn.full = false;
	dsn.utf8 = true;
	dsn.to = dsn.reverse_path = SLICE_LIT("\303\244lice@example.org");
	buf_reset(&out);
	assert_int_equal(dsn_build(&dsn, &out), 0);
	assert_int_equal(dsn_body(&dsn), BODY_8BITMIME);
	assert_has(buf_slice(&out), "\r\nTo: \303\244lice@example.org\r\n");
	assert_has(buf_slice(&out), "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
	assert_has(buf_slice(&out), "\r\n<b\303\266b@b\303\274cher.example>\r\n    (you wrote to <B\303\226B@b\303\274cher.example>):\r\n");
	assert_has(buf_slice(&out), "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n");
	assert_has(buf_slice(&out), "X-Posthorn-Sender: utf-8; \303\244lice@example.org\r\n");
	assert_has(buf_slice(&out), "Final-Recipient: utf-8; b\303\266b@b\303\274cher.example\r\n");
	assert_has(buf_slice(&out), "message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: gr\303\274n\r\n");
	assert_has_not(buf_slice(&out), "b\303\266dy");

	dsn.full = true;
	buf_reset(&out);
	assert_int_equal(dsn_build(&dsn, &out), 0);
	assert_has(buf_slice(&out), "message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: gr\303\274n\r\n\r\nb\303\266dy\r\n");
	/* What is no name, or a header that is no UTF-8, is escaped and coded here, too. */
	dsn.full = false;
	rcpt.address = SLICE_LIT("a\342\200\256\r\nX: y");
	dsn.header = SLICE_LIT("Subject: gr\374n\r\n\r\n");
	buf_reset(&out);
	assert_int_equal(dsn_build(&dsn, &out), 0);
	assert_has_not(buf_slice(&out), "\342\200\256");
	assert_has_not(buf_slice(&out), "\r\nX: y");
	assert_has(buf_slice(&out), "text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: gr=FCn\r\n");
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { BUF(test_success), BUF(test_given), BUF(test_full), BUF(test_utf8) };

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
