/* test_arena — limit, alignment, zeroes, copies, and that everything goes at once (the sanitizer looks). */
#include "tests/support/testing.h"

#include "base/arena.h"

static void
test_alloc(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t size = 0; size < 3000; size += 37) {
		unsigned char *p = arena_alloc(&a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_fini(&a);
	assert_int_equal(a.used, 0);
	arena_fini(&a);
}

static void
test_limit(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 64);
	assert_non_null(arena_alloc(&a, 48));
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_null(arena_slice(&a, SLICE_LIT("x")).p);
	assert_null(arena_str(&a, "x"));
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 64));
	arena_fini(&a);
}

/* After a reset the memory that is kept is zeroed again when it is given out. */
static void
test_reset(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 100; i++) {
			char *p = arena_alloc(&a, 100);

			assert_int_equal(p[0] | p[99], 0);
			memset(p, 'x', 100);
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_fini(&a);
}

static void
test_copies(void **state)
{
	struct arena a;
	char text[] = "volatile";

	(void)state;
	arena_init(&a, 1024);
	struct slice copy = arena_slice(&a, slice_str(text));
	char *str = arena_str(&a, text);
	struct slice empty = arena_slice(&a, slice_of(NULL, 0));
	memset(text, '-', sizeof(text) - 1);
	assert_slice(copy, "volatile");
	assert_int_equal(copy.p[copy.len], '\0');
	assert_string_equal(str, "volatile");
	assert_non_null(empty.p);
	assert_int_equal(empty.len, 0);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
