/* record: what was put is taken; nothing that is not whole is called whole. */
#include "tests/support/testing.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/store/record.h"

static const struct {
	const char	*name;
	struct record	 record;
} rows[] = {
	{ "put", { .type = RECORD_PUT, .id = 0x100000001, .version = 1, .envelope = { "envelope", 8 }, .content = { "content!", 8 },
	    .content_size = 8 } },
	{ "put without content", { .type = RECORD_PUT, .id = 2, .version = 7, .envelope = { "e", 1 } } },
	{ "large put", { .type = RECORD_PUT, .large = true, .id = 3, .version = 2, .envelope = { "e", 1 }, .content_size = 1u << 30,
	    .content_crc = 0x12345678 } },
	{ "state", { .type = RECORD_STATE, .id = UINT64_MAX, .version = UINT32_MAX, .envelope = { "delta", 5 } } },
	{ "empty state", { .type = RECORD_STATE, .id = 4, .version = 3 } },
	{ "done", { .type = RECORD_DONE, .id = 5, .version = 9 } },
};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))

/* As it lies on disk. */
static size_t
print(const struct record *in, unsigned char *out)
{
	struct record r = *in;
	size_t n;

	if (r.type == RECORD_PUT && !r.large)
		r.content_crc = crc32c(0, r.content.p, r.content.len);
	n = record_head_put(out, &r);
	if (r.envelope.len > 0)
		memcpy(out + n, r.envelope.p, r.envelope.len);
	if (r.content.len > 0)
		memcpy(out + n + r.envelope.len, r.content.p, r.content.len);
	assert_int_equal(record_size(&r), n + r.envelope.len + r.content.len);
	return record_size(&r);
}

static void
test_round_trip(void **state)
{
	unsigned char bytes[256];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct slice in = slice_of(bytes, print(&rows[i].record, bytes));
		const struct record *want = &rows[i].record;
		struct record got;
		bool whole = false;

		ROW(i, rows[i].name);
		assert_int_equal(record_take(&in, &got, true, &whole), 0);
		assert_true(whole);
		assert_int_equal(in.len, 0);
		assert_int_equal(got.type, want->type);
		assert_true(got.id == want->id);
		assert_int_equal(got.version, want->version);
		assert_int_equal(got.large, want->large);
		assert_true(slice_eq(got.envelope, want->envelope));
		assert_true(slice_eq(got.content, want->content));
		assert_true(got.content_size == want->content_size);
	}
}

/* One flipped bit anywhere: the head is refused, or the record is not whole. */
static void
test_every_bit(void **state)
{
	unsigned char bytes[256];
	struct record got;
	bool whole;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = print(&rows[i].record, bytes);

		ROW(i, rows[i].name);
		for (size_t bit = 0; bit < len * 8; bit++) {
			struct slice in = slice_of(bytes, len);

			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
			whole = true;
			if (record_take(&in, &got, true, &whole) == 0)
				assert_false(whole);
			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
	}
}

static void
test_cut(void **state)
{
	unsigned char bytes[256];
	struct record got;
	bool whole;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = print(&rows[i].record, bytes);

		ROW(i, rows[i].name);
		for (size_t cut = 0; cut < len; cut++) {
			unsigned char *exact = mem_dup(bytes, cut > 0 ? cut : 1);
			struct slice in = slice_of(exact, cut);

			assert_int_equal(record_take(&in, &got, true, &whole), -1);
			mem_free(exact);
		}
	}
}

/* A damaged body costs its own record and not the next. */
static void
test_goes_on_behind_a_bad_body(void **state)
{
	unsigned char bytes[512];
	size_t first = print(&rows[0].record, bytes), second = print(&rows[3].record, bytes + first);
	struct slice in = slice_of(bytes, first + second);
	struct record got;
	bool whole;

	(void)state;
	bytes[first - 1] ^= 1;
	assert_int_equal(record_take(&in, &got, true, &whole), 0);
	assert_false(whole);
	assert_int_equal(record_take(&in, &got, true, &whole), 0);
	assert_true(whole);
	assert_int_equal(got.type, RECORD_STATE);
}

/* A head that checks, over lengths that do not meet. */
static void
test_lengths_within_a_put(void **state)
{
	unsigned char bytes[256];
	size_t len = print(&rows[0].record, bytes);
	struct slice in = slice_of(bytes, len);
	struct record got;
	bool whole;

	(void)state;
	bytes[RECORD_HEAD] = 200;		/* envelope longer than the body */
	assert_int_equal(record_take(&in, &got, false, &whole), 0);
	assert_false(whole);
	len = print(&rows[0].record, bytes);
	in = slice_of(bytes, len);
	bytes[RECORD_HEAD + 8] = 9;		/* content of another size */
	assert_int_equal(record_take(&in, &got, false, &whole), 0);
	assert_false(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_bit), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_goes_on_behind_a_bad_body), cmocka_unit_test(test_lengths_within_a_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
