/*
 * Replies and capabilities, whole and cut at every byte.
 */
#include "base/buf.h"
#include "smtp/capability.h"
#include "smtp/reply.h"
#include "tests/support/testing.h"

static const struct {
	const char		*in;
	enum reply_result	 result;
	unsigned		 code;
	const char		*status;	/* as reply_status prints it */
	const char		*text;
	const char		*rest;
} rows[] = {
	{ "250 ok\r\n", REPLY_READY, 250, "2.0.0", "250 ok", "" },
	{ "250\r\n", REPLY_READY, 250, "2.0.0", "250", "" },
	{ "250 \r\n", REPLY_READY, 250, "2.0.0", "250", "" },
	{ "250 ok\n", REPLY_READY, 250, "2.0.0", "250 ok", "" },
	{ "250 ok\r\n354 go\r\n", REPLY_READY, 250, "2.0.0", "250 ok", "354 go\r\n" },
	{ "550 5.1.1 <x@y> no such user\r\n", REPLY_READY, 550, "5.1.1", "550 5.1.1 <x@y> no such user", "" },
	{ "550 5.1.1\r\n", REPLY_READY, 550, "5.1.1", "550 5.1.1", "" },
	{ "550-5.7.26 one\r\n550-5.7.26 two\r\n550 5.7.26 three\r\n", REPLY_READY, 550, "5.7.26", "550 5.7.26 one two three", "" },
	{ "550-one\r\n550 5.7.1 two\r\n", REPLY_READY, 550, "5.7.1", "550 one 5.7.1 two", "" },
	{ "450 5.1.1 classes differ\r\n", REPLY_READY, 450, "4.0.0", "450 5.1.1 classes differ", "" },
	{ "550 4.2.1 classes differ\r\n", REPLY_READY, 550, "5.0.0", "550 4.2.1 classes differ", "" },
	{ "354 go\r\n", REPLY_READY, 354, "2.0.0", "354 go", "" },
	{ "250-a\r\n250 \r\n", REPLY_READY, 250, "2.0.0", "250 a", "" },
	{ "250 a\rb\001c\377d\r\n", REPLY_READY, 250, "2.0.0", "250 a?b?c?d", "" },
	{ "571 odd but seen\r\n", REPLY_READY, 571, "5.0.0", "571 odd but seen", "" },
	{ "250-a\r\n", REPLY_MORE, 0, NULL, NULL, NULL },
	{ "250", REPLY_MORE, 0, NULL, NULL, NULL },
	{ "", REPLY_MORE, 0, NULL, NULL, NULL },
	{ "250-a\r\n550 b\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "25\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "2500 x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "150 x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "650 x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "2a0 x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "250x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ " 250 x\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
	{ "HTTP/1.1 400 Bad Request\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL },
};

/* As a stream shows it: what is not consumed comes again with more behind it. */
static enum reply_result
take_pieces(struct slice in, size_t piece, struct reply *reply, struct slice *rest)
{
	enum reply_result result = REPLY_MORE;
	size_t shown = 0;

	while (shown < in.len && result == REPLY_MORE) {
		struct slice now;
		size_t had;

		shown = shown + piece < in.len ? shown + piece : in.len;
		now = slice_of(in.p, shown);
		had = now.len;
		result = reply_take(reply, &now, NULL, NULL);
		slice_drop(&in, had - now.len);
		shown -= had - now.len;
	}
	*rest = in;
	return result;
}

static void
check_ready(size_t row, const struct reply *reply, struct slice rest)
{
	char status[STATUS_PRINT_SIZE];

	ROW(row, rows[row].in);
	assert_int_equal(reply->code, rows[row].code);
	assert_int_equal(reply_class(reply), rows[row].code / 100);
	assert_string_equal(status_print(reply_status(reply), status), rows[row].status);
	assert_string_equal(reply->text, rows[row].text);
	assert_slice(reply_text(reply), rows[row].text);
	assert_slice(rest, rows[row].rest);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece <= strlen(rows[i].in) + 1; piece++) {
			struct reply reply = { 0 };
			struct slice rest;
			enum reply_result result = take_pieces(slice_str(rows[i].in), piece, &reply, &rest);

			if (result != rows[i].result) {
				ROW(i, rows[i].in);
				fail_msg("pieces of %zu: result %d", piece, (int)result);
			}
			if (result == REPLY_READY)
				check_ready(i, &reply, rest);
		}
}

static void
test_two_in_a_row(void **state)
{
	struct reply reply = { 0 };
	struct slice in = SLICE_LIT("250-5.0.0 not its class\r\n250 ok\r\n421 4.3.2 bye\r\n");

	(void)state;
	assert_int_equal(reply_take(&reply, &in, NULL, NULL), REPLY_READY);
	assert_string_equal(reply.text, "250 5.0.0 not its class ok");
	assert_int_equal(reply_take(&reply, &in, NULL, NULL), REPLY_READY);
	assert_string_equal(reply.text, "421 4.3.2 bye");
	assert_int_equal(reply.lines, 1);
	assert_int_equal(reply_take(&reply, &in, NULL, NULL), REPLY_MORE);
}

static enum reply_result
take_long(size_t line_len, size_t count, struct reply *reply)
{
	enum reply_result result = REPLY_NONE;
	struct buf in;
	struct slice rest;

	buf_init(&in, 1 << 20);
	for (size_t i = 0; i < count; i++) {
		buf_puts(&in, i + 1 < count ? "250-" : "250 ");
		for (size_t n = 6; n < line_len; n++)
			buf_putc(&in, 'x');
		buf_puts(&in, "\r\n");
	}
	assert_false(in.failed);
	*reply = (struct reply){ 0 };
	rest = buf_slice(&in);
	result = reply_take(reply, &rest, NULL, NULL);
	buf_fini(&in);
	return result;
}

static void
test_caps(void **state)
{
	struct reply reply;

	(void)state;
	assert_int_equal(take_long(REPLY_LINE_MAX, 1, &reply), REPLY_READY);
	assert_int_equal(reply.len, OUTCOME_TEXT_MAX);
	assert_int_equal(take_long(REPLY_LINE_MAX + 1, 1, &reply), REPLY_BROKEN);
	assert_int_equal(take_long(10, REPLY_LINES_MAX, &reply), REPLY_READY);
	assert_int_equal(take_long(10, REPLY_LINES_MAX + 1, &reply), REPLY_BROKEN);
	assert_int_equal(take_long(REPLY_LINE_MAX, REPLY_LINES_MAX, &reply), REPLY_READY);
}

static void
test_capabilities(void **state)
{
	static const struct {
		const char	*line;
		uint32_t	 has;
		uint64_t	 size;
	} lines[] = {
		{ "PIPELINING", CAP_PIPELINING, 0 },
		{ "pipelining", CAP_PIPELINING, 0 },
		{ "PIPELINING now", 0, 0 },
		{ "SIZE", CAP_SIZE, 0 },
		{ "SIZE 0", CAP_SIZE, 0 },
		{ "SIZE 52428800", CAP_SIZE, 52428800 },
		{ "SIZE many", 0, 0 },
		{ "SIZE -1", 0, 0 },
		{ "SIZE 99999999999999999999", 0, 0 },
		{ "8BITMIME", CAP_8BITMIME, 0 },
		{ "ENHANCEDSTATUSCODES ", CAP_ENHANCED_STATUS, 0 },
		{ "AUTH PLAIN LOGIN", CAP_AUTH, 0 },
		{ "STARTTLS", CAP_STARTTLS, 0 },
		{ "DSN", CAP_DSN, 0 },
		{ "CHUNKING", CAP_CHUNKING, 0 },
		{ "SMTPUTF8", CAP_SMTPUTF8, 0 },
		{ "REQUIRETLS", CAP_REQUIRETLS, 0 },
		{ "REQUIRETLS now", 0, 0 },
		{ "LIMITS", CAP_LIMITS, 0 },
		{ "LIMITS RCPTMAX=1", CAP_LIMITS, 0 },
		{ "XCLIENT NAME ADDR", 0, 0 },
		{ "", 0, 0 },
	};
	struct capabilities caps;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		caps = (struct capabilities){ 0 };
		capability_line(&caps, 0, slice_str(lines[i].line));
		assert_int_equal(caps.has, 0);		/* line 0 is the server's name, whatever it is */
		capability_line(&caps, 1, slice_str(lines[i].line));
		if (caps.has != lines[i].has || caps.size != lines[i].size) {
			ROW(i, lines[i].line);
			fail();
		}
	}
}

static void
test_ehlo(void **state)
{
	struct capabilities caps = { 0 };
	struct reply reply = { 0 };
	struct slice in = SLICE_LIT("250-PIPELINING is my name\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");

	(void)state;
	assert_int_equal(reply_take(&reply, &in, capability_line, &caps), REPLY_READY);
	assert_int_equal(caps.has, CAP_SIZE | CAP_8BITMIME | CAP_ENHANCED_STATUS);
	assert_int_equal(caps.size, 1000);
}

/* RFC 9422: known ones that make sense count, whatever stands beside them. */
static void
test_limits(void **state)
{
	static const struct { const char *first, *second; uint32_t mail, rcpt, domain; } lines[] = {
		{ "LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1", "", 5, 20, 1 },
		{ "limits rcptmax=20", "", 0, 20, 0 },
		{ "LIMITS", "", 0, 0, 0 },
		{ "LIMITS  RCPTMAX=7  MAILMAX=8 ", "", 8, 7, 0 },
		{ "LIMITS RCPTMAX=999999 MAILMAX=1000000", "", 0, 999999, 0 },
		{ "LIMITS RCPTMAX=0 MAILMAX=00 RCPTDOMAINMAX=01", "", 0, 0, 0 },
		{ "LIMITS RCPTMAX MAILMAX= =5 RCPTDOMAINMAX=-1", "", 0, 0, 0 },
		{ "LIMITS RCPTMAX=1x MAILMAX=+1 RCPTDOMAINMAX=1=1", "", 0, 0, 0 },
		{ "LIMITS RCPTMAX=18446744073709551617", "", 0, 0, 0 },
		{ "LIMITS RCPTMAXIMUM=1 XRCPTMAX=1 FUTURE=;/%! MAILMAX=2", "", 2, 0, 0 },
		{ "LIMITS RCPTMAX=9 RCPTMAX=4 RCPTMAX=6", "", 0, 4, 0 },
		{ "LIMITS RCPTMAX=9 MAILMAX=3", "LIMITS RCPTMAX=5 MAILMAX=x", 3, 5, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct capabilities caps = { 0 };

		ROW(i, lines[i].first);
		capability_line(&caps, 1, slice_str(lines[i].first));
		capability_line(&caps, 2, slice_str(lines[i].second));
		assert_int_equal(caps.mail_max, lines[i].mail);
		assert_int_equal(caps.rcpt_max, lines[i].rcpt);
		assert_int_equal(caps.rcpt_domain_max, lines[i].domain);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_two_in_a_row),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ehlo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
