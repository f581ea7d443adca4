/*
 * test_passwd_file — lines, versions, and the difference between "not in it" and "cannot be read".
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lookup/user/passwd_file.h"
#include "lookup/user/text_file.h"
#include "tests/support/tempdir.h"

static const struct {
	const char	*line, *why;		/* why NULL: good */
	uint32_t	 uid;
	const char	*name, *home;
} lines[] = {
	{ "ann:x:1000:1001:Ann:/home/ann:/bin/sh", NULL, 1000, "ann", "/home/ann" },
	{ "ann:x:1000:1001::/home/ann", NULL, 1000, "ann", "/home/ann" },
	{ "ann::1000:1001::/home/ann:", NULL, 1000, "ann", "/home/ann" },
	{ "a@example.org:{SSHA}x:7:7::/v/a::quota=1", NULL, 7, "a@example.org", "/v/a" },
	{ "", "less than six fields", 0, NULL, NULL },
	{ "ann", "less than six fields", 0, NULL, NULL },
	{ "ann:x:1000:1001:Ann", "less than six fields", 0, NULL, NULL },
	{ ":x:1000:1001:Ann:/home/ann:", "no name", 0, NULL, NULL },
	{ "ann:x::1001:Ann:/home/ann:", "the uid is no number", 0, NULL, NULL },
	{ "ann:x:-1:1001:Ann:/home/ann:", "the uid is no number", 0, NULL, NULL },
	{ "ann:x:4294967295:1001:Ann:/home/ann:", "the uid is no number", 0, NULL, NULL },
	{ "ann:x:4294967296:1001:Ann:/home/ann:", "the uid is no number", 0, NULL, NULL },
	{ "ann:x:1000: 7:Ann:/home/ann:", "the gid is no number", 0, NULL, NULL },
	{ "ann:x:1000:1001:Ann::", "the home is no absolute path", 0, NULL, NULL },
	{ "ann:x:1000:1001:Ann:home:", "the home is no absolute path", 0, NULL, NULL },
	{ "ann:x:1000:1001:Ann:/home/ann:\r", "a byte that is no text", 0, NULL, NULL },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct account account;
		const char *why = NULL;
		int result = passwd_line_parse(slice_str(lines[i].line), &account, &why);

		ROW(i, lines[i].line);
		assert_int_equal(result, lines[i].why == NULL ? 0 : -1);
		if (lines[i].why != NULL) {
			assert_string_equal(why, lines[i].why);
			continue;
		}
		assert_int_equal(account.uid, lines[i].uid);
		assert_slice(account.name, lines[i].name);
		assert_slice(account.home, lines[i].home);
	}
}

struct fixture {
	char			 base[256], path[512];
	struct passwd_file	*file;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	tempdir_make(f->base);
	(void)tempdir_join(f->path, f->base, "users");
	assert_non_null(f->file = passwd_file_new(f->path));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	passwd_file_free(&f->file);
	tempdir_remove(f->base);
	free(f);
	return 0;
}

static bool
has(struct fixture *f, const char *local)
{
	struct account account;

	return passwd_file_find(f->file, slice_str(local), SLICE_LIT("example.org"), &account);
}

static void
test_versions(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint64_t first;

	tempdir_write(f->path, "ann:x:1000:1000::/home/ann:\n# bob:x:1:1::/:\n\nbroken line\nann:x:2:2::/second:\n"
	    "eve@example.org:x:1002:1002::/home/eve:\nzoe@example.net:x:3:3::/z:\n");
	assert_int_equal(passwd_file_refresh(f->file, &err), 1);
	assert_int_equal(passwd_file_refresh(f->file, &err), 0);
	first = passwd_file_stamp(f->file);
	assert_int_equal(passwd_file_skipped(f->file), 1);
	assert_true(has(f, "ann"));
	assert_true(has(f, "eve"));
	assert_false(has(f, "bob"));
	assert_false(has(f, "zoe"));			/* of another domain */
	assert_false(has(f, "eve@example.org"));	/* a local part with an @ is no whole address */
	tempdir_write(f->path, "bob:x:1000:1000::/home/bob:\n");
	assert_int_equal(passwd_file_refresh(f->file, &err), 1);
	assert_true(passwd_file_stamp(f->file) != first);
	assert_false(has(f, "ann"));
	assert_true(has(f, "bob"));
}

static void
test_first_line_counts_and_name_is_bare(void **state)
{
	struct fixture *f = *state;
	struct account account;
	struct err err;

	tempdir_write(f->path, "ann:x:1000:1000::/home/ann:\nann:x:2:2::/second:\neve@example.org:x:1002:9::/home/eve:\n");
	assert_int_equal(passwd_file_refresh(f->file, &err), 1);
	assert_true(passwd_file_find(f->file, SLICE_LIT("ann"), SLICE_LIT("example.org"), &account));
	assert_int_equal(account.uid, 1000);
	assert_true(passwd_file_find(f->file, SLICE_LIT("eve"), SLICE_LIT("example.org"), &account));
	assert_slice(account.name, "eve");
	assert_int_equal(account.gid, 9);
}

/* Every one of these is "try later" and not "no such user". */
static void
test_trouble(void **state)
{
	static const char *const texts[] = { NULL, "", "ann:x:1000:1000::/home/ann:\nbob:x:10" };
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ROW(i, texts[i] == NULL ? "missing" : texts[i]);
		if (texts[i] != NULL)
			tempdir_write(f->path, texts[i]);
		assert_int_equal(passwd_file_refresh(f->file, &err), -1);
		assert_non_null(strstr(err.text, f->path));
		assert_false(has(f, "ann"));
	}
	(void)unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(passwd_file_refresh(f->file, &err), -1);
	(void)unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(passwd_file_refresh(f->file, &err), -1);
	assert_int_equal(rmdir(f->path), 0);
	tempdir_write(f->path, "ann:x:1000:1000::/home/ann:\n");
	assert_int_equal(truncate(f->path, TEXT_FILE_MAX + 1), 0);
	assert_int_equal(passwd_file_refresh(f->file, &err), -1);
	(void)unlink(f->path);
	tempdir_write(f->path, "ann:x:1000:1000::/home/ann:\n");
	assert_int_equal(passwd_file_refresh(f->file, &err), 1);
	assert_true(has(f, "ann"));
}

static void
test_gone_file_forgets(void **state)
{
	struct fixture *f = *state;
	struct err err;

	tempdir_write(f->path, "ann:x:1000:1000::/home/ann:\n");
	assert_int_equal(passwd_file_refresh(f->file, &err), 1);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(passwd_file_refresh(f->file, &err), -1);
	assert_false(has(f, "ann"));
}

static void
test_system_accounts(void **state)
{
	struct user_source source;
	struct accounts *accounts;
	struct conf_domain domain = { .users = USERS_SYSTEM };
	struct account account;
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena, 1 << 20);
	assert_non_null(accounts = accounts_new(NULL, &err));
	source = accounts_source(accounts);
	assert_int_equal(source.find(source.arg, &domain, SLICE_LIT("root"), &arena, &account, &err), ACCOUNT_FOUND);
	assert_int_equal(account.uid, 0);
	assert_slice(account.name, "root");
	assert_int_equal(source.find(source.arg, &domain, SLICE_LIT("no.such.user.here"), &arena, &account, &err), ACCOUNT_UNKNOWN);
	assert_int_equal(source.find(source.arg, &domain, SLICE_LIT("root:x"), &arena, &account, &err), ACCOUNT_UNKNOWN);
	assert_int_equal(source.find(source.arg, &domain, SLICE_LIT("-root"), &arena, &account, &err), ACCOUNT_UNKNOWN);
	assert_int_equal(source.find(source.arg, &domain, SLICE_LIT("ro\0ot"), &arena, &account, &err), ACCOUNT_UNKNOWN);
	accounts_free(&accounts);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_line_counts_and_name_is_bare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_file_forgets, setup, teardown),
		cmocka_unit_test(test_system_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
