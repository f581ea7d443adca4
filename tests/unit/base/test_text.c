/* test_text — strict numbers in, escaped text out, sentences about errors. */
#include "tests/support/testing.h"

#include <errno.h>

#include "base/err.h"
#include "base/fmt.h"
#include "base/num.h"

static void
test_num(void **state)
{
	static const struct { const char *in; uint64_t max; int result; uint64_t value;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "1", 0, -1, 0 },
		{ "42", 100, 0, 42 },
		{ "100", 100, 0, 100 },
		{ "101", 100, -1, 0 },
		{ "007", 100, 0, 7 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "99999999999999999999", UINT64_MAX, -1, 0 },
		{ "000000000000000000001", UINT64_MAX, -1, 0 }, /* 21 digits: nobody writes that in good faith */
		{ "", 10, -1, 0 },
		{ "+1", 10, -1, 0 },
		{ "-1", 10, -1, 0 },
		{ " 1", 10, -1, 0 },
		{ "1 ", 10, -1, 0 },
		{ "0x1", 10, -1, 0 },
		{ "1e1", 10, -1, 0 },
		{ "/", 10, -1, 0 },
		{ ":", 10, -1, 0 },
		{ "\xb1", 200, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 12345;

		ROW(i, rows[i].in);
		assert_int_equal(num_parse(slice_str(rows[i].in), rows[i].max, &value), rows[i].result);
		assert_true(value == (rows[i].result == 0 ? rows[i].value : 12345));	/* written only on success */
	}
}

static void
test_escape(void **state)
{
	static const struct { struct slice in; size_t most; const char *out; } rows[] = {
		{ SLICE_LIT(""), 10, "" },
		{ SLICE_LIT("plain text ~"), 100, "plain text ~" },
		{ SLICE_LIT("a\r\nb\tc"), 100, "a\\x0d\\x0ab\\x09c" },
		{ SLICE_LIT("\0\x7f\x80\xff"), 100, "\\x00\\x7f\\x80\\xff" },
		{ SLICE_LIT("C:\\"), 100, "C:\\\\" },
		{ SLICE_LIT("abcdef"), 6, "abcdef" },
		{ SLICE_LIT("abcdefg"), 6, "abcdef..." },
		{ SLICE_LIT("abcd\n"), 6, "abcd..." },		/* an escape is never cut in its middle */
	};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].out);
		buf_reset(&b);
		fmt_escape(&b, rows[i].in, rows[i].most);
		assert_slice(buf_slice(&b), rows[i].out);
	}
	buf_fini(&b);
}

/* What people read: UTF-8 that shows as itself stays, the rest is escaped byte by byte. */
static void
test_show(void **state)
{
	static const struct { struct slice in; size_t most; const char *out; } rows[] = {
		{ SLICE_LIT("plain \\ text\n"), 100, "plain \\\\ text\\x0a" },
		{ SLICE_LIT("gr\303\274n \345\271\264 \360\237\230\200"), 100, "gr\303\274n \345\271\264 \360\237\230\200" },
		{ SLICE_LIT("\377gr\303"), 100, "\\xffgr\\xc3" },
		{ SLICE_LIT("\303\274\274"), 100, "\303\274\\xbc" },
		{ SLICE_LIT("\300\200\355\240\200"), 100, "\\xc0\\x80\\xed\\xa0\\x80" },
		{ SLICE_LIT("\302\233[2J"), 100, "\\xc2\\x9b[2J" },				/* CSI */
		{ SLICE_LIT("a\342\200\256b"), 100, "a\\xe2\\x80\\xaeb" },			/* U+202E */
		{ SLICE_LIT("\342\200\250"), 100, "\\xe2\\x80\\xa8" },				/* a line separator */
		{ SLICE_LIT("a\303\274"), 2, "a..." },						/* never cut in its middle */
		{ SLICE_LIT("a\303\274"), 3, "a\303\274" },
	};
	struct buf b;
	char out[100];

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].out);
		buf_reset(&b);
		fmt_show(&b, rows[i].in, rows[i].most);
		assert_slice(buf_slice(&b), rows[i].out);
		if (rows[i].most == 100)
			assert_string_equal(fmt_shown(out, sizeof(out), rows[i].in), rows[i].out);
	}
	assert_string_equal(fmt_shown(out, 3, SLICE_LIT("a\303\274")), "a");
	assert_string_equal(fmt_shown(out, 4, SLICE_LIT("a\303\274")), "a\303\274");
	buf_fini(&b);
}

/* Only what is printed like that is read back. */
static void
test_unescape(void **state)
{
	static const struct { const char *in; int result; struct slice out; } rows[] = {
		{ "", 0, SLICE_LIT("") },
		{ "a b~", 0, SLICE_LIT("a b~") },
		{ "a\\x0d\\x0a\\\\b", 0, SLICE_LIT("a\r\n\\b") },
		{ "\\x00\\xff\\x7f", 0, SLICE_LIT("\0\xff\x7f") },
		{ "\\\\x41", 0, SLICE_LIT("\\x41") },
		{ "12345678", 0, SLICE_LIT("12345678") },
		{ "123456789", -1, SLICE_LIT("") },		/* too long */
		{ "\\x41", -1, SLICE_LIT("") },			/* an A stays an A */
		{ "\\x5c", -1, SLICE_LIT("") },
		{ "\\x0A", -1, SLICE_LIT("") },
		{ "\\x0g", -1, SLICE_LIT("") },
		{ "\\x0", -1, SLICE_LIT("") },
		{ "\\", -1, SLICE_LIT("") },
		{ "\\n", -1, SLICE_LIT("") },
		{ "a\nb", -1, SLICE_LIT("") },
		{ "\303\274", -1, SLICE_LIT("") },
	};
	char out[8];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].in);
		assert_int_equal(fmt_unescape(slice_str(rows[i].in), out, sizeof(out), &len), rows[i].result);
		if (rows[i].result == 0)
			assert_true(slice_eq(slice_of(out, len), rows[i].out));
	}
}

static void
test_escaped(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(fmt_escaped(out, sizeof(out), SLICE_LIT("ab\n")), "ab\\x0a");
	assert_string_equal(fmt_escaped(out, sizeof(out), SLICE_LIT("abcd\n")), "abcd");
	assert_string_equal(fmt_escaped(out, sizeof(out), SLICE_LIT("abcdefghijk")), "abcdefg");
	assert_string_equal(fmt_escaped(out, 1, SLICE_LIT("abc")), "");
	out[0] = 'x';
	(void)fmt_escaped(out, 0, SLICE_LIT("abc"));
	assert_int_equal(out[0], 'x');
}

static void
test_err(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, "segment %d is short", 3), -1);
	assert_string_equal(err.text, "segment 3 is short");
	assert_int_equal(err.code, 0);
	errno = ENOSPC;
	assert_int_equal(err_sys(&err, "writing %s", "x"), -1);
	assert_int_equal(err.code, ENOSPC);
	assert_non_null(strstr(err.text, "writing x: "));
	assert_non_null(strstr(err.text, strerror(ENOSPC)));
	assert_int_equal(err_wrap(&err, "store"), -1);
	assert_memory_equal(err.text, "store: writing x: ", 18);
	assert_int_equal(err.code, ENOSPC);
	for (int i = 0; i < 100; i++)
		(void)err_wrap(&err, "deeper");
	assert_true(strlen(err.text) < sizeof(err.text));
	assert_int_equal(err_set(NULL, "nobody wants to know"), -1);
	assert_int_equal(err_sys(NULL, "nor this"), -1);
	assert_int_equal(err_wrap(NULL, "nor that"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_num),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_escaped),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
