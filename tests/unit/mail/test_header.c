/*
 * The header scan: what it tells, where it ends, and that no split of the input changes either.
 */
#include "base/buf.h"
#include "mail/header.h"
#include "tests/support/testing.h"

static const struct {
	const char		*in;
	enum header_result	 result;	/* after all of it, before header_scan_end */
	size_t			 size;		/* after header_scan_end */
	const char		*told;		/* "field=value;" in order */
} rows[] = {
	{ "Subject: hi\r\n\r\nbody", HEADER_DONE, 15, "8=hi;" },
	{ "Subject: hi\r\n\r\n", HEADER_DONE, 15, "8=hi;" },
	{ "\r\nSubject: body\r\n", HEADER_DONE, 2, "" },
	{ "Received: a\r\nreceived: b\r\nRECEIVED: c\r\n\r\n", HEADER_DONE, 41, "1=a;1=b;1=c;" },
	{ "Received: a\r\n\tb\r\n c\r\n\r\n", HEADER_DONE, 23, "1=a\tb c;" },
	{ "Message-ID: <x@y>\r\nX: 1\r\n\r\n", HEADER_DONE, 27, "2=<x@y>;" },
	{ "Message-Id :\r\n <x@y>\r\n\r\n", HEADER_DONE, 24, "2=<x@y>;" },
	{ "Resent-Message-ID: <r>\r\nAuto-Submitted: no\r\n\r\n", HEADER_DONE, 46, "3=<r>;9=no;" },
	{ "TLS-Required: No\r\ntls-required :\r\n no \r\nTLS-Required-Not: x\r\n\r\n", HEADER_DONE, 63, "10=No;10=no;" },
	{ "Delivered-To: a@b\r\nDelivered-To: c@d\r\n\r\n", HEADER_DONE, 40, "4=a@b;4=c@d;" },
	{ "Return-Path: <>\r\nDate: now\r\nFrom: me\r\n\r\n", HEADER_DONE, 40, "5=<>;6=now;7=me;" },
	{ "X-Received: a\r\nReceivedX: b\r\n\r\n", HEADER_DONE, 31, "" },
	{ "Subject: hi\r\nno field here\r\nReceived: x\r\n", HEADER_DONE, 13, "8=hi;" },
	{ "no field here\r\nReceived: x\r\n", HEADER_DONE, 0, "" },
	{ " leading space\r\nReceived: x\r\n", HEADER_DONE, 0, "" },
	{ ": no name\r\nReceived: x\r\n", HEADER_DONE, 0, "" },
	{ "Subject: hi\r\nRecei ved: x\r\n", HEADER_DONE, 13, "8=hi;" },
	{ "Subject: hi\r\nReceived: x\r\n", HEADER_MORE, 26, "8=hi;1=x;" },
	{ "Subject: hi\r\nReceived: x", HEADER_MORE, 24, "8=hi;1=x;" },
	{ "Subject: hi\r\nbody", HEADER_MORE, 13, "8=hi;" },
	{ "Subject: hi\nReceived: x\n\nReceived: y", HEADER_DONE, 25, "8=hi;1=x;" },
	{ "Subject:\r\n\r\n", HEADER_DONE, 12, "8=;" },
	{ "Subject: hi\r\n \r\n\r\n", HEADER_DONE, 18, "8=hi;" },
	{ "", HEADER_MORE, 0, "" },
	{ "Subj", HEADER_MORE, 0, "" },
};

static void
tell(void *arg, enum header_field field, struct slice value)
{
	assert_int_equal(buf_printf(arg, "%d=%.*s;", (int)field, SLICE_FMT(value)), 0);
}

static void
scan_in_pieces(size_t row, size_t piece)
{
	struct slice in = slice_str(rows[row].in);
	struct header_scan scan;
	struct buf told;

	buf_init(&told, 4096);
	header_scan_init(&scan, 1000, tell, &told);
	while (in.len > 0) {
		size_t n = in.len < piece ? in.len : piece;

		header_scan_feed(&scan, slice_of(in.p, n));
		slice_drop(&in, n);
	}
	if (scan.result != rows[row].result) {
		ROW(row, rows[row].in);
		fail_msg("pieces of %zu: result %d", piece, (int)scan.result);
	}
	assert_int_equal(header_scan_end(&scan), HEADER_DONE);
	if (scan.size != rows[row].size || !slice_eq(buf_slice(&told), slice_str(rows[row].told))) {
		ROW(row, rows[row].in);
		fail_msg("pieces of %zu: size %zu, told %s", piece, scan.size, buf_cstr(&told));
	}
	buf_fini(&told);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 50; piece++)
			scan_in_pieces(i, piece);
}

static void
test_hops(void **state)
{
	struct header_scan scan;

	(void)state;
	header_scan_init(&scan, 100000, NULL, NULL);
	for (int i = 0; i < 150; i++)
		assert_int_equal(header_scan_feed(&scan, SLICE_LIT("Received: from x\r\n\tby y\r\n")), HEADER_MORE);
	assert_int_equal(header_scan_feed(&scan, SLICE_LIT("\r\n")), HEADER_DONE);
	assert_int_equal(scan.counts[HEADER_RECEIVED], 150);
	assert_int_equal(header_scan_feed(&scan, SLICE_LIT("Received: in the body\r\n")), HEADER_DONE);
	assert_int_equal(scan.counts[HEADER_RECEIVED], 150);
}

/* The limit counts bytes, whether or not they come in lines. */
static void
test_too_long(void **state)
{
	struct header_scan scan;
	char block[100];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (size_t piece = 1; piece <= sizeof(block); piece += 33) {
		size_t fed = 0;

		header_scan_init(&scan, 1000, NULL, NULL);
		while (fed + piece <= 1000) {
			assert_int_equal(header_scan_feed(&scan, slice_of(block, piece)), HEADER_MORE);
			fed += piece;
		}
		assert_int_equal(header_scan_feed(&scan, slice_of(block, piece)), HEADER_TOO_LONG);
		assert_int_equal(header_scan_feed(&scan, SLICE_LIT("\r\n\r\n")), HEADER_TOO_LONG);
		assert_int_equal(header_scan_end(&scan), HEADER_TOO_LONG);
	}
}

static size_t told_len;
static bool told_cut;

/* Told of a field: is it all of it? `pad` spaces stand before the last letter, on a line of its own when folded. */
static const struct {
	size_t	pad;
	bool	folded, cut;
} cuts[] = {
	{ 0, false, false }, { 900, false, false }, { 985, false, false }, { 1100, false, true }, { 5000, false, true },
	{ 900, true, false }, { 1100, true, true }, { 5000, true, true },
};

static void
tell_cut(void *arg, enum header_field field, struct slice value)
{
	const struct header_scan *scan = arg;

	(void)value;
	if (field == HEADER_FROM)
		told_cut = scan->cut;
	else
		assert_false(scan->cut);
}

/* Who relies on a value has to know that something of it is missing, however the bytes came. */
static void
test_cut(void **state)
{
	struct header_scan scan;

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct buf in;

		buf_init(&in, 10000);
		buf_printf(&in, "Date: x\r\nFrom: a@b%s%*sx\r\nSubject: y\r\n\r\n", cuts[i].folded ? "\r\n" : "", (int)cuts[i].pad + 1, "");
		for (size_t piece = 1; piece <= buf_len(&in); piece += 97) {
			struct slice rest = buf_slice(&in);

			ROW(i, "cut");
			header_scan_init(&scan, 10000, tell_cut, &scan);
			while (rest.len > 0) {
				size_t n = rest.len < piece ? rest.len : piece;

				header_scan_feed(&scan, slice_of(rest.p, n));
				slice_drop(&rest, n);
			}
			assert_true(scan.closed);
			assert_int_equal(told_cut, cuts[i].cut);
		}
		buf_fini(&in);
	}
}

static void
test_closed(void **state)
{
	static const struct { const char *in; bool closed; } ends[] = {
		{ "Subject: x\r\n\r\n", true }, { "\r\n", true }, { "Subject: x\r\n\r\nbody", true }, { "Subject: x\r\n", false },
		{ "Subject: x\r\nbody\r\n", false }, { "body\r\n\r\n", false }, { "", false },
	};
	struct header_scan scan;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		ROW(i, ends[i].in);
		header_scan_init(&scan, 1000, NULL, NULL);
		header_scan_feed(&scan, slice_str(ends[i].in));
		assert_int_equal(header_scan_end(&scan), HEADER_DONE);
		assert_int_equal(scan.closed, ends[i].closed);
	}
}

static void
tell_len(void *arg, enum header_field field, struct slice value)
{
	(void)arg;
	if (field == HEADER_SUBJECT)
		told_len = value.len;
}

/* A value longer than is kept is cut, alike for every split, and the lines behind it are still seen. */
static void
test_long_value(void **state)
{
	struct header_scan scan;
	struct buf in;

	(void)state;
	buf_init(&in, 10000);
	buf_puts(&in, "Subject: ");
	for (int i = 0; i < 3000; i++)
		buf_putc(&in, 'x');
	buf_puts(&in, "\r\nReceived: y\r\n\r\n");
	for (size_t piece = 1; piece <= 4000; piece += 499) {
		struct slice rest = buf_slice(&in);

		header_scan_init(&scan, 10000, tell_len, NULL);
		told_len = 0;
		while (rest.len > 0) {
			size_t n = rest.len < piece ? rest.len : piece;

			header_scan_feed(&scan, slice_of(rest.p, n));
			slice_drop(&rest, n);
		}
		assert_int_equal(scan.result, HEADER_DONE);
		assert_int_equal(scan.counts[HEADER_RECEIVED], 1);
		assert_int_equal(scan.size, buf_len(&in));
		assert_true(told_len <= HEADER_VALUE_MAX && told_len > HEADER_VALUE_MAX - 20);
	}
	buf_fini(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_cut), cmocka_unit_test(test_closed),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_long_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
