/* test_files — what the supervisor passes on: found by kind and number, read whole or not at all. */
#include "tests/support/testing.h"

#include <unistd.h>

#include "base/fd.h"
#include "proc/files.h"

#define LEAST	FILE_BLOCK	/* a buffer that takes so many bytes has as many more */

static void
test_read(void **state)
{
	static const struct { const char *name; size_t size, most; bool good; } rows[] = {
		{ "nothing", 0, LEAST, true },
		{ "a block", FILE_BLOCK, LEAST, true },
		{ "a byte more", FILE_BLOCK + 1, LEAST, false },
		{ "several blocks", 5 * FILE_BLOCK + 7, 6 * FILE_BLOCK, true },
	};
	static char bytes[8 * FILE_BLOCK];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files files = { 0 };
		struct buf out;
		struct err err;
		int fd = fd_sealed("file", bytes, rows[i].size, &err);

		ROW(i, rows[i].name);
		assert_int_equal(files_add(&files, &(struct control_file){ PASSED_AUTHORITIES, 0 }, fd), 0);
		for (int again = 0; again < 2; again++) {	/* other processes share the descriptor's place */
			buf_init(&out, rows[i].most + FILE_BLOCK);
			assert_int_equal(files_read(&files, PASSED_AUTHORITIES, 0, &out, &err), rows[i].good ? 0 : -1);
			if (rows[i].good)
				assert_int_equal(buf_len(&out), rows[i].size);
			buf_fini(&out);
		}
		files_close(&files);
	}
}

static void
test_find(void **state)
{
	struct files files = { 0 };
	struct buf out;
	struct err err;

	(void)state;
	assert_int_equal(files_add(&files, &(struct control_file){ PASSED_KEY, 1 }, fd_sealed("key", "k", 1, &err)), 0);
	assert_true(files_have(&files, PASSED_KEY, 1));
	assert_false(files_have(&files, PASSED_KEY, 0));
	assert_false(files_have(&files, PASSED_CERTIFICATE, 1));
	buf_init(&out, 2 * FILE_BLOCK);
	assert_int_equal(files_read(&files, PASSED_CERTIFICATE, 1, &out, &err), -1);
	assert_string_equal(err.text, "posthornd did not pass it on");
	assert_int_equal(files_read(&files, PASSED_KEY, 1, &out, &err), 0);
	assert_slice(buf_slice(&out), "k");
	buf_fini(&out);
	files_close(&files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
