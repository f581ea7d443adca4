/* test_backoff — the ladder from "at once" to a minute. */
#include "control/supervisor/backoff.h"
#include "tests/support/testing.h"

static const struct {
	int64_t	lived, wait;
} deaths[] = {
	{ 1000, 0 },		/* a second is long enough */
	{ 86400000, 0 },
	{ 999, 1000 },
	{ 0, 2000 },
	{ 10, 4000 },
	{ 0, 8000 },
	{ 0, 16000 },
	{ 0, 32000 },
	{ 0, 60000 },
	{ 0, 60000 },
	{ 1500, 0 },		/* it served: all is forgiven */
	{ 0, 1000 },
	{ 0, 2000 },
};

static void
test_ladder(void **state)
{
	unsigned early = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		int64_t wait = backoff_after(deaths[i].lived, &early);

		if (wait != deaths[i].wait)
			fail_msg("death %zu: waits %lld, wanted %lld", i, (long long)wait, (long long)deaths[i].wait);
	}
}

static void
test_never_overflows(void **state)
{
	unsigned early = 0;

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_in_range(backoff_after(0, &early), 1000, 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ladder), cmocka_unit_test(test_never_overflows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
