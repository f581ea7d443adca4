/* test_compare — sorted and found again; which of two counters is later, across the wrap. */
#include "tests/support/testing.h"

#include "base/compare.h"

static void
test_u64(void **state)
{
	uint64_t v[] = { UINT64_MAX, 3, 0, UINT64_C(1) << 63, 3, UINT64_C(1) << 32 }, absent = 4;
	const size_t n = sizeof(v) / sizeof(v[0]);

	(void)state;
	qsort(v, n, sizeof(v[0]), compare_u64);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || v[i - 1] <= v[i]);
		assert_non_null(bsearch(&v[i], v, n, sizeof(v[0]), compare_u64));
	}
	assert_null(bsearch(&absent, v, n, sizeof(v[0]), compare_u64));
}

static void
test_later(void **state)
{
	static const struct { const char *name; uint32_t a, b; bool later; } rows[] = {
		{ "the same", 7, 7, false },
		{ "one ahead", 8, 7, true },
		{ "one behind", 7, 8, false },
		{ "wrapped", 0, UINT32_MAX, true },
		{ "about to wrap", UINT32_MAX, 0, false },
		{ "as far ahead as can be told", 0x7fffffffu, 0, true },
		{ "farther", 0x80000001u, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		assert_int_equal(compare_is_later(rows[i].a, rows[i].b), rows[i].later);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64), cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
