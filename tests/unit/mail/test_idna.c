/* test_idna — both forms of a domain, and what is none. */
#include "mail/idna.h"
#include "tests/support/testing.h"

static void
test_forms(void **state)
{
	static char many[DOMAIN_MAX + 2];
	static const struct {
		struct slice	 in;
		const char	*ascii, *unicode;	/* NULL: refused */
	} rows[] = {
		{ SLICE_LIT("example.org"), "example.org", "example.org" },
		{ SLICE_LIT("xn--bcher-kva.example"), "xn--bcher-kva.example", "b\303\274cher.example" },
		{ SLICE_LIT("b\303\274cher.example"), "xn--bcher-kva.example", "b\303\274cher.example" },
		{ SLICE_LIT("B\303\234cher.Example"), "xn--bcher-kva.example", "b\303\274cher.example" },
		{ SLICE_LIT("bu\314\210cher.example"), "xn--bcher-kva.example", "b\303\274cher.example" },
		{ SLICE_LIT("stra\303\237e.de"), "xn--strae-oqa.de", "stra\303\237e.de" },
		{ SLICE_LIT("\344\276\213\343\200\202jp"), "xn--fsq.jp", "\344\276\213.jp" },	/* an ideographic full stop */
		{ SLICE_LIT("\303\274"), "xn--tda", "\303\274" },
		{ SLICE_LIT(""), NULL, NULL },
		{ SLICE_LIT("\303\274\0.de"), NULL, NULL },
		{ SLICE_LIT("\303"), NULL, NULL },
		{ SLICE_LIT("\303\274..de"), NULL, NULL },
		{ SLICE_LIT("\303\274 x.de"), NULL, NULL },
		{ SLICE_LIT("\303\274_x.de"), NULL, NULL },
		{ SLICE_LIT("\303\274.42"), NULL, NULL },
		{ SLICE_LIT("\342\200\256x.de"), NULL, NULL },
		{ SLICE_LIT("-\303\274.de"), NULL, NULL },
		{ { many, DOMAIN_MAX + 1 }, NULL, NULL },
	};
	char out[DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < DOMAIN_MAX; i += 2)
		memcpy(many + i, "\303\274", 2);
	many[DOMAIN_MAX] = 'x';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].ascii == NULL ? "refused" : rows[i].ascii);
		assert_int_equal(domain_to_ascii(rows[i].in, out), rows[i].ascii == NULL ? -1 : 0);
		if (rows[i].ascii != NULL)
			assert_string_equal(out, rows[i].ascii);
		assert_int_equal(domain_to_unicode(rows[i].in, out), rows[i].unicode == NULL ? -1 : 0);
		if (rows[i].unicode != NULL)
			assert_string_equal(out, rows[i].unicode);
	}
}

static void
test_of_address(void **state)
{
	static const struct { const char *in, *domain; } rows[] = {
		{ "a@b.c", "b.c" },
		{ "a@b\303\274cher.example", "xn--bcher-kva.example" },
		{ "\"a@x.y\"@b.c", "b.c" },
		{ "postmaster", "" },
		{ "", "" },
		{ "a@", "" },
		{ "a@[192.0.2.1]", "[192.0.2.1]" },
	};
	char out[DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].in);
		assert_slice(address_domain_ascii(slice_str(rows[i].in), out), rows[i].domain);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms), cmocka_unit_test(test_of_address) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
