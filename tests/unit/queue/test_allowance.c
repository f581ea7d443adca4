/* allowance: so much an hour, all at once or bit by bit, whatever clocks, reloads and crowds do. */
#include "tests/support/testing.h"

#include <stdio.h>

#include "base/fault.h"
#include "queue/intake/allowance.h"

#define SECONDS(n)	(INT64_C(1000) * (n))
#define MINUTES(n)	(SECONDS(60) * (n))
#define YEARS(n)	(MINUTES(60) * 24 * 365 * (n))
#define START		INT64_C(1795413600250)
#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))

static struct allowances *all;

static int
setup(void **state)
{
	(void)state;
	assert_non_null(all = allowances_new());
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	allowances_free(&all);
	assert_null(all);
	return 0;
}

static struct allowance_answer
take(const char *login, uint32_t messages, uint32_t names, uint32_t recipients, int64_t at_ms)
{
	return allowance_take(all, &(struct allowance_limits){ { messages, names } }, slice_str(login), recipients, START + at_ms);
}

/* --- one day of some logins --------------------------------------------------------------------- */

struct step {
	const char		*name;
	int64_t			 at_ms;
	uint32_t		 messages, names;	/* the limits */
	const char		*login;
	uint32_t		 recipients;
	enum allowance_verdict	 verdict;
	enum allowance_kind	 kind;
	int64_t			 wait_ms;
};

static void
play(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *s = &steps[i];
		struct allowance_answer a = take(s->login, s->messages, s->names, s->recipients, s->at_ms);

		ROW(i, s->name);
		assert_int_equal(a.verdict, s->verdict);
		assert_int_equal(a.wait_ms, s->wait_ms);
		assert_int_equal(a.counted, a.verdict == ALLOWANCE_FITS && s->messages + s->names > 0);
		if (a.verdict != ALLOWANCE_FITS)
			assert_int_equal(a.kind, s->kind);
	}
}

#define FITS	ALLOWANCE_FITS, 0, 0
#define MESSAGES_IN(ms)	ALLOWANCE_LATER, ALLOWANCE_MESSAGES, ms
#define NAMES_IN(ms)	ALLOWANCE_LATER, ALLOWANCE_RECIPIENTS, ms

static void
test_messages(void **state)
{
	static const struct step steps[] = {
		{ "the hour's worth at once", 0, 3, 0, "bob", 1, FITS },
		{ "second", 0, 3, 0, "bob", 500, FITS },
		{ "third", 0, 3, 0, "bob", 1, FITS },
		{ "the fourth waits a third of an hour", 0, 3, 0, "bob", 1, MESSAGES_IN(MINUTES(20)) },
		{ "to be refused costs nothing", 0, 3, 0, "bob", 1, MESSAGES_IN(MINUTES(20)) },
		{ "somebody else", 0, 3, 0, "eve", 1, FITS },
		{ "a name that begins like his", 0, 3, 0, "bo", 1, FITS },
		{ "capitals make no other login", 0, 3, 0, "BOB", 1, MESSAGES_IN(MINUTES(20)) },
		{ "a ms too early", MINUTES(20) - 1, 3, 0, "bob", 1, MESSAGES_IN(1) },
		{ "just in time", MINUTES(20), 3, 0, "bob", 1, FITS },
		{ "and full again", MINUTES(20), 3, 0, "bob", 1, MESSAGES_IN(MINUTES(20)) },
		{ "half of it leaks", MINUTES(30), 3, 0, "bob", 1, MESSAGES_IN(MINUTES(10)) },
		{ "two have leaked", MINUTES(60), 3, 0, "bob", 1, FITS },
		{ "both", MINUTES(60), 3, 0, "bob", 1, FITS },
		{ "not three", MINUTES(60), 3, 0, "bob", 1, MESSAGES_IN(MINUTES(20)) },
	};

	(void)state;
	play(steps, COUNT(steps));
}

static void
test_recipients(void **state)
{
	static const struct step steps[] = {
		{ "more than ever fit", 0, 0, 10, "bob", 11, ALLOWANCE_NEVER, ALLOWANCE_RECIPIENTS, 0 },
		{ "which has cost nothing", 0, 0, 10, "bob", 10, FITS },
		{ "one more", 0, 0, 10, "bob", 1, NAMES_IN(MINUTES(6)) },
		{ "five more", 0, 0, 10, "bob", 5, NAMES_IN(MINUTES(30)) },
		{ "all again", 0, 0, 10, "bob", 10, NAMES_IN(MINUTES(60)) },
		{ "still never", 0, 0, 10, "bob", 11, ALLOWANCE_NEVER, ALLOWANCE_RECIPIENTS, 0 },
		{ "they have leaked", MINUTES(30), 0, 10, "bob", 5, FITS },
	};

	(void)state;
	play(steps, COUNT(steps));
}

/* Into both buckets or into none. */
static void
test_both(void **state)
{
	static const struct step steps[] = {
		{ "both", 0, 2, 6, "bob", 4, FITS },
		{ "recipients only are too many", 0, 2, 6, "bob", 3, NAMES_IN(MINUTES(10)) },
		{ "so a message is left", 0, 2, 6, "bob", 1, FITS },
		{ "now none is", 0, 2, 6, "bob", 1, MESSAGES_IN(MINUTES(30)) },
		{ "the longer wait", 0, 2, 6, "bob", 6, NAMES_IN(MINUTES(50)) },
		{ "so a recipient is left", MINUTES(30), 2, 6, "bob", 4, FITS },
		{ "one kind has no limit", 0, 1, 0, "eve", 1000000, FITS },
		{ "and the other has", 0, 1, 0, "eve", 1, MESSAGES_IN(MINUTES(60)) },
	};

	(void)state;
	play(steps, COUNT(steps));
}

static void
test_new_limits(void **state)
{
	static const struct step steps[] = {
		{ "the only one", 0, 1, 0, "bob", 1, FITS },
		{ "full", 0, 1, 0, "bob", 1, MESSAGES_IN(MINUTES(60)) },
		{ "raised: what was sent stays sent", 0, 3, 0, "bob", 1, FITS },
		{ "third", 0, 3, 0, "bob", 1, FITS },
		{ "and no more", 0, 3, 0, "bob", 1, MESSAGES_IN(MINUTES(20)) },
		{ "lowered: full, not more than that", 0, 2, 0, "bob", 1, MESSAGES_IN(MINUTES(30)) },
		{ "none", 0, 0, 0, "bob", 1, FITS },
		{ "the other one: nothing was counted", 0, 0, 2, "bob", 2, FITS },
		{ "which empties the first", 0, 2, 2, "bob", 1, NAMES_IN(MINUTES(30)) },
		{ "so it has room", MINUTES(60), 2, 2, "bob", 1, FITS },
		{ "the highest", 0, ALLOWANCE_MOST, ALLOWANCE_MOST, "eve", ALLOWANCE_MOST, FITS },
		{ "leaks fast", 0, ALLOWANCE_MOST, ALLOWANCE_MOST, "eve", 1, NAMES_IN(4) },
		{ "above it", 0, ALLOWANCE_MOST, ALLOWANCE_MOST, "eve", ALLOWANCE_MOST + 1, ALLOWANCE_NEVER, ALLOWANCE_RECIPIENTS, 0 },
	};

	(void)state;
	play(steps, COUNT(steps));
}

/* A clock that is set shuts nobody out for longer than an hour, and what was sent is not forgotten when it goes back. */
static void
test_clock(void **state)
{
	static const struct step steps[] = {
		{ "one", 0, 2, 0, "bob", 1, FITS },
		{ "two", 0, 2, 0, "bob", 1, FITS },
		{ "an hour back", -MINUTES(60), 2, 0, "bob", 1, MESSAGES_IN(MINUTES(30)) },
		{ "it leaks from there on", -MINUTES(30), 2, 0, "bob", 1, FITS },
		{ "ten years back", -YEARS(10), 2, 0, "bob", 1, MESSAGES_IN(MINUTES(30)) },
		{ "and half an hour", -YEARS(10) + MINUTES(30), 2, 0, "bob", 1, FITS },
		{ "ten years ahead: an hour's worth", YEARS(10), 2, 0, "bob", 1, FITS },
		{ "and no more", YEARS(10), 2, 0, "bob", 1, FITS },
		{ "than that", YEARS(10), 2, 0, "bob", 1, MESSAGES_IN(MINUTES(30)) },
		{ "back from there", 0, 2, 0, "bob", 1, MESSAGES_IN(MINUTES(30)) },
	};

	(void)state;
	play(steps, COUNT(steps));
}

/* Over a day: a day's worth and one burst, and not much less. */
static void
test_over_a_day(void **state)
{
	static const uint32_t limits[] = { 1, 2, 7, 59, 60, 61, 1000, 999999 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		uint64_t sent = 0;

		for (int64_t at = 0; at < MINUTES(60) * 24; at += SECONDS(50))
			for (int burst = 0; burst < 3; burst++)
				sent += take("bob", 0, limits[i], 1 + limits[i] / 100, at).verdict == ALLOWANCE_FITS ? 1 + limits[i] / 100 : 0;
		ROW(i, "a day");
		assert_in_range(sent, limits[i] * UINT64_C(23), limits[i] * UINT64_C(25));
		allowances_free(&all);
		assert_non_null(all = allowances_new());
	}
}

static void
test_give_back(void **state)
{
	(void)state;
	assert_true(take("bob", 1, 5, 5, 0).counted);
	allowance_give_back(all, SLICE_LIT("bob"), 5);
	assert_true(take("bob", 1, 5, 5, 0).counted);
	/* What has leaked since is not given twice. */
	assert_int_equal(take("bob", 1, 5, 5, MINUTES(30)).wait_ms, MINUTES(30));
	allowance_give_back(all, SLICE_LIT("bob"), 5);
	assert_true(take("bob", 1, 5, 5, MINUTES(30)).counted);
	assert_int_equal(take("bob", 1, 5, 5, MINUTES(30)).wait_ms, MINUTES(60));
	allowance_give_back(all, SLICE_LIT("nobody"), 5);
}

static void
count_one(void *arg, struct slice login, const struct allowance_used *used)
{
	(void)login;
	assert_true(used->in[ALLOWANCE_MESSAGES] > 0 || used->in[ALLOWANCE_RECIPIENTS] > 0);
	(*(size_t *)arg)++;
}

static size_t
count(const struct allowance_limits *limits, int64_t at_ms)
{
	size_t n = 0;

	allowances_each(all, limits, START + at_ms, count_one, &n);
	return n;
}

static void
test_counts(void **state)
{
	const struct allowance_limits limits = { { 2, 10 } }, none = { { 0, 0 } };

	(void)state;
	(void)take("once", 2, 10, 1, 0);
	(void)take("twice", 2, 10, 1, 0);
	(void)take("twice", 2, 10, 1, 0);
	(void)take("many", 2, 10, 10, 0);
	assert_int_equal(allowances_limited(all, &limits, START), 2);
	assert_int_equal(allowances_limited(all, &limits, START + MINUTES(6)), 1);
	assert_int_equal(count(&limits, MINUTES(6)), 3);
	assert_int_equal(count(&limits, MINUTES(30)), 2);	/* once is forgotten */
	assert_int_equal(allowances_limited(all, &limits, START + MINUTES(30)), 0);
	assert_int_equal(count(&none, MINUTES(30)), 0);
}

/* An earlier life's word: the higher one counts, and no clock of it shuts anybody out. */
static void
test_put(void **state)
{
	const struct allowance_used one = { { ALLOWANCE_ONE, 0 } }, two = { { 2 * ALLOWANCE_ONE, 0 } },
	    absurd = { { UINT64_MAX, UINT64_MAX } };

	(void)state;
	assert_true(allowance_put(all, SLICE_LIT("bob"), &two, START));
	assert_true(allowance_put(all, SLICE_LIT("bob"), &one, START));
	assert_int_equal(take("bob", 2, 0, 1, 0).wait_ms, MINUTES(30));
	assert_true(allowance_put(all, SLICE_LIT("eve"), &two, START - MINUTES(30)));
	assert_true(take("eve", 2, 0, 1, 0).counted);
	assert_true(allowance_put(all, SLICE_LIT("ann"), &two, START + YEARS(10)));
	assert_int_equal(take("ann", 2, 0, 1, 0).wait_ms, MINUTES(30));
	assert_true(allowance_put(all, SLICE_LIT("max"), &absurd, START));
	assert_int_equal(take("max", 2, 10, 1, 0).wait_ms, MINUTES(30));
	assert_int_equal(take("max", 2, 10, 10, 0).wait_ms, MINUTES(60));
}

/* A full table: those that are in it are counted, new ones are not until somebody's buckets are empty. */
static void
test_crowd(void **state)
{
	char name[16];

	(void)state;
	for (unsigned i = 0; i < ALLOWANCE_LOGINS; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		assert_true(take(name, 1, 0, 1, 0).counted);
	}
	assert_int_equal(take("u7", 1, 0, 1, 0).verdict, ALLOWANCE_LATER);
	for (int i = 0; i < 3; i++) {
		struct allowance_answer a = take("new", 1, 0, 1, MINUTES(30));

		assert_int_equal(a.verdict, ALLOWANCE_FITS);
		assert_false(a.counted);
	}
	assert_false(allowance_put(all, SLICE_LIT("new"), &(struct allowance_used){ { 1, 1 } }, START));
	assert_int_equal(take("u8", 1, 0, 1, MINUTES(30)).verdict, ALLOWANCE_LATER);
	assert_true(take("new", 1, 0, 1, MINUTES(60)).counted);
	assert_int_equal(count(&(struct allowance_limits){ { 1, 0 } }, MINUTES(60)), 1);
}

static void
test_no_memory(void **state)
{
	struct allowance_answer a;

	(void)state;
	fault_plan("alloc:1+:ENOMEM");
	a = take("bob", 1, 0, 1, 0);
	fault_plan(NULL);
	assert_int_equal(a.verdict, ALLOWANCE_FITS);
	assert_false(a.counted);
	assert_true(take("bob", 1, 0, 1, 0).counted);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages), TEST(test_recipients), TEST(test_both), TEST(test_new_limits), TEST(test_clock), TEST(test_over_a_day),
		TEST(test_give_back), TEST(test_counts), TEST(test_put), TEST(test_crowd), TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
