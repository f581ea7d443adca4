/* Numbers with units: strict in, exact out. */
#include "tests/support/testing.h"

#include "conf/units.h"

#define BAD	INT64_C(-1)

static const struct unit_case {
	const char	*text;
	int64_t		 size, duration, number;	/* BAD: refused */
} cases[] = {
	{ "0", 0, 0, 0 },
	{ "1", 1, BAD, 1 },
	{ "4096", 4096, BAD, 4096 },
	{ "50MB", 50000000, BAD, BAD },
	{ "16MiB", 16777216, BAD, BAD },
	{ "1kB", 1000, BAD, BAD },
	{ "1KiB", 1024, BAD, BAD },
	{ "2GiB", INT64_C(2147483648), BAD, BAD },
	{ "5d", BAD, INT64_C(432000000), BAD },
	{ "300s", BAD, 300000, BAD },
	{ "250ms", BAD, 250, BAD },
	{ "90m", BAD, 5400000, BAD },
	{ "2w", BAD, INT64_C(1209600000), BAD },
	{ "1h30m", BAD, BAD, BAD },
	{ "05", BAD, BAD, BAD },
	{ "05d", BAD, BAD, BAD },
	{ "00", BAD, BAD, BAD },
	{ "0x19", BAD, BAD, BAD },
	{ "-1", BAD, BAD, BAD },
	{ "+1", BAD, BAD, BAD },
	{ " 1", BAD, BAD, BAD },
	{ "1 ", BAD, BAD, BAD },
	{ "1.5h", BAD, BAD, BAD },
	{ "1D", BAD, BAD, BAD },
	{ "50mb", BAD, BAD, BAD },
	{ "d", BAD, BAD, BAD },
	{ "", BAD, BAD, BAD },
	{ "1000000000000000", INT64_C(1000000000000000), BAD, INT64_C(1000000000000000) },
	{ "1000000000000001", BAD, BAD, BAD },
	{ "1000000GB", INT64_C(1000000000000000), BAD, BAD },
	{ "1000001GB", BAD, BAD, BAD },
	{ "99999999999999999999999", BAD, BAD, BAD },
	{ "999999999999999d", BAD, BAD, BAD },
};

static int64_t
result(int (*parse)(struct slice, int64_t *), const char *text)
{
	int64_t value = 12345;

	if (parse(slice_str(text), &value) == 0)
		return value;
	assert_true(value == 12345);		/* written only on success */
	return BAD;
}

static void
parsing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ROW(i, cases[i].text);
		assert_true(result(units_size, cases[i].text) == cases[i].size);
		assert_true(result(units_duration, cases[i].text) == cases[i].duration);
		assert_true(result(units_number, cases[i].text) == cases[i].number);
	}
}

static const struct {
	int64_t		 value;
	const char	*size, *duration;
} printed[] = {
	{ 0, "0", "0" }, { 1, "1B", "1ms" }, { 1000, "1kB", "1s" }, { 1024, "1KiB", "1024ms" }, { 1500, "1500B", "1500ms" },
	{ 50000000, "50MB", "50000s" }, { 16777216, "16MiB", "16777216ms" }, { 86400000, "84375KiB", "1d" },
	{ 3600000, "3600kB", "1h" }, { 604800000, "590625KiB", "1w" },
};

static void
printing(void **state)
{
	struct buf out;
	int64_t back;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
		ROW(i, printed[i].size);
		buf_reset(&out);
		units_size_print(&out, printed[i].value);
		assert_slice(buf_slice(&out), printed[i].size);
		assert_int_equal(units_size(buf_slice(&out), &back), 0);
		assert_true(back == printed[i].value);
		buf_reset(&out);
		units_duration_print(&out, printed[i].value);
		assert_slice(buf_slice(&out), printed[i].duration);
		assert_int_equal(units_duration(buf_slice(&out), &back), 0);
		assert_true(back == printed[i].value);
	}
	buf_fini(&out);
}

static void
booleans(void **state)
{
	static const char *const bad[] = { "1", "0", "enabled", "", "y", "yes ", "tru" };
	bool value = false;

	(void)state;
	assert_int_equal(units_bool(SLICE_LIT("yes"), &value), 0);
	assert_true(value);
	assert_int_equal(units_bool(SLICE_LIT("Off"), &value), 0);
	assert_false(value);
	assert_int_equal(units_bool(SLICE_LIT("true"), &value), 0);
	assert_true(value);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ROW(i, bad[i]);
		assert_int_equal(units_bool(slice_str(bad[i]), &value), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing), cmocka_unit_test(printing), cmocka_unit_test(booleans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
