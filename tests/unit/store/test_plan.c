/* plan: what was put is taken again in order; what is no plan ends it. */
#include "tests/support/testing.h"

#include "base/fault.h"
#include "queue/store/bytes.h"
#include "queue/store/plan.h"

static char name[PLAN_NAME_MAX + 100];

static int
setup(void **state)
{
	(void)state;
	memset(name, 'X', sizeof(name));
	return 0;
}

static void
test_round_trip(void **state)
{
	static const struct {
		enum plan_part		part;
		const char		*name, *taken;
		enum plan_priority	priority;
		int64_t			at_ms, taken_ms;
	} rows[] = {
		{ PLAN_ROW, "", "", PLAN_MAIL, 0, 0 },
		{ PLAN_ROW, "smtp example.org", "smtp example.org", PLAN_NOTICE, 77, 77 },
		{ PLAN_ROW, "Case", "Case", PLAN_MAIL, PLAN_NEVER, PLAN_NEVER },	/* a destination is the owner's word */
		{ PLAN_ROW, "d", "d", PLAN_MAIL, -5, 0 },				/* never before time began */
		{ PLAN_LOOK, "", "", PLAN_NONE, 1000, 1000 },
		{ PLAN_LOOK, "", "", PLAN_NONE, INT64_MIN, 0 },
		{ PLAN_DOMAIN, "Example.ORG", "example.org", PLAN_NONE, 0, 0 },
		{ PLAN_DOMAIN, "[a@`{Z]", "[a@`{z]", PLAN_NONE, 0, 0 },			/* neighbours of the letters */
		{ PLAN_DOMAIN, "", "", PLAN_NONE, 0, 0 },
		{ PLAN_HOLD, "", "", PLAN_NONE, 0, 0 },
	};
	struct plan_item item;
	struct slice in;
	struct plan p;

	(void)state;
	plan_init(&p);
	for (int again = 0; again < 2; again++) {
		plan_reset(&p);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (rows[i].part == PLAN_ROW)
				plan_row(&p, slice_str(rows[i].name), rows[i].priority, rows[i].at_ms);
			else if (rows[i].part == PLAN_LOOK)
				plan_look(&p, rows[i].at_ms);
			else if (rows[i].part == PLAN_HOLD)
				plan_hold(&p);
			else
				plan_domain(&p, slice_str(rows[i].name));
		assert_false(plan_failed(&p));
		in = plan_slice(&p);
		assert_true(plan_holds(in));
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			ROW(i, rows[i].name);
			assert_int_equal(plan_take(&in, &item), rows[i].part);
			assert_true(item.part == rows[i].part && item.priority == rows[i].priority && item.at_ms == rows[i].taken_ms);
			assert_slice(item.name, rows[i].taken);
		}
		assert_int_equal(plan_take(&in, &item), PLAN_END);
		assert_int_equal(in.len, 0);
		assert_false(plan_holds(in));
	}
	plan_fini(&p);
}

/* A name too long is cut, alike for who asks with it. */
static void
test_long_names(void **state)
{
	struct plan_item item;
	struct slice in;
	struct plan p;

	(void)state;
	plan_init(&p);
	plan_row(&p, slice_of(name, sizeof(name)), PLAN_MAIL, 1);
	plan_domain(&p, slice_of(name, sizeof(name)));
	plan_domain(&p, slice_of(name, PLAN_NAME_MAX));
	in = plan_slice(&p);
	assert_int_equal(plan_take(&in, &item), PLAN_ROW);
	assert_int_equal(item.name.len, PLAN_NAME_MAX);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(plan_take(&in, &item), PLAN_DOMAIN);
		assert_int_equal(item.name.len, PLAN_NAME_MAX);
		assert_int_equal(item.name.p[PLAN_NAME_MAX - 1], 'x');
	}
	plan_fini(&p);
}

/* One byte of an item with a name of three bytes is another, or bytes are missing: it ends there, and nothing is taken. */
static void
test_no_plan(void **state)
{
	static const struct {
		const char	*what;
		size_t		 len, at;	/* at 99: nothing is changed */
		unsigned char	 byte;
	} rows[] = {
		{ "nothing", 0, 99, 0 },	{ "half a head", 6, 99, 0 },	{ "a head but one", 11, 99, 0 },
		{ "no name", 12, 99, 0 },	{ "a name cut short", 14, 99, 0 },
		{ "an end", 15, 0, PLAN_END },	{ "no part", 15, 0, PLAN_HOLD + 1 },	{ "no part at all", 15, 0, 255 },
		{ "no priority", 15, 1, PLAN_PRIORITY_COUNT },	{ "a longer name", 15, 10, 4 },
		{ "a far longer name", 15, 11, 200 },
	};
	struct plan_item item;
	struct plan p;

	(void)state;
	plan_init(&p);
	plan_row(&p, SLICE_LIT("abc"), PLAN_MAIL, 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bytes[15];
		struct slice in = slice_of(bytes, rows[i].len);

		memcpy(bytes, plan_slice(&p).p, sizeof(bytes));
		if (rows[i].at < sizeof(bytes))
			bytes[rows[i].at] = (char)rows[i].byte;
		ROW(i, rows[i].what);
		assert_int_equal(plan_take(&in, &item), PLAN_END);
		assert_int_equal(item.part, PLAN_END);
		assert_int_equal(in.len, rows[i].len);
	}
	plan_fini(&p);
}

/* There are the bytes, and still the name is longer than any is. */
static void
test_name_beyond_the_limit(void **state)
{
	unsigned char bytes[12 + PLAN_NAME_MAX + 1] = { PLAN_ROW, PLAN_MAIL };
	struct slice in = slice_of(bytes, sizeof(bytes));
	struct plan_item item;

	(void)state;
	bytes_put16(bytes + 10, PLAN_NAME_MAX + 1);
	assert_int_equal(plan_take(&in, &item), PLAN_END);
	bytes_put16(bytes + 10, PLAN_NAME_MAX);
	assert_int_equal(plan_take(&in, &item), PLAN_ROW);
	assert_int_equal(in.len, 1);
	/* A time with its highest bit set is none of ours; it must not become a negative one. */
	memset(bytes + 2, 255, 8);
	in = slice_of(bytes, sizeof(bytes));
	assert_int_equal(plan_take(&in, &item), PLAN_ROW);
	assert_true(item.at_ms == PLAN_NEVER);
}

static void
test_too_much(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p);
	for (int i = 0; i < 20000 && !plan_failed(&p); i++)
		plan_row(&p, slice_of(name, PLAN_NAME_MAX), PLAN_MAIL, i);
	assert_true(plan_failed(&p));
	plan_reset(&p);
	assert_false(plan_failed(&p));		/* the next message is another matter */
	plan_fini(&p);
#ifdef POSTHORN_FAULTS
	plan_init(&p);
	fault_plan("alloc:1:ENOMEM");
	plan_look(&p, 5);
	fault_plan(NULL);
	assert_true(plan_failed(&p));
	plan_fini(&p);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_long_names), cmocka_unit_test(test_no_plan),
		cmocka_unit_test(test_name_beyond_the_limit), cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
