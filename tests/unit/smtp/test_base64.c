/*
 * base64: the vectors of RFC 4648 10 both ways, and what must not be taken.
 */
#include "smtp/base64.h"
#include "tests/support/testing.h"

static const struct {
	const char	*plain, *text;
} pairs[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" },
};

static const char *const bad[] = {
	"Z", "Zg", "Zg=", "Zm9vY", "=", "==", "===", "====", "Z===", "Zg==Zg==", "Zm8=Zm9v", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm9v\r\n", "Zm9v ",
	" Zm9", "Zm-_", "Zm9v====", "Z=g=", "Zg=A", "=Zg=", "Zm9\xff", "Zm,v", "Zm:v", "*",
};

static void
test_pairs(void **state)
{
	char out[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ROW(i, pairs[i].text);
		len = base64_encode(slice_str(pairs[i].plain), out);
		assert_int_equal(len, BASE64_ENCODED(strlen(pairs[i].plain)));
		assert_slice(slice_of(out, len), pairs[i].text);
		assert_int_equal(base64_decode(slice_str(pairs[i].text), out, &len), 0);
		assert_slice(slice_of(out, len), pairs[i].plain);
	}
}

static void
test_bad(void **state)
{
	char out[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ROW(i, bad[i]);
		assert_int_equal(base64_decode(slice_str(bad[i]), out, &len), -1);
	}
	assert_int_equal(base64_decode(slice_of("Zm\0v", 4), out, &len), -1);
}

/* All lengths, all byte values, in exact memory; in place; and of all quads only canonical ones, each of which comes back. */
static void
test_round_trip(void **state)
{
	static const char some[] = "AQgw09+/=- \n";
	char plain[256], *text, quad[4], back[8];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 7);
	for (size_t n = 0; n < sizeof(plain); n++) {
		text = malloc(BASE64_ENCODED(n) + (n == 0));
		assert_non_null(text);
		assert_int_equal(base64_encode(slice_of(plain, n), text), BASE64_ENCODED(n));
		assert_int_equal(base64_decode(slice_of(text, BASE64_ENCODED(n)), text, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(text, plain, n);
		free(text);
	}
	for (size_t n = 0; n < 12 * 12 * 12 * 12; n++) {
		for (size_t k = 0, m = n; k < 4; k++, m /= 12)
			quad[k] = some[m % 12];
		if (base64_decode(slice_of(quad, 4), back, &len) == -1)
			continue;
		assert_int_equal(base64_encode(slice_of(back, len), back + 4), 4);
		assert_memory_equal(back + 4, quad, 4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
