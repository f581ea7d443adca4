/* test_retry — the whole ladder as one table, its jitter, and clocks that jump. */
#include "tests/support/testing.h"

#include "queue/schedule/retry.h"
#include "wire/fields.h"

#define S(n)	(INT64_C(1000) * (n))
#define M(n)	S(60 * (n))
#define H(n)	M(60 * (n))
#define NOW	INT64_C(1800000000000)
#define MIDDLE	0x80000000u	/* the random number that moves nothing (by less than a millisecond per ten seconds) */

static int64_t usual_waits[] = { M(5), M(10), M(20), M(40), M(60) };
static int64_t unknown_waits[] = { M(30), H(2), H(8), H(24) };
static int64_t downhill_waits[] = { H(8), M(5) };
static int64_t odd_waits[] = { 0, -5, INT64_MAX };
static const struct conf_durations usual = { 5, usual_waits }, unknown = { 4, unknown_waits },
				   downhill = { 2, downhill_waits }, odd = { 3, odd_waits }, empty = { 0, NULL };

static void
test_ladder(void **state)
{
	static const struct { const struct conf_durations *ladder; uint32_t attempts; int64_t wait;
	} rows[] = {
		{ &usual, 0, 0 },
		{ &usual, 1, M(5) },
		{ &usual, 2, M(10) },
		{ &usual, 3, M(20) },
		{ &usual, 4, M(40) },
		{ &usual, 5, M(60) },
		{ &usual, 6, M(60) },
		{ &usual, 1000000, M(60) },
		{ &usual, UINT32_MAX, M(60) },
		{ &unknown, 1, M(30) },
		{ &unknown, 2, H(2) },
		{ &unknown, 3, H(8) },
		{ &unknown, 4, H(24) },
		{ &unknown, 9, H(24) },
		{ &odd, 1, RETRY_LEAST_MS },
		{ &odd, 2, RETRY_LEAST_MS },
		{ &odd, 3, RETRY_MOST_MS },
		{ &empty, 0, 0 },
		{ &empty, 1, RETRY_EMPTY_MS },
		{ &empty, 50, RETRY_EMPTY_MS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t next = retry_next_ms(rows[i].ladder, rows[i].attempts, NOW, MIDDLE),
			off = next - NOW - rows[i].wait;

		ROW(i, "");
		assert_true(off >= -1 && off <= 1);
	}
}

/* A tenth either way, the ends included, and never less than one second in all. */
static void
test_jitter(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	assert_int_equal(retry_next_ms(&usual, 1, NOW, 0) - NOW, M(5) - S(30));
	assert_int_equal(retry_next_ms(&usual, 1, NOW, UINT32_MAX) - NOW, M(5) + S(30));
	for (uint64_t random = 0; random <= UINT32_MAX; random += 65537) {
		int64_t wait = retry_next_ms(&usual, 5, NOW, (uint32_t)random) - NOW;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		assert_in_range(wait, M(54), M(66));
	}
	assert_true(least < M(55) && most > M(65));
	assert_true(retry_next_ms(&odd, 1, NOW, 0) >= NOW + 900);
}

static void
test_absurd_clock(void **state)
{
	(void)state;
	assert_true(retry_next_ms(&usual, 1, INT64_MAX, UINT32_MAX) <= TIME_MS_MAX + RETRY_MOST_MS);
	assert_true(retry_next_ms(&odd, 3, INT64_MAX, UINT32_MAX) > 0);
	assert_int_equal(retry_next_ms(&usual, 1, INT64_MIN, 0), M(5) - S(30));
	assert_int_equal(retry_next_ms(&usual, 0, INT64_MIN, 0), 0);
}

/* F32: the wall clock is set back by an hour or ten years; nobody waits that long. */
static void
test_clock_set_back(void **state)
{
	static const struct { const char *name; const struct conf_durations *ladder; int64_t next, due; } rows[] = {
		{ "due long ago", &usual, NOW - H(100), NOW - H(100) },
		{ "due now", &usual, NOW, NOW },
		{ "as the ladder says", &usual, NOW + M(60), NOW + M(60) },
		{ "with all its jitter", &usual, NOW + M(66), NOW + M(66) },
		{ "a clock set back by an hour", &usual, NOW + M(60) + H(1), NOW + M(66) },
		{ "by ten years", &usual, NOW + H(87600), NOW + M(66) },
		{ "daily is not too long for this ladder", &unknown, NOW + H(24), NOW + H(24) },
		{ "longest rung need not be the last", &downhill, NOW + H(8), NOW + H(8) },
		{ "no ladder", &empty, INT64_MAX, NOW + RETRY_EMPTY_MS + RETRY_EMPTY_MS / 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		assert_int_equal(retry_due_ms(rows[i].ladder, rows[i].next, NOW), rows[i].due);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder), cmocka_unit_test(test_jitter), cmocka_unit_test(test_absurd_clock),
		cmocka_unit_test(test_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
