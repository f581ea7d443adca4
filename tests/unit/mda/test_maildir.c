/*
 * test_maildir — real directories: what is written, what a repeat finds, and what is never followed.
 */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "mda/worker/maildir.h"
#include "tests/support/tempdir.h"

#ifndef POSTHORN_FAULTS
#define fault_plan(plan)	((void)(plan))	/* a release build: the tests that need faults are skipped */
#endif

#define NAME	"1700000000.M00000000000000ffR0.mail.example.org"

struct fixture {
	char		 base[256], home[512], path[512];
	struct maildir	*maildir;
};

static void
open_it(struct fixture *f)
{
	struct refusal refusal;

	f->maildir = maildir_open(f->home, f->path, geteuid(), &refusal);
	if (f->maildir == NULL)
		fail_msg("%s", refusal.text);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	tempdir_make(f->base);
	(void)tempdir_join(f->home, f->base, "home");
	(void)snprintf(f->path, sizeof(f->path), "%.400s/mail/Maildir", f->home);
	assert_int_equal(mkdir(f->home, 0755), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fault_plan(NULL);
	maildir_free(&f->maildir);
	tempdir_remove(f->base);
	free(f);
	return 0;
}

static const char *
sub(struct fixture *f, const char *name)
{
	static char out[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	return tempdir_join(out[turn], f->path, name);
}

static int
write_copy(struct fixture *f, struct copy *copy, const char *content, struct refusal *refusal)
{
	if (copy_begin(f->maildir, copy, NAME, refusal) == -1 ||
	    copy_write(f->maildir, copy, slice_str(content), refusal) == -1 ||
	    copy_end(f->maildir, copy, false, refusal) == -1)
		return -1;
	return 0;
}

static void
deliver(struct fixture *f, struct copy *copy, const char *content)
{
	struct refusal refusal;

	if (write_copy(f, copy, content, &refusal) == -1 || copy_publish(f->maildir, copy, false, &refusal) == -1)
		fail_msg("%s", refusal.text);
}

static void
assert_file(const char *path, const char *want)
{
	char got[4096];
	FILE *file = fopen(path, "rb");
	size_t len;

	assert_non_null(file);
	len = fread(got, 1, sizeof(got) - 1, file);
	got[len] = '\0';
	fclose(file);
	assert_string_equal(got, want);
}

static void
test_made_below_an_existing_home(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_it(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(sub(f, "new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(sub(f, "cur"), &st), 0);
	assert_int_equal(stat(sub(f, "tmp"), &st), 0);
	assert_true(maildir_in_place(f->maildir));
}

static void
test_missing_home_is_not_made(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;

	assert_int_equal(rmdir(f->home), 0);
	assert_null(maildir_open(f->home, f->path, geteuid(), &refusal));
	assert_int_equal(refusal.status.class, 4);
	assert_int_equal(refusal.status.subject, 2);
	assert_non_null(strstr(refusal.text, "home directory"));
	assert_non_null(strstr(refusal.text, "is missing"));
	assert_int_equal(access(f->home, F_OK), -1);
}

static void
test_outside_the_home_only_the_last_part_is_made(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;
	char outside[512];

	(void)snprintf(outside, sizeof(outside), "%.200s/vmail/u", f->base);
	assert_null(maildir_open(f->home, outside, geteuid(), &refusal));
	(void)snprintf(outside, sizeof(outside), "%.200s/u", f->base);
	f->maildir = maildir_open(f->home, outside, geteuid(), &refusal);
	assert_non_null(f->maildir);
}

/* name, content in SMTP's form, bytes on disk */
static const struct {
	const char *content, *stored;
} lines[] = {
	{ "", "" },
	{ "a\r\nb\r\n", "a\nb\n" },
	{ "\r\n\r\n", "\n\n" },
	{ "no end", "no end" },
	{ "bare\rcr\r\n", "bare\rcr\n" },
	{ "bare\nlf\r\n", "bare\nlf\n" },
	{ "two\r\r\n", "two\r\n" },
	{ "ends in cr\r", "ends in cr\r" },
};

static void
test_line_ends(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t cut = 0; cut <= strlen(lines[i].content); cut++) {	/* in two pieces, cut anywhere */
			struct slice all = slice_str(lines[i].content);

			ROW(i, lines[i].stored);
			assert_int_equal(copy_begin(f->maildir, &copy, NAME, &refusal), 0);
			assert_int_equal(copy_write(f->maildir, &copy, slice_of(all.p, cut), &refusal), 0);
			slice_drop(&all, cut);
			assert_int_equal(copy_write(f->maildir, &copy, all, &refusal), 0);
			assert_int_equal(copy_end(f->maildir, &copy, false, &refusal), 0);
			assert_int_equal(copy.size, strlen(lines[i].stored));
			assert_file(sub(f, "tmp/" NAME), lines[i].stored);
			copy_drop(f->maildir, &copy);
			assert_int_equal(tempdir_count(sub(f, "tmp")), 0);
		}
	}
}

static void
test_large_content(void **state)
{
	struct fixture *f = *state;
	size_t len = 300000;
	char *content = malloc(len);
	struct refusal refusal;
	struct copy copy;
	struct stat st;

	for (size_t i = 0; i < len; i++)
		content[i] = i % 50 == 48 ? '\r' : i % 50 == 49 ? '\n' : 'x';
	open_it(f);
	assert_int_equal(copy_begin(f->maildir, &copy, NAME, &refusal), 0);
	for (size_t at = 0; at < len; at += 12345)
		assert_int_equal(copy_write(f->maildir, &copy, slice_of(content + at, at + 12345 < len ? 12345 : len - at),
		    &refusal), 0);
	assert_int_equal(copy_end(f->maildir, &copy, true, &refusal), 0);
	assert_int_equal(copy_publish(f->maildir, &copy, true, &refusal), 0);
	assert_int_equal(stat(sub(f, "new/" NAME ",S=294000"), &st), 0);
	assert_int_equal(st.st_size, 294000);
	assert_int_equal(st.st_mode & 07777, 0600);
	free(content);
}

static void
test_stale_tmp_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct copy copy;

	open_it(f);
	tempdir_write(sub(f, "tmp/" NAME), "half a mess");
	deliver(f, &copy, "whole\r\n");
	assert_file(sub(f, "new/" NAME ",S=6"), "whole\n");
	assert_int_equal(tempdir_count(sub(f, "tmp")), 0);
}

static void
test_links_are_never_followed(void **state)
{
	struct fixture *f = *state;
	char secret[512];
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	(void)tempdir_join(secret, f->base, "secret");
	tempdir_write(secret, "untouched");
	assert_int_equal(symlink(secret, sub(f, "tmp/" NAME)), 0);
	assert_int_equal(write_copy(f, &copy, "evil\r\n", &refusal), -1);
	assert_file(secret, "untouched");
	assert_int_equal(unlink(sub(f, "tmp/" NAME)), 0);
	/* a hard link: it is ours, so it is unlinked and written anew, not through */
	assert_int_equal(link(secret, sub(f, "tmp/" NAME)), 0);
	deliver(f, &copy, "fresh\r\n");
	assert_file(secret, "untouched");
	/* in new/: a rename replaces the link itself */
	assert_int_equal(symlink(secret, sub(f, "new/" NAME ",S=3")), 0);
	assert_int_equal(write_copy(f, &copy, "ab\r\n", &refusal), 0);
	assert_int_equal(copy_found(f->maildir, &copy, &refusal), 0);
	assert_int_equal(copy_publish(f->maildir, &copy, false, &refusal), 0);
	assert_file(secret, "untouched");
	assert_file(sub(f, "new/" NAME ",S=3"), "ab\n");
}

/* where a file of the same name lies, what is in it, whether it counts as delivered */
static const struct {
	const char	*place, *bytes;
	int		 found;
} repeats[] = {
	{ "new/" NAME ",S=6",			"hello\n", 1 },
	{ "cur/" NAME ",S=6:2,S",		"hello\n", 1 },
	{ "cur/" NAME ",S=6",			"hello\n", 1 },
	{ "new/" NAME ",S=6",			"hellO\n", 0 },	/* other bytes */
	{ "new/" NAME ",S=6",			"hel", 0 },	/* shorter than its name says */
	{ "new/" NAME ",S=6",			"hello\nx", 0 },
	{ "cur/" NAME ",S=6:2,",		"HELLO\n", 0 },
	{ "cur/" NAME ",S=66:2,",		"hello\n", 0 },	/* another name */
	{ "tmp/x" NAME ",S=6",			"hello\n", 0 },
};

static void
test_repeat_looks_first(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	for (size_t i = 0; i < sizeof(repeats) / sizeof(repeats[0]); i++) {
		const char *path = sub(f, repeats[i].place);

		ROW(i, repeats[i].place);
		tempdir_write(path, repeats[i].bytes);
		assert_int_equal(write_copy(f, &copy, "hello\r\n", &refusal), 0);
		assert_int_equal(copy_found(f->maildir, &copy, &refusal), repeats[i].found);
		if (repeats[i].found == 0) {
			assert_int_equal(copy_publish(f->maildir, &copy, false, &refusal), 0);
			assert_file(sub(f, "new/" NAME ",S=6"), "hello\n");
		}
		(void)unlink(sub(f, "new/" NAME ",S=6"));
		(void)unlink(path);
		assert_int_equal(tempdir_count(sub(f, "tmp")), 0);
	}
}

static void
test_fifo_in_new_does_not_hold_us(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	assert_int_equal(mkfifo(sub(f, "new/" NAME ",S=6"), 0600), 0);
	assert_int_equal(write_copy(f, &copy, "hello\r\n", &refusal), 0);
	assert_int_equal(copy_found(f->maildir, &copy, &refusal), 0);
	copy_drop(f->maildir, &copy);
}

static void
test_stale_files_are_reaped(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

	open_it(f);
	maildir_free(&f->maildir);
	tempdir_write(sub(f, "tmp/old"), "x");
	tempdir_write(sub(f, "tmp/young"), "x");
	assert_int_equal(utimensat(AT_FDCWD, sub(f, "tmp/old"), old, 0), 0);
	open_it(f);
	assert_int_equal(access(sub(f, "tmp/old"), F_OK), -1);
	assert_int_equal(access(sub(f, "tmp/young"), F_OK), 0);
}

static void
test_moved_maildir_is_seen(void **state)
{
	struct fixture *f = *state;
	char aside[512];
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	(void)tempdir_join(aside, f->base, "aside");
	assert_int_equal(rename(f->path, aside), 0);
	assert_false(maildir_in_place(f->maildir));
	assert_int_equal(rename(aside, f->path), 0);
	assert_true(maildir_in_place(f->maildir));
	tempdir_remove(f->path);
	assert_int_equal(write_copy(f, &copy, "x\r\n", &refusal), -1);
	assert_true(refusal.again);
}

/* what is wrong with the way to the Maildir; the words that say so */
static void
break_world_writable(struct fixture *f)
{
	assert_int_equal(chmod(f->home, 0777), 0);
}

static void
break_file(struct fixture *f)
{
	char mail[512];

	tempdir_write(tempdir_join(mail, f->home, "mail"), "a file");
}

static void
break_loop(struct fixture *f)
{
	char mail[512];

	assert_int_equal(symlink("mail", tempdir_join(mail, f->home, "mail")), 0);
}

static void
break_sub_link(struct fixture *f)
{
	char path[512];

	assert_int_equal(mkdir(tempdir_join(path, f->home, "mail"), 0700), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(symlink("..", tempdir_join(path, f->path, "new")), 0);
}

static const struct {
	const char	*name;
	void		(*fn)(struct fixture *);
	const char	*words;
} broken[] = {
	{ "everybody may write to the home", break_world_writable, "everybody may write" },
	{ "a file on the way", break_file, "is no directory" },
	{ "a link to itself", break_loop, "mail" },
	{ "new/ is a link", break_sub_link, "new/" },
};

static void
test_ways_that_are_not_trusted(void **state)
{
	struct fixture *f = *state;
	struct refusal refusal;

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		ROW(i, broken[i].name);
		broken[i].fn(f);
		assert_null(maildir_open(f->home, f->path, geteuid(), &refusal));
		assert_non_null(strstr(refusal.text, broken[i].words));
		assert_int_equal(refusal.status.class, 4);
		tempdir_remove(f->home);
		assert_int_equal(mkdir(f->home, 0755), 0);
	}
}

static void
test_links_of_the_user_are_walked(void **state)
{
	struct fixture *f = *state;
	char real[512], mail[512];

	assert_int_equal(mkdir(tempdir_join(real, f->base, "real"), 0700), 0);
	assert_int_equal(symlink("../real", tempdir_join(mail, f->home, "mail")), 0);
	open_it(f);
	assert_int_equal(tempdir_count(tempdir_join(mail, real, "Maildir")), 3);
}

/* As root only: what is somebody else's. */
static void
test_strangers_links_and_directories(void **state)
{
	struct fixture *f = *state;
	char real[512], mail[512];
	struct refusal refusal;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(tempdir_join(real, f->base, "real"), 0700), 0);
	assert_int_equal(symlink(real, tempdir_join(mail, f->home, "mail")), 0);
	assert_int_equal(lchown(mail, 12345, 12345), 0);
	assert_null(maildir_open(f->home, f->path, geteuid(), &refusal));
	assert_non_null(strstr(refusal.text, "neither the user's nor root's"));
	assert_int_equal(unlink(mail), 0);
	assert_int_equal(mkdir(mail, 0755), 0);
	assert_int_equal(chown(mail, 12345, 12345), 0);
	assert_null(maildir_open(f->home, f->path, geteuid(), &refusal));
	assert_non_null(strstr(refusal.text, "somebody else's"));
}

/* point and errno; status that it becomes */
static const struct {
	const char	*plan;
	uint16_t	 subject, detail;
} faults[] = {
	{ "maildir-write:1:ENOSPC",  3, 1 },
	{ "maildir-write:1:EDQUOT",  2, 2 },
	{ "maildir-write:1:EIO",     3, 0 },
	{ "maildir-sync:1:EIO",      3, 0 },
	{ "maildir-rename:1:ENOSPC", 3, 1 },
	{ "maildir-rename:1:EACCES", 2, 0 },
};

static void
test_faults_leave_nothing_behind(void **state)
{
#ifdef POSTHORN_FAULTS
	struct fixture *f = *state;
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		ROW(i, faults[i].plan);
		fault_plan(faults[i].plan);
		assert_int_equal(copy_begin(f->maildir, &copy, NAME, &refusal), 0);
		assert_true(copy_write(f->maildir, &copy, SLICE_LIT("x\r\n"), &refusal) == -1 ||
		    copy_end(f->maildir, &copy, true, &refusal) == -1 ||
		    copy_publish(f->maildir, &copy, true, &refusal) == -1);
		fault_plan(NULL);
		assert_int_equal(refusal.status.class, 4);
		assert_int_equal(refusal.status.subject, faults[i].subject);
		assert_int_equal(refusal.status.detail, faults[i].detail);
		assert_int_equal(tempdir_count(sub(f, "tmp")), 0);
		assert_int_equal(tempdir_count(sub(f, "new")), 0);
	}
#else
	(void)state;
	(void)faults;
	skip();
#endif
}

static void
test_failed_sync_of_new_is_made_good_by_a_repeat(void **state)
{
#ifdef POSTHORN_FAULTS
	struct fixture *f = *state;
	struct refusal refusal;
	struct copy copy;

	open_it(f);
	fault_plan("maildir-sync:2:EIO");
	assert_int_equal(copy_begin(f->maildir, &copy, NAME, &refusal), 0);
	assert_int_equal(copy_write(f->maildir, &copy, SLICE_LIT("x\r\n"), &refusal), 0);
	assert_int_equal(copy_end(f->maildir, &copy, true, &refusal), 0);
	assert_int_equal(copy_publish(f->maildir, &copy, true, &refusal), -1);
	fault_plan(NULL);
	deliver(f, &copy, "x\r\n");
	assert_int_equal(tempdir_count(sub(f, "new")), 1);
#else
	(void)state;
	skip();
#endif
}

static const struct {
	int64_t		 seconds;
	uint64_t	 nonce;
	uint32_t	 index;
	const char	*host, *name;
} names[] = {
	{ 1, 0xabc, 7, "h", "1.M0000000000000abcR7.h" },
	{ 1700000000, 0xffffffffffffffffu, 9999, "mail.example.org", "1700000000.MffffffffffffffffR9999.mail.example.org" },
	{ 1, 1, 0, "a/b:c", "1.M0000000000000001R0.a\\057b\\072c" },
};

static void
test_names(void **state)
{
	char name[NAME_SIZE], host[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ROW(i, names[i].name);
		assert_int_equal(name_make(name, names[i].seconds, names[i].nonce, names[i].index, slice_str(names[i].host)), 0);
		assert_string_equal(name, names[i].name);
	}
	memset(host, 'h', sizeof(host));
	assert_int_equal(name_make(name, 1, 1, 1, slice_of(host, 255)), -1);
	assert_true(name_matches("a,S=1:2,S", "a,S=1"));
	assert_true(name_matches("a,S=1", "a,S=1"));
	assert_false(name_matches("a,S=12", "a,S=1"));
	assert_false(name_matches("a,S=", "a,S=1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made_below_an_existing_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_home_is_not_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outside_the_home_only_the_last_part_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_tmp_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_never_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeat_looks_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifo_in_new_does_not_hold_us, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_files_are_reaped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_maildir_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways_that_are_not_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_of_the_user_are_walked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers_links_and_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults_leave_nothing_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_sync_of_new_is_made_good_by_a_repeat, setup, teardown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
