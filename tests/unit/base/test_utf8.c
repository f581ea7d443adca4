/* test_utf8 — what is UTF-8, and what may be in a name. */
#include "base/utf8.h"
#include "tests/support/testing.h"

static void
test_take(void **state)
{
	static const struct {
		struct slice	in;
		int32_t		c;		/* -1: none */
		size_t		taken;
	} rows[] = {
		{ SLICE_LIT("a"), 'a', 1 },
		{ SLICE_LIT("\0"), 0, 1 },
		{ SLICE_LIT("\177"), 0x7f, 1 },
		{ SLICE_LIT("\302\200"), 0x80, 2 },
		{ SLICE_LIT("\337\277x"), 0x7ff, 2 },
		{ SLICE_LIT("\340\240\200"), 0x800, 3 },
		{ SLICE_LIT("\355\237\277"), 0xd7ff, 3 },
		{ SLICE_LIT("\356\200\200"), 0xe000, 3 },
		{ SLICE_LIT("\357\277\277"), 0xffff, 3 },
		{ SLICE_LIT("\360\220\200\200"), 0x10000, 4 },
		{ SLICE_LIT("\364\217\277\277"), 0x10ffff, 4 },
		{ SLICE_LIT("\200"), -1, 1 },			/* nothing to follow */
		{ SLICE_LIT("\301\277"), -1, 1 },		/* overlong */
		{ SLICE_LIT("\340\237\277"), -1, 1 },
		{ SLICE_LIT("\360\217\277\277"), -1, 1 },
		{ SLICE_LIT("\355\240\200"), -1, 1 },		/* surrogates */
		{ SLICE_LIT("\355\277\277"), -1, 1 },
		{ SLICE_LIT("\364\220\200\200"), -1, 1 },	/* beyond the end */
		{ SLICE_LIT("\370\210\200\200\200"), -1, 1 },
		{ SLICE_LIT("\376"), -1, 1 },
		{ SLICE_LIT("\377"), -1, 1 },
		{ SLICE_LIT("\302"), -1, 1 },			/* cut */
		{ SLICE_LIT("\340\240"), -1, 1 },
		{ SLICE_LIT("\360\220\200"), -1, 1 },
		{ SLICE_LIT("\302a"), -1, 1 },
		{ SLICE_LIT("\340\240a"), -1, 1 },
		{ SLICE_LIT("\340a\240"), -1, 1 },
		{ SLICE_LIT("\360\220\200\300"), -1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice in = rows[i].in;

		ROW(i, "");
		assert_int_equal(utf8_take(&in), rows[i].c);
		assert_int_equal(rows[i].in.len - in.len, rows[i].taken);
	}
}

/* Every code point comes back from its bytes; every pair and triple of bytes is read without a step beyond them. */
static void
test_all(void **state)
{
	(void)state;
	for (int32_t c = 0x80; c <= 0x10ffff; c++) {
		char bytes[4];
		size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		struct slice in = slice_of(bytes, n);

		for (size_t k = n - 1, rest = (size_t)c; k > 0; k--, rest >>= 6)
			bytes[k] = (char)(0x80 | (rest & 0x3f));
		bytes[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | (c >> (6 * (n - 1))));
		assert_int_equal(utf8_take(&in), c >= 0xd800 && c <= 0xdfff ? -1 : c);
	}
	for (unsigned v = 0; v < 1u << 16; v++) {
		char bytes[2] = { (char)(v >> 8), (char)v };
		struct slice in = slice_of(bytes, 2);
		int32_t c = utf8_take(&in);

		assert_true(c >= -1 && c <= 0x7ff && in.len < 2);
	}
}

static void
test_names(void **state)
{
	static const struct {
		struct slice	in;
		bool		valid, name, ascii;
	} rows[] = {
		{ SLICE_LIT(""), true, true, true },
		{ SLICE_LIT("plain\r\n"), true, true, true },		/* ASCII is not judged here */
		{ SLICE_LIT("gr\303\274n"), true, true, false },
		{ SLICE_LIT("\342\200\214\342\200\215"), true, true, false },	/* the joiners that scripts need */
		{ SLICE_LIT("\360\237\230\200"), true, true, false },
		{ SLICE_LIT("\302\200"), true, false, false },
		{ SLICE_LIT("\302\237"), true, false, false },
		{ SLICE_LIT("\302\240"), true, true, false },
		{ SLICE_LIT("\302\255"), true, false, false },		/* soft hyphen */
		{ SLICE_LIT("\330\234"), true, false, false },		/* U+061C */
		{ SLICE_LIT("\342\200\213"), true, false, false },	/* U+200B */
		{ SLICE_LIT("\342\200\216"), true, false, false },
		{ SLICE_LIT("\342\200\256"), true, false, false },	/* U+202E */
		{ SLICE_LIT("\342\201\247"), true, false, false },	/* U+2067 */
		{ SLICE_LIT("\357\273\277"), true, false, false },	/* U+FEFF */
		{ SLICE_LIT("\357\277\277"), true, false, false },	/* U+FFFF */
		{ SLICE_LIT("\360\237\277\276"), true, false, false },	/* U+1FFFE */
		{ SLICE_LIT("\363\240\201\201"), true, false, false },	/* a tag */
		{ SLICE_LIT("gr\374n"), false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, "");
		assert_int_equal(utf8_valid(rows[i].in), rows[i].valid);
		assert_int_equal(utf8_is_name(rows[i].in), rows[i].name);
		assert_int_equal(slice_is_ascii(rows[i].in), rows[i].ascii);
	}
	for (int32_t c = 0; c < ' '; c++)
		assert_false(utf8_is_plain(c));
	assert_false(utf8_is_plain(-1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_take), cmocka_unit_test(test_all), cmocka_unit_test(test_names) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
