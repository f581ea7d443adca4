/* batch and segment heads: a batch is whole, bad, or none of this life and place. */
#include "tests/support/testing.h"

#include "queue/store/batch.h"
#include "queue/store/disk.h"
#include "queue/store/segment.h"

static const struct batch_head here = { .segment = 7, .nonce = 0xfeedfacecafebeef, .sequence = 99, .oldest = 3, .offset = 8192 };

/* A sealed batch of three pieces as it lies on disk. */
static size_t
print(unsigned char *out, size_t size)
{
	struct batch_head head = here;
	struct batch b;
	size_t n = 0;

	batch_init(&b);
	assert_int_equal(batch_room(&b, 3), 0);
	batch_piece(&b, "one", 3);
	batch_piece(&b, "", 0);
	batch_piece(&b, "three", 5);
	b.records = 2;
	batch_seal(&b, &head);
	for (size_t i = 1; i < b.n; i++) {
		assert_true(n + b.iov[i].iov_len <= size);
		memcpy(out + n, b.iov[i].iov_base, b.iov[i].iov_len);
		n += b.iov[i].iov_len;
	}
	assert_int_equal(n, batch_padded(&b));
	/* A second seal, after a failed sync, must not pad twice. */
	batch_seal(&b, &head);
	n = 0;
	for (size_t i = 1; i < b.n; i++)
		n += b.iov[i].iov_len;
	assert_int_equal(n, batch_padded(&b));
	batch_fini(&b);
	return n;
}

static void
test_whole(void **state)
{
	unsigned char disk[8192] = { 0 };
	struct batch_head got;

	(void)state;
	assert_int_equal(print(disk, sizeof(disk)), DISK_BLOCK);
	assert_int_equal(batch_look(slice_of(disk, sizeof(disk)), &here, &got), BATCH_WHOLE);
	assert_int_equal(got.length, 8);
	assert_int_equal(got.records, 2);
	assert_true(got.sequence == 99 && got.oldest == 3);
	assert_memory_equal(disk + BATCH_HEAD, "onethree", 8);
}

static const struct {
	const char		*name;
	size_t			 at;		/* byte to flip */
	size_t			 len;
	enum batch_verdict	 verdict;
} rows[] = {
	{ "untouched", 9000, 8192, BATCH_WHOLE },
	{ "magic", 0, 8192, BATCH_RESEMBLES },
	{ "version", 4, 8192, BATCH_RESEMBLES },
	{ "segment", 8, 8192, BATCH_RESEMBLES },
	{ "nonce", 16, 8192, BATCH_RESEMBLES },
	{ "sequence", 24, 8192, BATCH_RESEMBLES },
	{ "offset", 40, 8192, BATCH_RESEMBLES },
	{ "length", 44, 8192, BATCH_RESEMBLES },
	{ "head's checksum", 60, 8192, BATCH_RESEMBLES },
	{ "first byte of the records", 64, 8192, BATCH_BAD_RECORDS },
	{ "last byte of the records", 71, 8192, BATCH_BAD_RECORDS },
	{ "padding", 72, 8192, BATCH_WHOLE },
	{ "cut in the records", 9000, 70, BATCH_ELSE },
	{ "cut in the head", 9000, 63, BATCH_ELSE },
};

static void
test_verdicts(void **state)
{
	unsigned char disk[16384] = { 0 };
	struct batch_head got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		print(disk, sizeof(disk));
		disk[rows[i].at] ^= 0x10;
		assert_int_equal(batch_look(slice_of(disk, rows[i].len), &here, &got), rows[i].verdict);
		disk[rows[i].at] ^= 0x10;
	}
}

/* The same bytes at another place, in another segment, in another life of it: somebody's
 * content, or stale. */
static void
test_not_of_here(void **state)
{
	unsigned char disk[8192] = { 0 };
	struct batch_head got, want;

	(void)state;
	print(disk, sizeof(disk));
	want = here;
	want.offset = 4096;
	assert_int_equal(batch_look(slice_of(disk, sizeof(disk)), &want, &got), BATCH_ELSE);
	want = here;
	want.segment = 8;
	assert_int_equal(batch_look(slice_of(disk, sizeof(disk)), &want, &got), BATCH_ELSE);
	want = here;
	want.nonce++;
	assert_int_equal(batch_look(slice_of(disk, sizeof(disk)), &want, &got), BATCH_ELSE);
	memset(disk, 0, sizeof(disk));
	assert_int_equal(batch_look(slice_of(disk, sizeof(disk)), &here, &got), BATCH_ELSE);
}

static void
test_segment_head(void **state)
{
	struct segment_head in = { .use = SEGMENT_USE_MAIL, .store = "0123456789abcde", .sequence = 12, .nonce = 34, .size = 1 << 20 }, out;
	unsigned char block[SEGMENT_HEAD] = { 0 };

	(void)state;
	assert_int_equal(segment_head_get(slice_of(block, sizeof(block)), &out), SEGMENT_HEAD_BLANK);
	segment_head_put(block, &in);
	assert_int_equal(segment_head_get(slice_of(block, sizeof(block)), &out), SEGMENT_HEAD_WHOLE);
	assert_true(out.use == SEGMENT_USE_MAIL && out.sequence == 12 && out.nonce == 34 && out.size == 1 << 20);
	assert_memory_equal(out.store, in.store, 16);
	for (size_t i = 0; i < 64; i++) {
		block[i] ^= 4;
		assert_int_equal(segment_head_get(slice_of(block, sizeof(block)), &out), SEGMENT_HEAD_BAD);
		block[i] ^= 4;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_verdicts), cmocka_unit_test(test_not_of_here),
		cmocka_unit_test(test_segment_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
