/* admission: who may write at which fill; and that what frees space always may. */
#include "tests/support/testing.h"

#include "queue/store/admission.h"

#define MIB	(UINT64_C(1) << 20)

static const struct {
	const char	*name;
	struct fill	 fill;		/* segments, free, bytes, live, dead */
	const char	*was, *now;	/* client, state, dsn, done: y or n */
	bool		 copies;
} rows[] = {
	{ "empty", { 16, 16, 16 * MIB, 0, 0, false }, "yyyy", "yyyy", false },
	{ "half used, much of it dead", { 16, 8, 16 * MIB, 2 * MIB, 6 * MIB, false }, "yyyy", "yyyy", false },
	{ "more than half used", { 16, 7, 16 * MIB, 2 * MIB, 7 * MIB, false }, "yyyy", "yyyy", true },
	{ "nothing to win", { 16, 7, 16 * MIB, 8 * MIB, 1 * MIB, false }, "yyyy", "yyyy", false },
	{ "over half is live: clients wait, copying pauses", { 16, 6, 16 * MIB, 9 * MIB, 2 * MIB, false }, "yyyy", "nyyy", false },
	{ "they come back below 7/16", { 16, 6, 16 * MIB, 7 * MIB, 2 * MIB, false }, "nyyy", "yyyy", true },
	{ "and not before", { 16, 6, 16 * MIB, 7 * MIB + 1, 2 * MIB, false }, "nyyy", "nyyy", true },
	{ "four free: no clients", { 16, 4, 16 * MIB, MIB, 9 * MIB, false }, "yyyy", "nyyy", true },
	{ "five free: not yet again", { 16, 5, 16 * MIB, MIB, 9 * MIB, false }, "nyyy", "nyyy", true },
	{ "six free: again", { 16, 6, 16 * MIB, MIB, 8 * MIB, false }, "nyyy", "yyyy", true },
	{ "three free: no states; copying whatever lives", { 16, 3, 16 * MIB, 10 * MIB, 2 * MIB, false }, "yyyy", "nnyy", true },
	{ "two free: no notifications", { 16, 2, 16 * MIB, MIB, 9 * MIB, false }, "yyyy", "nnny", true },
	{ "one free: recovery's", { 16, 1, 16 * MIB, MIB, 9 * MIB, false }, "yyyy", "nnnn", true },
	{ "two free: done again", { 16, 2, 16 * MIB, MIB, 9 * MIB, false }, "nnnn", "nnny", true },
	{ "notifications end at 5/8 live", { 16, 4, 16 * MIB, 10 * MIB + 1, MIB, false }, "nyyy", "nyny", false },
	{ "a small ring copies early", { 8, 6, 8 * MIB, MIB, 2 * MIB, false }, "yyyy", "yyyy", true },
	{ "the spool takes it: no limit to what lives", { 16, 6, 16 * MIB, 12 * MIB, MIB, true }, "yyyy", "yyyy", false },
	{ "but not for nothing", { 8, 6, 8 * MIB, MIB / 2, MIB, false }, "yyyy", "yyyy", false },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		for (enum store_class class = STORE_CLIENT; class < STORE_CLASS_COUNT; class++)
			assert_int_equal(admission_has_room(class, &rows[i].fill, rows[i].was[class - STORE_CLIENT] == 'y'),
			    rows[i].now[class - STORE_CLIENT] == 'y');
		assert_int_equal(admission_copies(&rows[i].fill), rows[i].copies);
	}
}

/* At commit: every stronger class may what a weaker one may, and each has a segment of its own. */
static void
test_floors(void **state)
{
	(void)state;
	for (uint32_t free = 0; free < 10; free++)
		for (enum store_class class = STORE_CLIENT; class < STORE_CLASS_COUNT; class++)
			assert_int_equal(admission_allows(class, free), free > (uint32_t)(STORE_CLASS_COUNT - class));
	assert_false(admission_allows(STORE_NONE, 1000));
}

/* Whenever clients are shut out though little lives, copying must be able to let them in again. */
static void
test_no_deadlock(void **state)
{
	(void)state;
	for (uint32_t n = STORE_SEGMENTS_MIN; n <= 64; n++)
		for (uint32_t free = 0; free < n; free++) {
			struct fill f = { n, free, n * MIB, MIB, (n - free - 1) * MIB, false };

			if (!admission_has_room(STORE_CLIENT, &f, false) && f.dead >= 2 * MIB)
				assert_true(admission_copies(&f));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_floors), cmocka_unit_test(test_no_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
