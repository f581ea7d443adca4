/* index: which PUT is the newest, which states come after, what is done: whatever the order of
 * reading. */
#include "tests/support/testing.h"

#include "queue/store/index.h"

static struct segment segments[3] = { { .sequence = 5 }, { .sequence = 6 }, { .sequence = 7 } };

struct seen {
	enum record_type type;
	uint32_t	 version;
	int		 segment;	/* -1: end of the row */
	uint32_t	 offset;
};

static const struct {
	const char	*name;
	struct seen	 seen[6];
	int		 segment;		/* of the PUT */
	uint32_t	 offset;
	bool		 done;
	const char	*deltas;		/* versions, in order */
} rows[] = {
	{ "one put", { { RECORD_PUT, 1, 0, 100 }, { .segment = -1 } }, 0, 100, false, "" },
	{ "the copy has the higher version", { { RECORD_PUT, 3, 2, 50 }, { RECORD_PUT, 1, 0, 100 }, { .segment = -1 } }, 2, 50, false, "" },
	{ "same version: the later segment", { { RECORD_PUT, 2, 2, 50 }, { RECORD_PUT, 2, 1, 100 }, { .segment = -1 } }, 2, 50, false, "" },
	{ "same segment: the later place", { { RECORD_PUT, 2, 1, 50 }, { RECORD_PUT, 2, 1, 100 }, { .segment = -1 } }, 1, 100, false, "" },
	{ "states by version", { { RECORD_PUT, 1, 0, 1 }, { RECORD_STATE, 4, 1, 1 }, { RECORD_STATE, 2, 1, 2 }, { RECORD_STATE, 3, 0, 3 },
	    { .segment = -1 } }, 0, 1, false, "234" },
	{ "a state twice", { { RECORD_PUT, 1, 0, 1 }, { RECORD_STATE, 2, 0, 9 }, { RECORD_STATE, 2, 1, 2 }, { .segment = -1 } }, 0, 1, false, "2" },
	{ "done before its put is seen", { { RECORD_DONE, 2, 1, 1 }, { RECORD_PUT, 1, 0, 1 }, { .segment = -1 } }, 0, 1, true, "" },
	{ "done stays done", { { RECORD_PUT, 1, 0, 1 }, { RECORD_DONE, 1, 1, 1 }, { RECORD_PUT, 2, 2, 1 }, { .segment = -1 } }, 2, 1, true, "" },
	{ "a reserved kind says nothing", { { RECORD_PUT, 1, 0, 1 }, { RECORD_MORE, 2, 1, 1 }, { .segment = -1 } }, 0, 1, false, "" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct index x;
		struct entry *e;
		const char *v = rows[i].deltas;

		ROW(i, rows[i].name);
		index_init(&x);
		for (const struct seen *s = rows[i].seen; s->segment != -1; s++) {
			struct record r = { .type = s->type, .id = 42, .version = s->version };

			assert_int_equal(index_add(&x, &r, &segments[s->segment], s->offset), 0);
		}
		assert_int_equal(x.count, 1);
		e = index_find(&x, 42);
		assert_non_null(e);
		assert_ptr_equal(e->segment, &segments[rows[i].segment]);
		assert_int_equal(e->offset, rows[i].offset);
		assert_int_equal(e->done, rows[i].done);
		for (const struct delta *d = e->deltas; d != NULL; d = d->next)
			assert_int_equal(d->version, (uint32_t)(*v++ - '0'));
		assert_int_equal(*v, '\0');
		assert_null(index_find(&x, 43));
		index_fini(&x);
	}
}

static void
test_many(void **state)
{
	struct index x;

	(void)state;
	index_init(&x);
	for (uint64_t id = 1; id <= 20000; id++) {
		struct record r = { .type = RECORD_PUT, .id = id << 20, .version = 1 };

		assert_int_equal(index_add(&x, &r, &segments[0], (uint32_t)id), 0);
	}
	assert_int_equal(x.count, 20000);
	for (uint64_t id = 1; id <= 20000; id++)
		assert_int_equal(index_find(&x, id << 20)->offset, (uint32_t)id);
	index_fini(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
