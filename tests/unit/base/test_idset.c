/* idset: what was added is there once, whatever else came and went. */
#include "tests/support/testing.h"

#include "base/fault.h"
#include "base/idset.h"

static void
test_members(void **state)
{
	static const uint64_t some[] = { 0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX };
	struct idset s;

	(void)state;
	idset_init(&s);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		ROW(i, "an id");
		assert_false(idset_has(&s, some[i]));
		idset_remove(&s, some[i]);		/* one that is not there */
		assert_int_equal(idset_add(&s, some[i]), 0);
		assert_int_equal(idset_add(&s, some[i]), 0);
		assert_true(idset_has(&s, some[i]));
	}
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		idset_remove(&s, some[i]);		/* once, though it was added twice */
		assert_false(idset_has(&s, some[i]));
		if (i + 1 < sizeof(some) / sizeof(some[0]))
			assert_true(idset_has(&s, some[i + 1]));
	}
	idset_fini(&s);
}

static void
test_many(void **state)
{
	struct idset s;

	(void)state;
	idset_init(&s);
	for (uint64_t id = 0; id < 20000; id++)
		assert_int_equal(idset_add(&s, id << 7), 0);
	for (uint64_t id = 0; id < 20000; id += 2)
		idset_remove(&s, id << 7);
	for (uint64_t id = 0; id < 20000; id++)
		assert_int_equal(idset_has(&s, id << 7), id % 2 == 1);
	assert_false(idset_has(&s, 1));
	idset_fini(&s);
	idset_init(&s);			/* what was there is gone */
	assert_false(idset_has(&s, 1 << 7));
	idset_fini(&s);
}

#ifdef POSTHORN_FAULTS
static void
test_no_memory(void **state)
{
	struct idset s;

	(void)state;
	idset_init(&s);
	assert_int_equal(idset_add(&s, 1), 0);
	fault_plan("alloc:1+:ENOMEM");
	assert_int_equal(idset_add(&s, 2), -1);
	assert_int_equal(idset_add(&s, 1), 0);		/* is there already: nothing is needed */
	fault_plan(NULL);
	assert_false(idset_has(&s, 2));
	assert_true(idset_has(&s, 1));
	assert_int_equal(idset_add(&s, 2), 0);
	assert_true(idset_has(&s, 2));
	idset_fini(&s);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members), cmocka_unit_test(test_many),
#ifdef POSTHORN_FAULTS
		cmocka_unit_test(test_no_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
