/* test_expiry — when to warn, when to give up, and that no clock can make us do it early. */
#include "tests/support/testing.h"

#include "queue/schedule/expiry.h"
#include "wire/fields.h"

#define H(n)	(INT64_C(3600000) * (n))
#define D(n)	H(24 * (n))
#define WALL	INT64_C(1800000000000)
#define MONO	D(1)		/* the machine's uptime when queue starts */

static const struct conf_queue conf = { .expire = D(5), .bounce_expire = D(2), .delay_warning = H(4) };

static void
test_arrival(void **state)
{
	static const struct { const char *name; int64_t arrival, wall, mono; } rows[] = {
		{ "now", WALL, WALL, MONO },
		{ "yesterday", WALL - D(1), WALL, 0 },
		{ "before the machine's start", WALL - D(3), WALL, MONO - D(3) },
		{ "in the future: the clock was set back since", WALL + D(3650), WALL, MONO },
		{ "never", -1, WALL, MONO },
		{ "absurd", INT64_MIN, INT64_MAX, MONO },
		{ "absurd clock", WALL, INT64_MAX, MONO - (TIME_MS_MAX - WALL) },
		{ "clock before 1970", WALL, -5, MONO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		assert_int_equal(expiry_arrival_mono(rows[i].arrival, rows[i].wall, MONO), rows[i].mono);
	}
}

/* A message that arrived `age` before queue started; asked `after` the start. */
static void
test_verdicts(void **state)
{
	static const struct {
		const char *name;
		int64_t age, after;
		uint32_t attempts;
		bool null_path, warned;
		enum expiry_verdict verdict;
	} rows[] = {
		{ "young", 0, 0, 1, false, false, EXPIRY_KEEP },
		{ "never tried", 0, D(30), 0, false, false, EXPIRY_KEEP },
		{ "just under the warning", 0, H(4) - 1, 3, false, false, EXPIRY_KEEP },
		{ "late", 0, H(4), 3, false, false, EXPIRY_WARN },
		{ "late, told already", 0, H(4), 3, false, true, EXPIRY_KEEP },
		{ "a late notification: nobody to tell", 0, H(4), 3, true, false, EXPIRY_KEEP },
		{ "just under the end", 0, D(5) - 1, 99, false, true, EXPIRY_KEEP },
		{ "the end", 0, D(5), 99, false, true, EXPIRY_GIVE_UP },
		{ "the end, without ever a warning", 0, D(5), 99, false, false, EXPIRY_GIVE_UP },
		{ "a notification's end", 0, D(2), 9, true, false, EXPIRY_GIVE_UP },
		{ "old at the start: one hour's grace", D(9), 0, 5, false, true, EXPIRY_KEEP },
		{ "old at the start, but a warning may go", D(9), 0, 5, false, false, EXPIRY_WARN },
		{ "old at the start, the hour is over", D(9), H(1), 5, false, true, EXPIRY_GIVE_UP },
		{ "old at the start and never tried", D(9), H(1), 0, false, true, EXPIRY_KEEP },
		{ "half the age before the start", D(2), D(3), 50, false, true, EXPIRY_GIVE_UP },
		{ "half the age, not yet", D(2), D(3) - 1, 50, false, true, EXPIRY_KEEP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct expiry_facts facts = { .arrival_mono_ms = MONO - rows[i].age,
					      .start_mono_ms = MONO,
					      .attempts = rows[i].attempts,
					      .null_path = rows[i].null_path,
					      .warned = rows[i].warned };

		ROW(i, rows[i].name);
		assert_int_equal(expiry_of(&conf, &facts, MONO + rows[i].after), rows[i].verdict);
	}
}

/* F33: ten days or ten years forward while queue runs. The wall clock is not even a parameter of the verdict. */
static void
test_clock_jumps_forward(void **state)
{
	struct expiry_facts facts = { .start_mono_ms = MONO, .attempts = 20, .warned = true };

	(void)state;
	facts.arrival_mono_ms = expiry_arrival_mono(WALL, WALL, MONO + H(1));
	assert_int_equal(expiry_of(&conf, &facts, MONO + H(24)), EXPIRY_KEEP);
	/* A message that comes while the clock is ten years ahead, asked about after it was put right. */
	facts.arrival_mono_ms = expiry_arrival_mono(WALL + D(3650), WALL + D(3650), MONO + H(2));
	assert_int_equal(expiry_of(&conf, &facts, MONO + D(4)), EXPIRY_KEEP);
	assert_int_equal(expiry_of(&conf, &facts, MONO + H(2) + D(5)), EXPIRY_GIVE_UP);
	/* A machine that started with a date ten years ahead has an hour to notice. */
	facts.arrival_mono_ms = expiry_arrival_mono(WALL, WALL + D(3650), MONO);
	assert_int_equal(expiry_of(&conf, &facts, MONO + H(1) - 1), EXPIRY_KEEP);
}

static void
test_unwanted_warning(void **state)
{
	struct expiry_facts facts = { .arrival_mono_ms = MONO, .start_mono_ms = MONO, .attempts = 3, .unwanted = true };

	(void)state;
	assert_int_equal(expiry_of(&conf, &facts, MONO + H(4)), EXPIRY_KEEP);
	assert_int_equal(expiry_of(&conf, &facts, MONO + D(5)), EXPIRY_GIVE_UP);
	facts.unwanted = false;
	assert_int_equal(expiry_of(&conf, &facts, MONO + H(4)), EXPIRY_WARN);
}

/* Limits of seconds, as tests set them, have a grace of their tenth. */
static void
test_short_limits(void **state)
{
	const struct conf_queue quick = { .expire = 2000, .bounce_expire = 1000, .delay_warning = 0 };
	struct expiry_facts facts = { .arrival_mono_ms = MONO - 5000, .start_mono_ms = MONO, .attempts = 1 };

	(void)state;
	assert_int_equal(expiry_of(&quick, &facts, MONO + 199), EXPIRY_KEEP); /* and no warning: delay-warning is off */
	assert_int_equal(expiry_of(&quick, &facts, MONO + 200), EXPIRY_GIVE_UP);
	facts.null_path = true;
	assert_int_equal(expiry_of(&quick, &facts, MONO + 100), EXPIRY_GIVE_UP);
	assert_int_equal(expiry_limit_ms(&quick, false), 2000);
	assert_int_equal(expiry_limit_ms(&quick, true), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrival),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_clock_jumps_forward),
		cmocka_unit_test(test_unwanted_warning),
		cmocka_unit_test(test_short_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
