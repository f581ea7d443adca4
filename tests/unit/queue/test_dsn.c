/* test_dsn — a notification is read again, part by part, and hostile texts stay inside their field. */
#include "tests/unit/queue/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fault.h"
#include "mail/address.h"
#include "queue/bounce/wrap.h"
#include "wire/fields.h"

static void
test_failure(void **state)
{
	struct dsn dsn = plain();
	struct parts p = build(&dsn);

	(void)state;
	assert_has(p.header, "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n");
	assert_has(p.header, "\r\nFrom: MAILER-DAEMON@mail.example.org (Mail Delivery System)\r\n");
	assert_has(p.header, "\r\nTo: alice@example.org\r\n");
	assert_has(p.header, "\r\nSubject: Undelivered Mail Returned to Sender\r\n");
	assert_has(p.header, "\r\nAuto-Submitted: auto-replied\r\n");
	assert_has(p.header, "\r\nMIME-Version: 1.0\r\n");
	assert_has(p.header, "\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
	assert_has(p.header, "\r\nIn-Reply-To: <1@example.org>\r\nReferences: <1@example.org>");
	assert_has(p.header, "\r\nMessage-Id: <0000004000003.89abcdef@mail.example.org>\r\n");
	assert_has(p.notice, "Content-Type: text/plain; charset=us-ascii\r\n");
	assert_has(p.notice, "<bob@example.net>\r\n    (you wrote to <Bob@Example.NET>):\r\n");
	assert_has(p.notice,
		   "    mx1.example.net[192.0.2.1]:25 said:\r\n    550 5.1.1 <bob@example.net>: no such user\r\n");
	assert_has(p.notice, "postmaster@mail.example.org");
	assert_has(p.report, "Content-Type: message/delivery-status\r\n");
	assert_has(p.report, "\r\n\r\nReporting-MTA: dns; mail.example.org\r\n");
	assert_has(p.report, "\r\nArrival-Date: Fri, 15 Jan 2027 07:00:00 +0000\r\n\r\n");
	assert_has(p.report,
		   "\r\n\r\nOriginal-Recipient: rfc822; Bob@Example.NET\r\nFinal-Recipient: rfc822; bob@example.net\r\n"
		   "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx1.example.net\r\n"
		   "Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>: no such user\r\n"
		   "Last-Attempt-Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n");
	assert_has_not(p.report, "Will-Retry-Until");
	assert_has(p.original, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: "
			       "hi\r\nFrom: alice@example.org\r\n");
	assert_has_not(buf_slice(&out), "body, not for the report");
}

static void
test_delay(void **state)
{
	struct dsn_recipient late = { .address = SLICE_LIT("bob@example.net"),
				      .outcome = { .action = ACTION_DELAYED } };
	struct dsn dsn = plain();
	struct parts p;

	(void)state;
	dsn.kind = DSN_DELAY;
	dsn.recipients = &late;
	p = build(&dsn);
	assert_has(p.header, "\r\nSubject: Delayed Mail (still being retried)\r\n");
	assert_has(p.notice, "WARNING ONLY");
	assert_has(p.notice, "tried again until Sat, 16 Jan 2027 08:00:00 +0000");
	assert_has(p.report,
		   "\r\nAction: delayed\r\nStatus: 4.0.0\r\nWill-Retry-Until: Sat, 16 Jan 2027 08:00:00 +0000\r\n");
	assert_has_not(p.report, "Original-Recipient");
	assert_has_not(p.report, "Remote-MTA");
	assert_has_not(p.report, "Diagnostic-Code");
	assert_has_not(p.report, "Last-Attempt-Date");
}

static void
test_to_postmaster(void **state)
{
	struct dsn dsn = plain();
	struct parts p;

	(void)state;
	dsn.to_postmaster = true;
	dsn.reverse_path = SLICE_LIT("");
	dsn.to = dsn.postmaster;
	p = build(&dsn);
	assert_has(p.header, "\r\nSubject: Postmaster Copy: Undelivered Mail\r\n");
	assert_has(p.header, "\r\nTo: postmaster@mail.example.org\r\n");
	assert_has_not(p.report, "X-Posthorn-Sender");
}

static void
test_expired(void **state)
{
	static const struct status statuses[] = { { 4, 4, 1 }, { 5, 4, 7 } };
	struct dsn_recipient rcpt = one;
	struct dsn dsn = plain();

	(void)state;
	dsn.recipients = &rcpt;
	for (size_t i = 0; i < 2; i++) {
		rcpt.outcome.status = statuses[i];
		struct parts p = build(&dsn);
		assert_has(p.notice, "tried for too long");
		assert_has(p.report, "Action: failed\r\n");
	}
}

static void
test_remote_mta(void **state)
{
	static const struct { const char *mta, *field; } rows[] = {
		{ "mx.example.net[192.0.2.1]:25", "Remote-MTA: dns; mx.example.net\r\n" },
		{ "[192.0.2.1]:25", "Remote-MTA: dns; [192.0.2.1]\r\n" },
		{ "[IPv6:2001:db8::1]:25", "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n" },
		{ "mx.example.net", "Remote-MTA: dns; mx.example.net\r\n" },
		{ "[", "Remote-MTA: dns; [\r\n" },
	};
	struct dsn_recipient rcpt = one;
	struct dsn dsn = plain();

	(void)state;
	dsn.recipients = &rcpt;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].mta);
		rcpt.outcome.mta = slice_str(rows[i].mta);
		assert_has(build(&dsn).report, rows[i].field);
	}
	rcpt.outcome.mta = SLICE_LIT("");
	assert_has(build(&dsn).report, "Diagnostic-Code: X-Posthorn; 550");	/* our own words */
}

/* Nothing that a stranger wrote ends a line, a field or a part. */
static void
test_hostile_texts(void **state)
{
	struct dsn_recipient rcpt = {
		.address = SLICE_LIT("a\r\nBcc: x@y"),
		.original = SLICE_LIT("b\r\n\r\n"),
		.outcome = { .status = { 5, 0, 0 },
			     .text = SLICE_LIT("550 no\r\n\r\nAction: delivered\r\n\xff\x00!"),
			     .mta = SLICE_LIT("m\r\nX: y") },
	};
	struct dsn dsn = plain();
	struct parts p;

	(void)state;
	dsn.recipients = &rcpt;
	dsn.to = SLICE_LIT("v\r\nBcc: z@z");
	dsn.message_id = SLICE_LIT("<a\r\nBcc: z@z>");
	p = build(&dsn);
	assert_has(p.header, "\r\nTo: v\\x0d\\x0aBcc: z@z\r\n");
	assert_has_not(p.header, "\r\nBcc");
	assert_has_not(p.header, "In-Reply-To");
	assert_has_not(p.report, "\r\nAction: delivered");
	assert_has_not(p.report, "\r\nX: y");
	assert_has(p.report, "\\xff\\x00!\r\n");
}

/* The delimiter that we would choose stands in the original and in a reply; the report is still three parts. */
static void
test_boundary_in_the_parts(void **state)
{
	struct dsn_recipient rcpt = one;
	struct dsn dsn = plain();
	char header[400], reply[200];
	struct slice head, first;
	struct parts p = build(&dsn);

	(void)state;
	head = p.header;
	(void)between(&head, "boundary=\"");
	first = between(&head, "\"");
	(void)snprintf(header, sizeof(header), "Subject: x\r\n--%.*s--\r\nX: y\r\n\r\n", SLICE_FMT(first));
	(void)snprintf(reply, sizeof(reply), "550 --%.*s--", SLICE_FMT(first));
	rcpt.outcome.text = slice_str(reply);
	dsn.header = slice_str(header);
	dsn.recipients = &rcpt;
	p = build(&dsn);
	assert_has(p.original, "\r\nX: y\r\n");
	assert_has(p.report, reply);
}

static void
test_header_forms(void **state)
{
	static char long_line[1200] = "Subject: ";
	static const struct { const char *name; struct slice in; const char *part;
	} rows[] = {
		{ "empty", SLICE_LIT(""), "7bit\r\n\r\n" },
		{ "no header, a body", SLICE_LIT("\r\nbody\r\n"), "7bit\r\n\r\n" },
		{ "cut in a line", SLICE_LIT("A: 1\r\nB: 2"), "7bit\r\n\r\nA: 1\r\n" },
		{ "8-bit",
		  SLICE_LIT("Subject: gr\xc3\xbc\xc3\x9f"
			    "e = x\r\n\r\n"),
		  "quoted-printable\r\n\r\nSubject: gr=C3=BC=C3=9Fe =3D x\r\n" },
		{ "space at the end of a line, in quoted-printable", SLICE_LIT("A: \xff \r\n"),
		  "quoted-printable\r\n\r\nA: =FF=20\r\n" },
		{ "NUL", SLICE_LIT("A: \0b\r\n"), "quoted-printable\r\n\r\nA: =00b\r\n" },
		{ "bare CR", SLICE_LIT("A: a\rb\r\n"), "quoted-printable\r\n\r\nA: a=0Db\r\n" },
		{ "line too long", { long_line, sizeof(long_line) }, "quoted-printable\r\n\r\nSubject: xxxxxxxxxx" },
		{ "folded, with a tab", SLICE_LIT("A: a\r\n\tb\r\n"), "7bit\r\n\r\nA: a\r\n\tb\r\n" },
	};
	struct dsn dsn = plain();

	(void)state;
	memset(long_line + 9, 'x', sizeof(long_line) - 11);
	memcpy(long_line + sizeof(long_line) - 2, "\r\n", 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		dsn.header = rows[i].in;
		assert_has(build(&dsn).original, rows[i].part);
	}
}

static void
test_header_is_cut_at_a_line(void **state)
{
	static char header[DSN_HEADER_MAX * 2];
	struct dsn dsn = plain();
	struct slice part;

	(void)state;
	for (size_t i = 0; i < sizeof(header); i += 64)
		memcpy(header + i, "X-Long: 0123456789012345678901234567890123456789012345678901234\r\n", 64);
	for (size_t i = 62; i < sizeof(header); i += 64)
		memcpy(header + i, "\r\n", 2);
	dsn.header = slice_of(header, sizeof(header));
	part = build(&dsn).original;
	(void)between(&part, "\r\n\r\n");
	assert_int_equal(part.len, DSN_HEADER_MAX);
	assert_memory_equal(part.p + part.len - 2, "\r\n", 2);
}

/* The worst that the limits allow still is no large content. */
static void
test_largest(void **state)
{
	static char header[DSN_FULL_MAX], texts[OUTCOME_TEXT_MAX], orcpt[ORCPT_MAX], envid[ENVID_MAX], name[ADDRESS_MAX];
	static struct dsn_recipient many[DSN_RECIPIENTS_MAX];
	struct dsn dsn = plain();

	(void)state;
	memset(header, 0xff, sizeof(header));
	for (size_t i = 900; i < sizeof(header); i += 900)
		memcpy(header + i - 2, "\r\n", 2);
	memset(texts, 0xff, sizeof(texts));
	for (size_t i = 0; i < DSN_RECIPIENTS_MAX; i++)
		many[i] = (struct dsn_recipient){ .address = { texts, OUTCOME_TEXT_MAX },
						  .original = { texts, OUTCOME_TEXT_MAX - 1 },
						  .orcpt = { orcpt, ORCPT_MAX },
						  .outcome = { .text = { texts, OUTCOME_TEXT_MAX },
							       .mta = { texts, MTA_NAME_MAX } },
						  .last_attempt_ms = NOW };
	memset(orcpt, 0xff, sizeof(orcpt));
	orcpt[1] = ';';
	memset(envid, 0xff, sizeof(envid));
	dsn.header = slice_of(header, DSN_HEADER_MAX);
	dsn.recipients = many;
	dsn.count = DSN_RECIPIENTS_MAX;
	dsn.envid = slice_of(envid, sizeof(envid));
	(void)build(&dsn);
	assert_true(buf_len(&out) <= CONTENT_INLINE_MAX);
	for (size_t i = 0; i < ADDRESS_MAX; i += 2)
		memcpy(name + i, i < 900 / 7 * 2 ? "\337\272" : "xx", 2);	/* of all letters it has the longest form in ASCII, for its length */
	for (size_t i = 0; i < DSN_RECIPIENTS_MAX; many[i++].orcpt = slice_of("", 0))
		many[i].address = many[i].original = slice_of(name, 900 / 7 * 2);
	(void)build(&dsn);
	assert_true(buf_len(&out) <= CONTENT_INLINE_MAX);
	many[0].address = slice_of(name, ADDRESS_MAX);		/* too long for that form */
	(void)build(&dsn);
	assert_true(buf_len(&out) <= CONTENT_INLINE_MAX);
	memcpy(header, "A: 1\r\n\r\n", 8);
	dsn.header = slice_of(header, sizeof(header));
	dsn.full = dsn.utf8 = true;
	buf_reset(&out);
	assert_int_equal(dsn_build(&dsn, &out), 0);
	assert_true(buf_len(&out) <= CONTENT_INLINE_MAX);
	assert_has(buf_slice(&out), "message/rfc822");
}

/* What stands in the buf before stays, and stays alone when the notification does not fit. */
static void
test_limits(void **state)
{
	struct dsn dsn = plain();
	size_t whole;

	(void)state;
	assert_int_equal(dsn_build(&dsn, &out), 0);
	whole = buf_len(&out);
	for (size_t max = 0; max < whole + 5; max += 97) {
		buf_fini(&out);
		buf_init(&out, max);
		if (max >= 5)
			assert_int_equal(buf_puts(&out, "first"), 0);
		assert_int_equal(dsn_build(&dsn, &out), -1);
		assert_int_equal(buf_len(&out), max >= 5 ? 5 : 0);
	}
#ifdef POSTHORN_FAULTS
	int result = -1;

	for (int n = 1; result == -1; n++) {
		char plan[32];

		assert_true(n < 200);
		(void)snprintf(plan, sizeof(plan), "alloc:%d", n);
		buf_fini(&out);
		buf_init(&out, CONTENT_INLINE_MAX);
		fault_plan(plan);
		result = dsn_build(&dsn, &out);
		fault_plan(NULL);
		assert_int_equal(buf_len(&out), result == 0 ? whole : 0);
	}
#endif
}

static void
test_wrap(void **state)
{
	static char word[1000];
	static const struct { const char *in; const char *out; } rows[] = {
		{ "", "\r\n" }, { "a", "a\r\n" }, { "  a   b  ", "a b\r\n" }, { "a\nb", "a\\x0ab\r\n" },
		{ "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
		  "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n    0123456789\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].in);
		buf_reset(&out);
		wrap_put(&out, 4, "    ", slice_str(rows[i].in), 1000);
		assert_slice(buf_slice(&out), rows[i].out);
	}
	memset(word, 'w', sizeof(word));
	buf_reset(&out);
	wrap_put(&out, 4, " ", slice_of(word, sizeof(word)), sizeof(word));
	assert_int_equal(buf_len(&out), 1000 + 2 + 3 * 3);	/* three pieces, each on its own line */
	buf_reset(&out);
	wrap_put(&out, 0, " ", slice_of(word, sizeof(word)), 10);
	assert_slice(buf_slice(&out), "wwwwwwwwww...\r\n");
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BUF(test_failure),
		BUF(test_delay),
		BUF(test_to_postmaster),
		BUF(test_expired),
		BUF(test_remote_mta),
		BUF(test_hostile_texts),
		BUF(test_boundary_in_the_parts),
		BUF(test_header_forms),
		BUF(test_header_is_cut_at_a_line),
		BUF(test_largest),
		BUF(test_limits),
		BUF(test_wrap),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	if (argc > 1 && strcmp(argv[1], "--print") == 0) {	/* for eyes, and for other programs' parsers */
		struct dsn dsn = plain();

		(void)setup(NULL);
		(void)dsn_build(&dsn, &out);
		(void)fwrite(buf_slice(&out).p, 1, buf_len(&out), stdout);
		return teardown(NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
