/* test_buf — limits, the flag that stays, and a random walk against a plain array. */
#include "tests/support/testing.h"

#include "base/buf.h"
#include "base/fault.h"

static void
test_append_and_drop(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_slice(buf_slice(&b), "");
	assert_int_equal(buf_puts(&b, "hello"), 0);
	assert_int_equal(buf_putc(&b, ' '), 0);
	assert_int_equal(buf_put_slice(&b, SLICE_LIT("world")), 0);
	assert_slice(buf_slice(&b), "hello world");
	buf_drop(&b, 6);
	assert_slice(buf_slice(&b), "world");
	assert_string_equal(buf_cstr(&b), "world");
	buf_cut(&b, 3);
	assert_slice(buf_slice(&b), "wor");
	buf_cut(&b, 99);
	assert_slice(buf_slice(&b), "wor");
	buf_drop(&b, 3);
	assert_int_equal(buf_len(&b), 0);
	buf_shrink(&b);
	assert_null(b.mem);
	assert_string_equal(buf_cstr(&b), "");
	buf_fini(&b);
}

static void
test_insert(void **state)
{
	static const struct { size_t dropped, at; const char *text, *want; int result; } rows[] = {
		{ 0, 0, "ab", "ab0123456789", 0 }, { 0, 5, "ab", "01234ab56789", 0 }, { 0, 10, "ab", "0123456789ab", 0 },
		{ 0, 4, "", "0123456789", 0 }, { 7, 0, "abcdefghi", "abcdefghi789", 0 }, { 7, 3, "abcdefghi", "789abcdefghi", 0 },
		{ 10, 0, "ab", "ab", 0 }, { 0, 5, "abc", "0123456789", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		ROW(i, rows[i].want);
		buf_init(&b, 12);
		buf_puts(&b, "0123456789");
		buf_drop(&b, rows[i].dropped);
		assert_int_equal(buf_insert(&b, rows[i].at, slice_str(rows[i].text)), rows[i].result);
		assert_int_equal(b.failed, rows[i].result == -1);
		assert_slice(buf_slice(&b), rows[i].want);
		buf_fini(&b);
	}
}

/* What a secret one has let go of is not in its memory, whichever way it went. */
static void
test_secret(void **state)
{
	static const char nothing[64];
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	b.secret = true;
	buf_puts(&b, "first second third");
	buf_drop(&b, 6);
	assert_memory_equal(b.mem, nothing, 6);
	buf_cut(&b, 6);
	assert_slice(buf_slice(&b), "second");
	assert_memory_equal(b.mem + 12, nothing, 6);
	assert_non_null(buf_room(&b, b.cap - 8));	/* moves to the front */
	assert_slice(buf_slice(&b), "second");
	assert_memory_equal(b.mem + 6, nothing, 12);
	assert_non_null(buf_room(&b, 900));		/* moves elsewhere */
	assert_slice(buf_slice(&b), "second");
	buf_reset(&b);
	assert_memory_equal(b.mem, nothing, 6);
	buf_fini(&b);
}

static void
test_limit_is_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_puts(&b, "12345678"), 0);
	assert_int_equal(buf_puts(&b, "9ab"), -1);
	assert_true(b.failed);
	assert_slice(buf_slice(&b), "12345678");	/* as it was */
	assert_int_equal(buf_putc(&b, '9'), -1);	/* room enough, but a hole would be before it */
	buf_reset(&b);
	assert_int_equal(buf_puts(&b, "1234567890"), 0);
	assert_string_equal(buf_cstr(&b), "1234567890");	/* the NUL is beyond the limit's count */
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_null(buf_room(&b, SIZE_MAX));
	buf_fini(&b);
	assert_int_equal(buf_puts(&b, "again"), 0);	/* fini leaves an empty one with the same limit */
	buf_fini(&b);
}

static void
test_limit_zero(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_int_equal(buf_putc(&b, 'x'), -1);
	buf_fini(&b);
}

static void
test_printf(void **state)
{
	static char long_text[700];
	struct buf b;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	buf_init(&b, 699 + 3);
	assert_int_equal(buf_printf(&b, "%d-%s", 7, ""), 0);
	assert_slice(buf_slice(&b), "7-");
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "<%s>!", long_text), 0);
	assert_int_equal(buf_len(&b), 702);		/* exactly the limit */
	assert_int_equal(buf_printf(&b, "%c", 'x'), -1);
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "<%s>!!", long_text), -1);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

/* A thousand steps; the contents must always be those of the plain array. */
static void
test_random_walk(void **state)
{
	static char model[5000];
	size_t len = 0;
	struct buf b;

	(void)state;
	srand(1);
	buf_init(&b, sizeof(model));
	for (int step = 0; step < 20000; step++) {
		size_t n = (size_t)(rand() % 300);

		if (rand() % 2 == 0) {
			char piece[300];

			memset(piece, 'a' + step % 26, sizeof(piece));
			int want = len + n <= sizeof(model) ? 0 : -1;
			assert_int_equal(buf_append(&b, piece, n), want);
			if (want == 0) {
				memcpy(model + len, piece, n);
				len += n;
			}
			b.failed = false;
		} else {
			n = n > len ? len : n;
			buf_drop(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
		}
		assert_int_equal(buf_len(&b), len);
		assert_memory_equal(buf_slice(&b).p, model, len);
	}
	buf_fini(&b);
}

static void
test_no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct buf b;

	buf_init(&b, 1000);
	fault_plan("alloc:1");
	assert_int_equal(buf_puts(&b, "x"), -1);
	assert_true(b.failed);
	buf_reset(&b);
	assert_int_equal(buf_puts(&b, "x"), 0);
	fault_plan(NULL);
	buf_fini(&b);
#else
	skip();
#endif
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_drop), cmocka_unit_test(test_limit_is_sticky), cmocka_unit_test(test_insert),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_limit_zero),      cmocka_unit_test(test_printf),
		cmocka_unit_test(test_random_walk),     cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
