/* allowance_file: what is written is read again, and nothing that lies there instead does harm. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "queue/intake/allowance_file.h"
#include "tests/support/tempdir.h"
#include "wire/auth.h"

#define NOW		INT64_C(1795413600250)
#define HEAD		"posthorn-logins 1 1795413600250\n"
#define MINUTES(n)	(INT64_C(60000) * (n))
#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))

static const struct allowance_limits limits = { { 10, 100 } };
static struct allowances *all;
static char dir[256], path[512], fresh[512];

static int
setup(void **state)
{
	(void)state;
	tempdir_make(dir);
	tempdir_join(path, dir, "logins");
	tempdir_join(fresh, dir, "logins.new");
	assert_non_null(all = allowances_new());
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fault_plan(NULL);
	allowances_free(&all);
	tempdir_remove(dir);
	return 0;
}

static void
empty(void)
{
	allowances_free(&all);
	assert_non_null(all = allowances_new());
}

/* --- texts -------------------------------------------------------------------------------------- */

struct seen {
	struct slice	want;
	uint64_t	messages, names;
	size_t		count;
};

static void
see(void *arg, struct slice login, const struct allowance_used *used)
{
	struct seen *s = arg;

	s->count++;
	if (!slice_eq(login, s->want))
		return;
	s->messages = used->in[ALLOWANCE_MESSAGES];
	s->names = used->in[ALLOWANCE_RECIPIENTS];
}

static struct seen
look(struct slice login)
{
	struct seen s = { .want = login };

	allowances_each(all, &limits, NOW, see, &s);
	return s;
}

static void
test_bad_texts(void **state)
{
	static const struct { const char *name; struct slice text; int rc; size_t bad, taken; } rows[] = {
		{ "nobody", SLICE_LIT(HEAD), 0, 0, 0 },
		{ "a login", SLICE_LIT(HEAD "1000 2000 bob\n"), 0, 0, 1 },
		{ "the most", SLICE_LIT(HEAD "1000000000 1000000000 bob\n"), 0, 0, 1 },
		{ "above it", SLICE_LIT(HEAD "1000000001 1 bob\n1 1000000001 bob\n"), 0, 2, 0 },
		{ "more than a number holds", SLICE_LIT(HEAD "99999999999999999999 1 bob\n"), 0, 1, 0 },
		{ "a name with spaces", SLICE_LIT(HEAD "1 1  b o b \n"), 0, 0, 1 },
		{ "no name", SLICE_LIT(HEAD "1 1 \n1 1\n1\n\n"), 0, 4, 0 },
		{ "no number", SLICE_LIT(HEAD "x 1 bob\n1 -1 bob\n 1 1 bob\n1  1 bob\n0x1 1 bob\n"), 0, 5, 0 },
		{ "bytes that are escaped", SLICE_LIT(HEAD "1 1 \0\n1 1 \377\n1 1 a\tb\n"), 0, 3, 0 },
		{ "escapes that nobody writes", SLICE_LIT(HEAD "1 1 \\x41\n1 1 \\q\n1 1 \\\n"), 0, 3, 0 },
		{ "carriage returns", SLICE_LIT(HEAD "1 1 bob\r\n"), 0, 1, 0 },
		{ "torn", SLICE_LIT(HEAD "1 1 bob\n1 1 alice"), 0, 1, 1 },
		{ "zeros at its end", SLICE_LIT(HEAD "1 1 bob\n\0\0\0\0"), 0, 1, 1 },
		{ "twice", SLICE_LIT(HEAD "1 1 bob\n2 2 bob\n"), 0, 0, 1 },
		{ "nothing", SLICE_LIT(""), -1, 0, 0 },
		{ "zeros", SLICE_LIT("\0\0\0\0"), -1, 0, 0 },
		{ "no head", SLICE_LIT("1 1 bob\n"), -1, 0, 0 },
		{ "a newer one", SLICE_LIT("posthorn-logins 2 1795413600250\n1 1 bob\n"), -1, 0, 0 },
		{ "no time", SLICE_LIT("posthorn-logins 1 \n1 1 bob\n"), -1, 0, 0 },
		{ "a time before 1970", SLICE_LIT("posthorn-logins 1 -5\n1 1 bob\n"), -1, 0, 0 },
		{ "a time after all", SLICE_LIT("posthorn-logins 1 253402300800000\n1 1 bob\n"), -1, 0, 0 },
		{ "the last time", SLICE_LIT("posthorn-logins 1 253402300799999\n1 1 bob\n"), 0, 0, 1 },
		{ "the first time", SLICE_LIT("posthorn-logins 1 0\n1000 1000 bob\n"), 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = { 0 };
		size_t bad = 99;

		ROW(i, rows[i].name);
		assert_int_equal(allowance_text_get(rows[i].text, all, NOW, &bad, &err), rows[i].rc);
		assert_int_equal(bad, rows[i].bad);
		assert_int_equal(look(slice_str("")).count, rows[i].taken);
		assert_int_equal(err.text[0] != '\0', rows[i].rc == -1);
		empty();
	}
}

/* A login of the longest length that one can have, too. */
static void
test_long_names(void **state)
{
	char line[sizeof(HEAD) + 4 + 4 * (AUTH_LOGIN_MAX + 1) + 1];
	struct err err;
	size_t bad;

	(void)state;
	for (size_t n = AUTH_LOGIN_MAX; n <= AUTH_LOGIN_MAX + 1; n++) {
		size_t len = (size_t)snprintf(line, sizeof(line), HEAD "1 1 ");

		for (size_t i = 0; i < n; i++)
			len += (size_t)snprintf(line + len, sizeof(line) - len, "\\xff");
		line[len++] = '\n';
		assert_int_equal(allowance_text_get(slice_of(line, len), all, NOW, &bad, &err), 0);
		assert_int_equal(bad, n > AUTH_LOGIN_MAX);
	}
	assert_int_equal(look(slice_str("")).count, 1);
}

/* --- files -------------------------------------------------------------------------------------- */

static void
take(struct slice login, uint32_t recipients, int64_t at_ms)
{
	assert_true(allowance_take(all, &limits, login, recipients, at_ms).counted);
}

static int
write_file(void)
{
	struct err err = { 0 };

	return allowance_file_write(dir, all, &limits, NOW, &err);
}

static int
read_file(int64_t now_ms)
{
	struct err err = { 0 };
	size_t bad = 99;
	int rc;

	empty();
	rc = allowance_file_read(dir, all, now_ms, &bad, &err);
	assert_int_equal(bad, 0);
	if (rc == -1)
		assert_true(strncmp(err.text, "logins: ", 8) == 0);
	return rc;
}

static void
test_round_trip(void **state)
{
	static const struct slice names[] = {
		SLICE_LIT("bob"), SLICE_LIT("bob@example.org"), SLICE_LIT("b o b"), SLICE_LIT("\\"), SLICE_LIT("a\nb\r\0\177\377"),
		SLICE_LIT("gr\303\274n"), SLICE_LIT("1 1 eve"), SLICE_LIT("\\x41"),
	};
	char longest[AUTH_LOGIN_MAX];
	struct stat st;

	(void)state;
	memset(longest, '\1', sizeof(longest));
	assert_int_equal(read_file(NOW), 0);			/* not there */
	for (uint32_t i = 0; i < COUNT(names); i++)
		take(names[i], i + 1, NOW);
	take(slice_of(longest, sizeof(longest)), 50, NOW);
	assert_int_equal(write_file(), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(fresh, F_OK), -1);
	assert_int_equal(read_file(NOW), 0);
	for (uint32_t i = 0; i < COUNT(names); i++) {
		struct seen s = look(names[i]);

		ROW(i, names[i].p);
		assert_int_equal(s.messages, ALLOWANCE_ONE);
		assert_int_equal(s.names, (i + 1) * ALLOWANCE_ONE);
	}
	assert_int_equal(look(slice_of(longest, sizeof(longest))).names, 50 * ALLOWANCE_ONE);
	assert_int_equal(look(slice_str("")).count, COUNT(names) + 1);
}

/* What leaked before the file was written is not in it, what leaked since does not come back, and a clock behind it changes nothing. */
static void
test_times(void **state)
{
	static const struct { const char *name; int64_t read_at; uint64_t tenths; } rows[] = {
		{ "at once", 0, 20 },
		{ "three minutes later", MINUTES(3), 15 },
		{ "ten minutes later", MINUTES(10), 3 },
		{ "an hour later", MINUTES(60), 0 },
		{ "years later", MINUTES(60) * 24 * 3650, 0 },
		{ "years earlier", -MINUTES(60) * 24 * 3650, 20 },
	};

	(void)state;
	for (int i = 0; i < 3; i++)
		take(SLICE_LIT("bob"), 1, NOW - MINUTES(6));	/* one of them leaks in six minutes */
	take(SLICE_LIT("gone"), 1, NOW - MINUTES(6));
	assert_int_equal(write_file(), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seen s = { .want = SLICE_LIT("bob") };

		ROW(i, rows[i].name);
		assert_int_equal(read_file(NOW + rows[i].read_at), 0);
		allowances_each(all, &limits, NOW + rows[i].read_at, see, &s);
		/* rounded up to a thousandth */
		assert_in_range(s.messages, rows[i].tenths * ALLOWANCE_ONE / 10, rows[i].tenths * ALLOWANCE_ONE / 10 + ALLOWANCE_ONE / 10);
		assert_int_equal(s.count, rows[i].tenths > 0);
	}
}

static void
put_file(struct slice text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.len, f), text.len);
	assert_int_equal(fclose(f), 0);
}

static void
test_strange_files(void **state)
{
	(void)state;
	put_file(SLICE_LIT(""));
	assert_int_equal(read_file(NOW), -1);
	put_file(SLICE_LIT("hello\n"));
	assert_int_equal(read_file(NOW), -1);
	assert_int_equal(truncate(path, (off_t)ALLOWANCE_TEXT_MAX + 1), 0);
	assert_int_equal(read_file(NOW), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_file(NOW), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(read_file(NOW), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_file(NOW), -1);
	take(SLICE_LIT("bob"), 1, NOW);
	assert_int_equal(write_file(), -1);
}

/* A disk in trouble leaves the old file, and memory that is short, too. */
static void
test_trouble(void **state)
{
	static const char *const plans[] = { "store-open:1:EIO", "store-write:1:ENOSPC", "store-rename:1:EIO", "alloc:1:ENOMEM" };

	(void)state;
	take(SLICE_LIT("bob"), 1, NOW);
	assert_int_equal(write_file(), 0);
	take(SLICE_LIT("bob"), 1, NOW);
	for (size_t i = 0; i < COUNT(plans); i++) {
		ROW(i, plans[i]);
		fault_plan(plans[i]);
		assert_int_equal(write_file(), -1);
		fault_plan(NULL);
	}
	assert_int_equal(read_file(NOW), 0);
	assert_int_equal(look(SLICE_LIT("bob")).messages, ALLOWANCE_ONE);
	for (size_t i = 0; i < 2; i++) {
		fault_plan(i == 0 ? "store-read:1:EIO" : "alloc:2:ENOMEM");	/* the table is the first */
		assert_int_equal(read_file(NOW), -1);
		fault_plan(NULL);
	}
	assert_int_equal(allowance_file_write("/nowhere", all, &limits, NOW, NULL), -1);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_texts), TEST(test_long_names), TEST(test_round_trip), TEST(test_times), TEST(test_strange_files), TEST(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
