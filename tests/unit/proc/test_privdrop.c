/* test_privdrop — root's way down, and what is refused whoever we are. Rows that need root are skipped without it. */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/fill.h"
#include "proc/limits.h"
#include "proc/privdrop.h"
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#define SOMEBODY	54321

/* In a child: 0 when `check` liked what it saw. */
static int
in_child(bool (*check)(const char *folder), const char *folder)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check(folder) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_never_root(void **state)
{
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(privdrop(&(struct account){ 0, 5 }, NULL, NULL, &err), -1);
	assert_int_equal(privdrop(&(struct account){ 5, 0 }, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "refusing to run as root");
}

static bool
drops(const char *folder)
{
	struct account to = { SOMEBODY, SOMEBODY };
	struct err err;

	return privdrop(&to, folder, NULL, &err) == 0 && getuid() == SOMEBODY && getegid() == SOMEBODY && getgroups(0, NULL) == 0 &&
	    setuid(0) == -1 && setgid(0) == -1 && (folder == NULL || access("/etc", F_OK) == -1);
}

static bool
refuses_folder(const char *folder)
{
	struct account to = { SOMEBODY, SOMEBODY };
	struct err err;

	return privdrop(&to, folder, NULL, &err) == -1 && geteuid() == 0;
}

static void
test_drops(void **state)
{
	char folder[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	tempdir_make(folder);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(in_child(drops, NULL), 0);
	assert_int_equal(in_child(drops, folder), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(in_child(refuses_folder, folder), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
	assert_int_equal(in_child(refuses_folder, folder), 0);
	tempdir_remove(folder);
}

/* Files of root's are its own; what is somebody else's, and what only a capability allows, is not. */
static bool
is_bare_root(const char *folder)
{
	char own[512], theirs[512];
	struct err err;
	int fd;

	if ((fd = open(tempdir_join(own, folder, "own"), O_WRONLY | O_CREAT, 0600)) == -1 || close(fd) == -1 ||
	    (fd = open(tempdir_join(theirs, folder, "theirs"), O_WRONLY | O_CREAT, 0600)) == -1 || fchown(fd, SOMEBODY, SOMEBODY) == -1)
		return false;
	if (privdrop_capabilities(&err) == -1 || geteuid() != 0 || getgroups(0, NULL) != 0)
		return false;
	return access(own, R_OK) == 0 && open(own, O_RDONLY) != -1 && open(theirs, O_RDONLY) == -1 && chown(own, SOMEBODY, SOMEBODY) == -1 &&
	    setuid(SOMEBODY) == -1 && chroot("/") == -1;
}

static void
test_capabilities(void **state)
{
	char folder[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	tempdir_make(folder);
	assert_int_equal(in_child(is_bare_root, folder), 0);
	tempdir_remove(folder);
}

static void
test_missing_account(void **state)
{
	struct account account;
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(account_find("posthorn-nobody-has-this", &account, &err), -1);
	assert_non_null(strstr(err.text, "systemd-sysusers"));
	assert_int_equal(account_find("root", &account, &err), -1);
	assert_non_null(strstr(err.text, "its own"));
}

static void
test_parent(void **state)
{
	(void)state;
	assert_int_equal(die_with_parent(getppid(), SIGTERM), 0);
	assert_int_equal(die_with_parent(getpid(), SIGTERM), -1);
	assert_int_equal(die_with_parent(getppid(), 0), 0);
}

static bool
limits_hold(const char *unused)
{
	struct conf *conf = conf_new();
	struct rlimit limit;
	struct err err;

	(void)unused;
	if (conf_set_initial(conf) == -1 || limits_set(SANDBOX_SESSION, conf, false, &err) == -1)
		return false;
	if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0)
		return false;
#ifndef POSTHORN_SANITIZERS
	if (getrlimit(RLIMIT_NPROC, &limit) != 0 || limit.rlim_max != 0)
		return false;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_max < 256 * 1024 * 1024 || limit.rlim_max == RLIM_INFINITY)
		return false;
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_max < (rlim_t)conf->message_size || limit.rlim_max == RLIM_INFINITY)
		return false;
#endif
	conf_free(&conf);
	return true;
}

static bool
files_limited(const char *unused)
{
	struct conf *conf = conf_new();
	struct rlimit before, after;
	struct err err;

	(void)unused;
	if (conf_set_initial(conf) == -1 || getrlimit(RLIMIT_NOFILE, &before) != 0)
		return false;
	conf->smtpd.max_sessions = 100;
	if (limits_set_files(SANDBOX_SESSION, conf, &err) == -1 || getrlimit(RLIMIT_NOFILE, &after) != 0)
		return false;
	conf_free(&conf);
	return after.rlim_cur == after.rlim_max && after.rlim_max <= 128 + 200 && after.rlim_max >= 128;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(in_child(limits_hold, NULL), 0);
	assert_int_equal(in_child(files_limited, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_root), cmocka_unit_test(test_drops), cmocka_unit_test(test_capabilities), cmocka_unit_test(test_missing_account),
		cmocka_unit_test(test_parent), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
