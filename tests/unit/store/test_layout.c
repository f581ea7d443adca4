/* store: a configuration, a directory or segments that are not what they should be: it does not start, and says why. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "queue/store/bytes.h"
#include "queue/store/inside.h"

static void
test_configuration(void **state)
{
	static const struct { const char *what; uint32_t segments; uint64_t size; } rows[] = {
		{ "too few", STORE_SEGMENTS_MIN - 1, MIB }, { "too many", STORE_SEGMENTS_MAX + 1, MIB },
		{ "too small", 8, MIB - 4096 }, { "none", 8, 0 }, { "too large", 8, STORE_SEGMENT_SIZE_MAX + UINT64_C(4096) },
		{ "no whole blocks", 8, MIB + 512 },
	};

	(void)state;
	close_store();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		conf = (struct store_conf){ directory, rows[i].segments, rows[i].size };
		ROW(i, rows[i].what);
		assert_false(open_with(NULL));
	}
	conf = (struct store_conf){ directory, 8, MIB };
	open_store();
}

/* A directory that others may write, that somebody uses, or that is something else. */
static void
test_directory(void **state)
{
	char path[200], other[200];
	struct store *second;
	struct err why = { 0 };

	(void)state;
	second = store_open(loop, &conf, &ops, NULL, &why);
	assert_null(second);
	assert_non_null(strstr(why.text, "in use"));
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	assert_int_equal(chmod(directory, 0777), 0);
	assert_false(open_with(NULL));
	assert_int_equal(chmod(directory, 0700), 0);
	/* STORE is gone, the mail is there. */
	path_of(path, "STORE");
	path_of(other, "corrupt/STORE");
	assert_int_equal(rename(path, other), 0);
	assert_false(open_with(NULL));
	assert_non_null(strstr(why_not.text, "STORE is missing"));
	/* A stranger's directory. */
	make_file("stranger\n", "x");
	assert_false(open_with(NULL));
	assert_non_null(strstr(why_not.text, "stranger"));
	path_of(path, "stranger\n");
	assert_int_equal(unlink(path), 0);
	path_of(path, "STORE");
	assert_int_equal(rename(other, path), 0);
	open_store();
	assert_int_equal(nmails, 1);
	close_store();
	conf.directory = "/tmp/there is no such directory";
	assert_false(open_with(NULL));
	conf.directory = "/dev/null";
	assert_false(open_with(NULL));
	conf.directory = directory;
	open_store();
}

static void
test_last_epoch(void **state)
{
	char text[256];
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "posthorn-store 1\nid %s\nepoch %u\n", store_identity(store), UINT32_MAX);
	snprintf(text + n, sizeof(text) - (size_t)n, "check %08x\n", crc32c(0, text, (size_t)n));
	close_store();
	make_file("STORE", text);
	assert_false(open_with(NULL));		/* no id is ever given out twice */
}

static void
put_head(const char *name, const unsigned char id[16], uint32_t version, uint32_t use)
{
	unsigned char block[SEGMENT_HEAD];
	struct segment_head head = { .use = use, .sequence = use == SEGMENT_USE_FREE ? 0 : 5, .nonce = 7, .size = MIB };

	memcpy(head.store, id, sizeof(head.store));
	segment_head_put(block, &head);
	bytes_put32(block + 8, version);
	bytes_put32(block + 60, crc32c(0, block, 60));
	change_bytes(name, 0, block, sizeof(block));
}

static void
test_strange_segments(void **state)
{
	unsigned char id[16], other[16] = "another store!!";
	char path[200];

	(void)state;
	memcpy(id, store->ids.store, sizeof(id));
	put(STORE_CLIENT, "e", "c", 1);
	wait_answers(1);
	close_store();
	put_head("journal/005.seg", id, 2, SEGMENT_USE_MAIL);
	assert_false(open_with(NULL));
	assert_non_null(strstr(why_not.text, "newer posthorn"));
	put_head("journal/005.seg", other, 1, SEGMENT_USE_FREE);
	assert_false(open_with(NULL));
	assert_non_null(strstr(why_not.text, "another store"));
	put_head("journal/005.seg", id, 1, SEGMENT_USE_FREE);
	/* Names that are none of ours stay what they are. */
	make_file("journal/notes", "x");
	make_file("journal/010.segment", "x");
	make_file("journal/0010.seg", "x");
	make_file("journal/1.seg", "x");
	open_store();
	assert_int_equal(nmails, 1);
	assert_int_equal(files_in("journal"), 12);
	close_store();
	/* Larger than any segment, and no file at all. */
	path_of(path, "journal/005.seg");
	assert_int_equal(truncate(path, (off_t)STORE_SEGMENT_SIZE_MAX + 4096), 0);
	assert_false(open_with(NULL));
	assert_int_equal(truncate(path, (off_t)MIB), 0);
	open_store();
	assert_int_equal(nmails, 1);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_configuration), T(test_directory), T(test_last_epoch), T(test_strange_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
