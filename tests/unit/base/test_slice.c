/* test_slice — comparing and cutting. */
#include "tests/support/testing.h"

#include "base/mem.h"

#define S(text)	SLICE_LIT(text)

static void
test_compare(void **state)
{
	static const struct {
		struct slice	a, b;
		bool		same, same_nocase, starts, starts_nocase;
	} rows[] = {
		{ S(""), S(""), true, true, true, true },
		{ S("a"), S(""), false, false, true, true },
		{ S(""), S("a"), false, false, false, false },
		{ S("RCPT"), S("RCPT"), true, true, true, true },
		{ S("RCPT"), S("rcpt"), false, true, false, true },
		{ S("rcpt to"), S("RCPT"), false, false, false, true },
		{ S("rcp"), S("rcpt"), false, false, false, false },
		{ S("a\0b"), S("a\0c"), false, false, false, false },
		{ S("a\0b"), S("A\0B"), false, true, false, true },
		{ S("[a"), S("{a"), false, false, false, false },	/* 0x5b and 0x7b: not letters */
		{ S("\xc4"), S("\xe4"), false, false, false, false },	/* no locale folds these */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].a.p);
		assert_int_equal(slice_eq(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(slice_caseeq(rows[i].a, rows[i].b), rows[i].same_nocase);
		assert_int_equal(slice_starts(rows[i].a, rows[i].b), rows[i].starts);
		assert_int_equal(slice_casestarts(rows[i].a, rows[i].b), rows[i].starts_nocase);
	}
	assert_true(slice_eq(slice_of(NULL, 0), S("")));
	assert_true(slice_starts(slice_of(NULL, 0), slice_of(NULL, 0)));
}

static void
test_trim(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "", "" }, { " ", "" }, { " \t \t", "" }, { "a", "a" }, { "  a b\t", "a b" }, { "\r a", "\r a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].in);
		assert_slice(slice_trim(slice_str(rows[i].in)), rows[i].out);
	}
	assert_int_equal(slice_trim(slice_of(NULL, 0)).len, 0);
}

static void
test_split(void **state)
{
	static const struct { const char *in, *first, *rest; } rows[] = {
		{ "", "", NULL }, { "a", "a", NULL }, { "a:", "a", "" }, { ":a", "", "a" }, { "a:b:c", "a", "b:c" },
	};
	struct slice rest;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].in);
		assert_slice(slice_split(slice_str(rows[i].in), ':', &rest), rows[i].first);
		if (rows[i].rest == NULL)
			assert_null(rest.p);
		else
			assert_slice(rest, rows[i].rest);
	}
}

static void
test_dup(void **state)
{
	char *copy = slice_dup(slice_of("abcdef", 3));

	(void)state;
	assert_string_equal(copy, "abc");
	mem_free(copy);
	copy = slice_dup(slice_of(NULL, 0));
	assert_string_equal(copy, "");
	mem_free(copy);
	assert_null(slice_dup(SLICE_LIT("a\0b")));	/* a C string would be another text */
}

static void
test_lower(void **state)
{
	(void)state;
	for (int c = -128; c < 128; c++) {
		char expected = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;

		assert_int_equal(ascii_lower((char)c), expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare), cmocka_unit_test(test_trim), cmocka_unit_test(test_split),
		cmocka_unit_test(test_dup), cmocka_unit_test(test_lower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
