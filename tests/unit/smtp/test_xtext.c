/* test_xtext — what is text, what is none, and that all of it comes back. */
#include "smtp/xtext.h"
#include "tests/support/testing.h"

static void
test_decode(void **state)
{
	static const struct {
		struct slice	 in;
		const char	*text;		/* NULL: refused */
	} rows[] = {
		{ SLICE_LIT(""), "" },
		{ SLICE_LIT("plain"), "plain" },
		{ SLICE_LIT("a+2Bb"), "a+b" },
		{ SLICE_LIT("+3D+20+7E"), "= ~" },
		{ SLICE_LIT("+2b"), "+" },		/* small digits can mean nothing else */
		{ SLICE_LIT("12345678"), "12345678" },
		{ SLICE_LIT("123456789"), NULL },	/* one too many */
		{ SLICE_LIT("1234567+39"), "12345679" },
		{ SLICE_LIT("+00"), NULL },
		{ SLICE_LIT("a+0A"), NULL },
		{ SLICE_LIT("a+0D"), NULL },
		{ SLICE_LIT("a+09"), NULL },
		{ SLICE_LIT("a+1F"), NULL },
		{ SLICE_LIT("a+7F"), NULL },
		{ SLICE_LIT("a+80"), NULL },
		{ SLICE_LIT("a+FF"), NULL },
		{ SLICE_LIT("+"), NULL },
		{ SLICE_LIT("+2"), NULL },
		{ SLICE_LIT("+2G"), NULL },
		{ SLICE_LIT("+G2"), NULL },
		{ SLICE_LIT("++41"), NULL },
		{ SLICE_LIT("+-1"), NULL },
		{ SLICE_LIT("+\0\0"), NULL },
		{ SLICE_LIT("a=b"), NULL },
		{ SLICE_LIT("a b"), NULL },
		{ SLICE_LIT("a\tb"), NULL },
		{ SLICE_LIT("a\0b"), NULL },
		{ SLICE_LIT("a\177"), NULL },
		{ SLICE_LIT("\303\244"), NULL },
	};
	char out[8];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].text == NULL ? "refused" : rows[i].text);
		assert_int_equal(xtext_decode(rows[i].in, out, sizeof(out), &len), rows[i].text == NULL ? -1 : 0);
		if (rows[i].text != NULL)
			assert_slice(slice_of(out, len), rows[i].text);
	}
}

/* Every byte: what is text comes back, what is none is refused in either form. */
static void
test_all_bytes(void **state)
{
	struct buf coded;
	char out[1];
	size_t len;

	(void)state;
	buf_init(&coded, 100);
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		bool text = c >= ' ' && c <= '~';

		ROW((size_t)c, "byte");
		buf_reset(&coded);
		xtext_put(&coded, slice_of(&byte, 1));
		assert_int_equal(buf_len(&coded), c > ' ' && c <= '~' && c != '+' && c != '=' ? 1 : 3);
		assert_int_equal(xtext_decode(buf_slice(&coded), out, sizeof(out), &len), text ? 0 : -1);
		if (text)
			assert_true(len == 1 && out[0] == byte);
		assert_int_equal(xtext_decode_bytes(buf_slice(&coded), out, sizeof(out), &len), text || c > 0x7f ? 0 : -1);
		if (c > 0x7f)
			assert_true(len == 1 && out[0] == byte);
	}
	buf_fini(&coded);
}

static void
test_uxtext(void **state)
{
	static const struct { struct slice in; const char *out; } rows[] = {
		{ SLICE_LIT("a@b.c"), "a@b.c" },
		{ SLICE_LIT("a+b=c\\d"), "a\\x{2B}b\\x{3D}c\\x{5C}d" },
		{ SLICE_LIT("j\303\274@b\303\274.de"), "j\\x{FC}@b\\x{FC}.de" },
		{ SLICE_LIT("\345\271\264\360\237\230\200"), "\\x{5E74}\\x{1F600}" },
		{ SLICE_LIT("a b\r\n\0"), "a\\x{20}b\\x{0D}\\x{0A}\\x{00}" },
		{ SLICE_LIT("\377x"), "\\x{FFFD}x" },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].out);
		buf_reset(&out);
		uxtext_put(&out, rows[i].in);
		assert_slice(buf_slice(&out), rows[i].out);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_decode), cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_uxtext) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
