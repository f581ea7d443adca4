/* test_frame — the eight bytes, and who may shake hands. */
#include "tests/support/testing.h"

#include "ipc/frame.h"

static void
test_take(void **state)
{
	static const struct {
		struct slice in;
		enum frame_result result;
		unsigned type;
		bool has_fd;
		size_t body;
	} rows[] = {
		{ SLICE_LIT(""), FRAME_MORE, 0, false, 0 },
		{ SLICE_LIT("\0\0\0\0\7\0\0"), FRAME_MORE, 0, false, 0 },
		{ SLICE_LIT("\0\0\0\0\7\0\0\0"), FRAME_READY, 7, false, 0 },
		{ SLICE_LIT("\0\0\0\0\7\1\1\0"), FRAME_READY, 263, true, 0 },
		{ SLICE_LIT("\3\0\0\0\7\0\0\0ab"), FRAME_MORE, 0, false, 0 },
		{ SLICE_LIT("\3\0\0\0\7\0\0\0abcd"), FRAME_READY, 7, false, 3 },
		{ SLICE_LIT("\0\0\0\0\7\0\2\0"), FRAME_BAD, 0, false, 0 }, /* two descriptors */
		{ SLICE_LIT("\0\0\0\0\7\0\0\1"), FRAME_BAD, 0, false, 0 },
		{ SLICE_LIT("\1\0\5\0\7\0\0\0"), FRAME_BAD, 0, false, 0 },  /* FRAME_MAX + 1: refused at the header */
		{ SLICE_LIT("\0\0\5\0\7\0\0\0"), FRAME_MORE, 0, false, 0 }, /* FRAME_MAX */
		{ SLICE_LIT("\xff\xff\xff\xff\7\0\0\0"), FRAME_BAD, 0, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame f;
		size_t used;

		ROW(i, "");
		assert_int_equal(frame_take(rows[i].in, &f, &used), rows[i].result);
		if (rows[i].result != FRAME_READY)
			continue;
		assert_int_equal(f.type, rows[i].type);
		assert_int_equal(f.has_fd, rows[i].has_fd);
		assert_int_equal(f.body.len, rows[i].body);
		assert_int_equal(used, FRAME_HEADER + rows[i].body);
	}
}

static void
test_open_and_close(void **state)
{
	static char body[FRAME_MAX + 1];
	struct frame f;
	struct buf b;
	size_t used;

	(void)state;
	buf_init(&b, 2 * FRAME_MAX);
	(void)buf_puts(&b, "earlier frames");
	size_t at = buf_len(&b);
	frame_open(&b, 300);
	put_u16(&b, 9);
	assert_int_equal(frame_close(&b, at, true), 0);
	struct slice in = buf_slice(&b);
	slice_drop(&in, at);
	assert_int_equal(frame_take(in, &f, &used), FRAME_READY);
	assert_int_equal(f.type, 300);
	assert_true(f.has_fd);
	assert_int_equal(f.body.len, 2);

	buf_reset(&b);
	frame_open(&b, 1);
	(void)buf_append(&b, body, FRAME_MAX);
	assert_int_equal(frame_close(&b, 0, false), 0);
	assert_int_equal(frame_take(buf_slice(&b), &f, &used), FRAME_READY);
	(void)buf_putc(&b, 'x');
	assert_int_equal(frame_close(&b, 0, false), -1);
	buf_fini(&b);

	buf_init(&b, 10);
	frame_open(&b, 1);
	put_u64(&b, 1);
	assert_int_equal(frame_close(&b, 0, false), -1);	/* a field did not fit */
	buf_fini(&b);
}

static void
test_handshake(void **state)
{
	static const struct { const char *wire; uint16_t version; int result; } rows[] = {
		{ "submit", 1, 0 }, { "submit", 2, -1 }, { "submi", 1, -1 }, { "submit2", 1, -1 }, { "", 1, -1 },
	};
	struct frame f;
	struct buf b;
	size_t used;

	(void)state;
	buf_init(&b, 100);
	handshake_put(&b, "submit", 1);
	assert_int_equal(frame_take(buf_slice(&b), &f, &used), FRAME_READY);
	assert_int_equal(f.type, FRAME_HANDSHAKE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].wire);
		assert_int_equal(handshake_check(f.body, rows[i].wire, rows[i].version), rows[i].result);
	}
	for (size_t cut = 0; cut < f.body.len; cut++)
		assert_int_equal(handshake_check(slice_of(f.body.p, cut), "submit", 1), -1);
	b.mem[b.start + FRAME_HEADER] ^= 1;	/* the magic */
	assert_int_equal(handshake_check(f.body, "submit", 1), -1);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take), cmocka_unit_test(test_open_and_close), cmocka_unit_test(test_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
