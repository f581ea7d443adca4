/* test_fields — typed fields in and out, and a reader that stays bad. */
#include "tests/support/testing.h"

#include "ipc/reader.h"
#include "ipc/writer.h"

static void
test_round_trip(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	put_u8(&b, 0xfe);
	put_u16(&b, 0x1234);
	put_u32(&b, UINT32_MAX);
	put_u64(&b, UINT64_C(0x0102030405060708));
	put_i64(&b, INT64_MIN);
	put_bool(&b, true);
	put_slice(&b, SLICE_LIT("a\0b"));
	put_str(&b, NULL);
	put_str(&b, "end");
	assert_false(b.failed);
	assert_memory_equal(buf_slice(&b).p, "\xfe\x34\x12\xff\xff\xff\xff\x08\x07",
			    9); /* little-endian on every machine */

	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(get_u8(&r), 0xfe);
	assert_int_equal(get_u16(&r), 0x1234);
	assert_int_equal(get_u32(&r), UINT32_MAX);
	assert_true(get_u64(&r) == UINT64_C(0x0102030405060708));
	assert_true(get_i64(&r) == INT64_MIN);
	assert_true(get_bool(&r));
	assert_true(slice_eq(get_slice(&r, 3), SLICE_LIT("a\0b")));
	assert_slice(get_slice(&r, 0), "");
	assert_int_equal(reader_end(&r), -1);		/* something is left */
	assert_slice(get_slice(&r, 3), "end");
	assert_int_equal(reader_end(&r), 0);
	buf_fini(&b);
}

static void
test_sticky(void **state)
{
	struct reader r = reader_of(SLICE_LIT("\x02\x01\x01\x01\x01\x01\x01\x01\x01"));

	(void)state;
	assert_false(get_bool(&r));	/* 2 is no truth */
	assert_true(r.bad);
	assert_int_equal(get_u8(&r), 0);
	assert_int_equal(get_u16(&r), 0);
	assert_int_equal(get_u32(&r), 0);
	assert_true(get_u64(&r) == 0 && get_i64(&r) == 0);
	assert_int_equal(get_slice(&r, 100).len, 0);
	assert_non_null(get_slice(&r, 100).p);
	assert_int_equal(get_count(&r, 100, 1), 0);
	assert_int_equal(reader_end(&r), -1);
}

static void
test_slice_limits(void **state)
{
	static const struct { struct slice in; size_t max; bool good; } rows[] = {
		{ SLICE_LIT("\3\0\0\0abc"), 3, true },
		{ SLICE_LIT("\3\0\0\0abc"), 2, false },		/* above the field's maximum */
		{ SLICE_LIT("\4\0\0\0abc"), 9, false },		/* more than is there */
		{ SLICE_LIT("\xff\xff\xff\xff" "abc"), SIZE_MAX, false },
		{ SLICE_LIT("\0\0\0"), 9, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader r = reader_of(rows[i].in);

		ROW(i, "");
		(void)get_slice(&r, rows[i].max);
		assert_int_equal(reader_end(&r), rows[i].good ? 0 : -1);
	}
}

static void
test_count(void **state)
{
	static const struct { struct slice in; uint32_t max; size_t least; uint32_t count; bool bad; } rows[] = {
		{ SLICE_LIT("\2\0\0\0abcd"), 10, 2, 2, false },
		{ SLICE_LIT("\2\0\0\0abc"), 10, 2, 0, true },
		{ SLICE_LIT("\2\0\0\0abcd"), 1, 1, 0, true },
		{ SLICE_LIT("\0\0\0\0"), 10, 2, 0, false },
		{ SLICE_LIT("\xff\xff\xff\xff" "abc"), UINT32_MAX, 1, 0, true },
		{ SLICE_LIT("\7\0\0\0"), 10, 0, 7, false },		/* items without bytes */
		{ SLICE_LIT("\7\0\0"), 10, 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader r = reader_of(rows[i].in);

		ROW(i, "");
		assert_int_equal(get_count(&r, rows[i].max, rows[i].least), rows[i].count);
		assert_int_equal(r.bad, rows[i].bad);
	}
}

static void
test_enum(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 256; n++) {
		char byte = (char)n;
		struct reader strict = reader_of(slice_of(&byte, 1)), loose = strict;

		assert_int_equal(get_enum(&strict, 5), n < 5 ? n : 0);
		assert_int_equal(strict.bad, n == 0 || n >= 5);
		assert_int_equal(get_enum0(&loose, 5), n < 5 ? n : 0);
		assert_int_equal(loose.bad, n >= 5);
	}
}

static void
test_writer_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 6);
	put_u32(&b, 1);
	put_u32(&b, 2);		/* does not fit */
	put_u8(&b, 3);		/* would, but the frame has a hole */
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 4);
	buf_fini(&b);
}

static void
test_number(void **state)
{
	struct reader none = reader_of(SLICE_LIT("\0\0\0\0\0\0\0\0")), one = reader_of(SLICE_LIT("\1\0\0\0\0\0\0\0"));

	(void)state;
	assert_int_equal(get_number(&none), 0);
	assert_int_equal(reader_end(&none), -1);
	assert_int_equal(get_number(&one), 1);
	assert_int_equal(reader_end(&one), 0);
}

/* A length that its four bytes cannot hold. */
static void
test_slice_too_long(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	put_slice(&b, slice_of("", (size_t)UINT32_MAX + 1));
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_sticky), cmocka_unit_test(test_slice_limits),
		cmocka_unit_test(test_count), cmocka_unit_test(test_enum), cmocka_unit_test(test_writer_limit),
		cmocka_unit_test(test_number), cmocka_unit_test(test_slice_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
