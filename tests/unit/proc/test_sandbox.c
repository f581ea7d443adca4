/*
 * test_sandbox — each kind of process, from inside: what its work needs does work, what it must not do does not.
 *
 * A row is one act in one sandbox, done by a child of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/sandbox.h"
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

#ifdef POSTHORN_SANITIZERS
static const bool wide = true;		/* rows of acts that a sanitizer's runtime needs, too, say nothing then */
#else
static const bool wide = false;
#endif

static char folder[256];	/* granted for writing */
static char beside[512];	/* a file in it; for reading, its folder is */
static int listening = -1;

/* Each answers whether it worked. */

static bool
reads_passwd(void)
{
	return open("/etc/passwd", O_RDONLY) != -1;
}

static bool
writes_folder(void)
{
	char a[512], b[512];
	int fd;

	(void)tempdir_join(b, folder, "two");
	fd = open(tempdir_join(a, folder, "one"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	return fd != -1 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && rename(a, b) == 0 && unlink(b) == 0;
}

static bool
writes_tmp(void)
{
	return open("/var/tmp/posthorn-test-sandbox", O_WRONLY | O_CREAT | O_EXCL, 0600) != -1;
}

static bool
opens_inet(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0) != -1;
}

static bool
opens_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) != -1;
}

static bool
opens_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) != -1;
}

static bool
connects(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd != -1 && (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == ECONNREFUSED);
}

static bool
connects_granted(void)
{
	return connects(9);
}

static bool
connects_elsewhere(void)
{
	return connects(8);
}

static bool
accepts(void)
{
	return accept4(listening, NULL, NULL, SOCK_NONBLOCK) == -1 && errno == EAGAIN;
}

static bool
forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static void *
nothing(void *arg)
{
	return arg;
}

static bool
threads(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0;
}

static bool
executes(void)
{
	char *argv[] = { (char *)(uintptr_t)"true", NULL };

	(void)execve("/bin/true", argv, argv);
	return false;		/* when it works, its status 0 says so */
}

static bool
signals_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
maps_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
maps_writable_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
syncs_file_system(void)
{
	return syncfs(listening) == 0 || errno != EPERM;
}

static bool
signals_itself(void)
{
	return raise(0) == 0;		/* what abort needs */
}

/* Around kill: by the owner of a descriptor, by a thread's number. */
static bool
signals_around(void)
{
	int ends[2];

	return pipe2(ends, O_CLOEXEC) == 0 &&
	    (fcntl(ends[0], F_SETOWN, getppid()) == 0 || syscall(SYS_tgkill, getppid(), getppid(), 0) == 0);
}

static bool
makes_user_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool
makes_link(void)
{
	char path[512];

	return symlink("/etc", tempdir_join(path, folder, "link")) == 0;
}

/* By the name of a file of ours, outside the folder: no rule of Landlock's stands in the way of a mode. */
static bool
changes_mode(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd_create("x", 0));
	return chmod(path, 0600) == 0;
}

static bool
turns_memory_into_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

/* A mode by descriptor: the usual bits, and those that would give the rights of this user away. */
static bool
sets_mode(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	return fchmod(fd, 0600) == 0;
}

static bool
sets_id_bits(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	return fchmod(fd, 04755) == 0 || fchmod(fd, 02755) == 0;
}

static bool
raises_limits(void)
{
	struct rlimit limit = { 64, 64 };

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool
does_base_work(void)
{
	int ends[2], fd;
	char byte;

	if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], "x", 1) != 1 || read(ends[0], &byte, 1) != 1)
		return false;
	fd = memfd_create("x", MFD_CLOEXEC);
	return fd != -1 && ftruncate(fd, 10) == 0 && pwrite(fd, "abc", 3, 4) == 3 && close(fd) == 0 && malloc(1 << 20) != NULL;
}

enum { NO, YES, NO_BUT_WIDE };	/* the last: not checked under a sanitizer, which needs it */

#define ACTS	25
static const struct {
	const char	*name;
	bool		(*act)(void);
} acts[ACTS] = {
	{ "base work", does_base_work }, { "read /etc/passwd", reads_passwd }, { "write in its folder", writes_folder },
	{ "write in /var/tmp", writes_tmp }, { "inet socket", opens_inet }, { "unix socket", opens_unix },
	{ "netlink socket", opens_netlink }, { "connect to a granted port", connects_granted },
	{ "connect elsewhere", connects_elsewhere }, { "accept", accepts }, { "fork", forks }, { "thread", threads },
	{ "exec", executes }, { "signal the parent", signals_parent }, { "map code", maps_code },
	{ "map writable code", maps_writable_code }, { "syncfs", syncs_file_system },
	{ "signal itself", signals_itself }, { "signal around kill", signals_around },
	{ "make a user namespace", makes_user_namespace }, { "make a symbolic link", makes_link },
	{ "change a mode by name", changes_mode }, { "turn memory into code", turns_memory_into_code }, { "set a mode", sets_mode },
	{ "set id bits", sets_id_bits },
};

/* Columns as in `acts`. W: NO_BUT_WIDE. */
#define W NO_BUT_WIDE
static const int rows[SANDBOX_COUNT][ACTS] = {
	/*			base pass fold tmp  inet unix netl port else accp fork thrd exec kill code wcod sync self arnd user link mode turn fchm sids */
	[SANDBOX_SESSION] = { YES, NO,  NO,  NO,  YES, NO,  NO,  YES, NO,  YES, W,   W,   NO,  NO,  W,   W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_NETWORK] = { YES, NO,  NO,  NO,  YES, NO,  NO,  YES, NO,  NO,  W,   W,   NO,  NO,  W,   W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_STORE]   = { YES, NO,  YES, NO,  NO,  NO,  NO,  NO,  NO,  YES, W,   YES, NO,  NO,  W,   W,   YES, YES, W,   W,   NO,  NO,  NO,  YES, NO },
	[SANDBOX_LOOKUP]  = { YES, YES, NO,  NO,  NO,  YES, NO,  NO,  NO,  NO,  YES, YES, NO,  NO,  YES, W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_DELIVER] = { YES, NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  W,   YES, NO,  NO,  W,   W,   YES, YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_MAILBOX] = { YES, NO,  YES, NO,  NO,  NO,  NO,  NO,  NO,  NO,  W,   W,   NO,  NO,  W,   W,   YES, YES, W,   W,   NO,  NO,  NO,  YES, NO },
	[SANDBOX_KEY]     = { YES, NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  W,   W,   NO,  NO,  W,   W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_LOG]     = { YES, NO,  NO,  NO,  NO,  YES, NO,  NO,  NO,  NO,  W,   W,   NO,  NO,  W,   W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
	[SANDBOX_PAM]     = { YES, YES, NO,  NO,  YES, YES, NO,  YES, YES, NO,  YES, YES, NO,  NO,  YES, W,   NO,  YES, W,   W,   NO,  NO,  NO,  NO,  NO },
};

/* What a kind really gets in life. */
static struct sandbox_grant
grant_for(enum sandbox kind)
{
	struct sandbox_grant g = { 0 };

	if (kind == SANDBOX_SESSION || kind == SANDBOX_NETWORK)
		g.connect[0] = 9;
	if (kind == SANDBOX_STORE || kind == SANDBOX_MAILBOX)
		g.write[0] = folder;
	if (kind == SANDBOX_LOOKUP)
		g.read[0] = "/";
	if (kind == SANDBOX_PAM) {
		g.read[0] = "/etc";
		g.read_beside = beside;
		g.connect_any = true;
	}
	return g;
}

/* YES or NO; the child's exit status carries it. */
static int
try(enum sandbox kind, bool (*act)(void))
{
	struct sandbox_grant grant = grant_for(kind);
	struct err err;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (sandbox_enter(kind, &grant, &err) == -1) {
			(void)dprintf(2, "%s\n", err.text);
			_exit(3);
		}
		_exit(act() ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	return WEXITSTATUS(status) == 0 ? YES : NO;
}

static bool
needs_landlock(enum sandbox kind, size_t act)
{
	bool files = kind == SANDBOX_STORE || kind == SANDBOX_LOOKUP || kind == SANDBOX_MAILBOX || kind == SANDBOX_PAM;

	return (acts[act].act == reads_passwd && files) || (acts[act].act == writes_tmp && files) ||
	    acts[act].act == connects_elsewhere || acts[act].act == signals_parent;
}

static void
test_kinds(void **state)
{
	(void)state;
	for (int kind = SANDBOX_SESSION; kind < SANDBOX_COUNT; kind++)
		for (size_t i = 0; i < ACTS; i++) {
			int wanted = rows[kind][i], got;

			if (wanted == NO_BUT_WIDE && wide)
				continue;
			if (wanted == NO && needs_landlock((enum sandbox)kind, i) && sandbox_landlock() < 6)
				continue;
			got = try((enum sandbox)kind, acts[i].act);
			if ((wanted == YES) != (got == YES))
				fail_msg("%s: %s %s", sandbox_name((enum sandbox)kind), acts[i].name,
				    got == YES ? "works" : "does not work");
		}
}

static void
test_none_changes_limits(void **state)
{
	(void)state;
	for (int kind = SANDBOX_SESSION; kind < SANDBOX_COUNT; kind++)
		assert_int_equal(try((enum sandbox)kind, raises_limits), NO);
}

static void
test_proof_holds(void **state)
{
	struct err err = { 0, "" };

	(void)state;
	for (int kind = SANDBOX_SESSION; kind < SANDBOX_COUNT; kind++) {
		struct sandbox_grant grant = grant_for((enum sandbox)kind);

		if (sandbox_prove((enum sandbox)kind, &grant, &err) == -1)
			fail_msg("%s", err.text);
	}
}

/* A folder under a name by which the proof does not know it: a hole, and the proof has to see it. */
static void
test_proof_sees_a_hole(void **state)
{
	struct sandbox_grant grant = { .write = { "/var/../tmp" } };
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(sandbox_prove(SANDBOX_STORE, &grant, &err), -1);
	assert_non_null(strstr(err.text, "could create a file in /tmp"));
}

/* libpam looks for the audit log: no death, and the word for a kernel that has none. */
static bool
has_no_audit(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 9) == -1 && errno == EAFNOSUPPORT;
}

static void
test_no_audit(void **state)
{
	(void)state;
	for (int kind = SANDBOX_SESSION; kind < SANDBOX_COUNT; kind++)
		assert_int_equal(try((enum sandbox)kind, has_no_audit), YES);
}

/* Files that come into the folder later, too; disks, and what there is to read of other processes, never. */
static bool
reads_beside_only(void)
{
	return open(beside, O_RDONLY) != -1 && open("/dev/zero", O_RDONLY) == -1 && open("/proc/version", O_RDONLY) == -1;
}

static void
test_beside(void **state)
{
	(void)state;
	if (sandbox_landlock() < 1 || wide)
		skip();
	tempdir_write(beside, "one");
	assert_int_equal(try(SANDBOX_PAM, reads_beside_only), YES);
	assert_int_equal(unlink(beside), 0);
	tempdir_write(beside, "another");
	assert_int_equal(try(SANDBOX_PAM, reads_beside_only), YES);
	assert_int_equal(unlink(beside), 0);
}

static void
test_kill_mode(void **state)
{
	const struct sandbox_grant grant = { 0 };
	struct err err;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		(void)setenv("POSTHORN_SANDBOX_KILL", "1", 1);
		if (sandbox_enter(SANDBOX_DELIVER, &grant, &err) == -1)
			_exit(3);
		(void)open("/etc/passwd", O_RDONLY);	/* asked for in passing: an error, no death */
		(void)socket(AF_INET, SOCK_STREAM, 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void
test_widens(void **state)
{
	const struct sandbox_grant now = { .connect = { 25, 53 }, .write = { "/var/spool/posthorn" } };
	struct sandbox_grant next = now;

	(void)state;
	assert_false(sandbox_grant_widens(&now, &next));
	next.connect[1] = 0;
	assert_false(sandbox_grant_widens(&now, &next));
	next.connect[1] = 26;
	assert_true(sandbox_grant_widens(&now, &next));
	next = now;
	next.write[0] = "/var/spool/other";
	assert_true(sandbox_grant_widens(&now, &next));
	next = now;
	next.read_beside = "/etc/posthorn/pam/smtp";
	assert_true(sandbox_grant_widens(&now, &next));
	assert_false(sandbox_grant_widens(&next, &now));
	next = now;
	next.connect_any = true;
	assert_true(sandbox_grant_widens(&now, &next));
	assert_false(sandbox_grant_widens(&next, &now));
}

static int
set_up(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	tempdir_make(folder);
	(void)tempdir_join(beside, folder, "service");
	listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return bind(listening, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listening, 1) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)close(listening);
	tempdir_remove(folder);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_none_changes_limits),
		cmocka_unit_test(test_proof_holds),
		cmocka_unit_test(test_proof_sees_a_hole),
		cmocka_unit_test(test_kill_mode),
		cmocka_unit_test(test_no_audit),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_widens),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
