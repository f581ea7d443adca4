/*
 * itself — rights, memory, and the corners of the kernel that no mail server needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/evil/attacks.h"

#define PAGE	4096

int
opened(int fd)
{
	if (fd == -1)
		return -1;
	(void)close(fd);
	return 0;
}

/* In a child, which alone is moved: outside a sandbox this works. */
int
in_child(int (*what)(const char *), const char *argument)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == -1)
		return what(argument);		/* no child either: then here, where it is refused as well */
	if (pid == 0)
		_exit(what(argument) == 0 ? 0 : errno);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	return errno == 0 ? 0 : -1;
}

/* ---- rights ---- */

/* The raw calls: the C library would ask its threads as well. */
static int
just_same_ids(const char *unused)
{
	(void)unused;
	if (syscall(SYS_setresgid, getgid(), getgid(), getgid()) == -1)
		return -1;
	return (int)syscall(SYS_setresuid, getuid(), getuid(), getuid());
}

static int
do_same_ids(const char *unused)
{
	return in_child(just_same_ids, unused);
}

static int
just_setuid(const char *uid)
{
	unsigned long id = strtoul(uid, NULL, 10);

	return (int)syscall(SYS_setresuid, id, id, id);
}

static int
do_setuid(const char *uid)
{
	return in_child(just_setuid, uid);
}

static int
just_setgroups(const char *unused)
{
	const gid_t root = 0;

	(void)unused;
	return (int)syscall(SYS_setgroups, 1, &root);
}

static int
do_setgroups(const char *unused)
{
	return in_child(just_setgroups, unused);
}

static int
do_limits(const char *unused)
{
	struct rlimit files;

	(void)unused;
	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		return -1;
	return setrlimit(RLIMIT_NOFILE, &files);
}

static int
just_unshare(const char *unused)
{
	(void)unused;
	return unshare(CLONE_NEWUSER);
}

static int
do_unshare(const char *unused)
{
	return in_child(just_unshare, unused);
}

static int
just_unshare_net(const char *unused)
{
	(void)unused;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static int
do_unshare_net(const char *unused)
{
	return in_child(just_unshare_net, unused);
}

/* Without a descriptor of one the call ends with EBADF: then it was let through. */
static int
do_setns(const char *unused)
{
	(void)unused;
	return setns(-1, 0) == -1 && errno != EBADF ? -1 : 0;
}

static int
do_dumpable(const char *unused)
{
	int was = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);

	(void)unused;
	if (was == -1 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_DUMPABLE, was, 0, 0, 0);
}

static int
do_keep_caps(const char *unused)
{
	(void)unused;
	return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
}

static int
do_capabilities(const char *unused)
{
	struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
	struct { uint32_t effective, permitted, inheritable; } data[2];

	(void)unused;
	if (syscall(SYS_capget, &head, data) == -1)
		return -1;
	return (int)syscall(SYS_capset, &head, data);
}

static int
do_hostname(const char *unused)
{
	char name[256];

	(void)unused;
	return gethostname(name, sizeof(name)) == -1 ? -1 : sethostname(name, strlen(name));
}

/* ---- memory ---- */

static int
do_map_code(const char *unused)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	return page == MAP_FAILED ? -1 : munmap(page, PAGE);
}

static int
do_protect_code(const char *unused)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result = page == MAP_FAILED ? -1 : mprotect(page, PAGE, PROT_READ | PROT_EXEC), error = errno;

	(void)unused;
	if (page != MAP_FAILED)
		(void)munmap(page, PAGE);
	errno = error;
	return result;
}

static int
do_pkey_code(const char *unused)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result = page == MAP_FAILED ? -1 : (int)syscall(SYS_pkey_mprotect, page, PAGE, PROT_READ | PROT_EXEC, -1), error = errno;

	(void)unused;
	if (page != MAP_FAILED)
		(void)munmap(page, PAGE);
	errno = error;
	return result;
}

/* The same bytes twice: once to write, once to run. */
static int
do_code_file(const char *unused)
{
	int fd = memfd_create("evil", MFD_CLOEXEC), error;
	void *page = MAP_FAILED;

	(void)unused;
	if (fd != -1)
		page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	error = errno;
	fd_close(&fd);
	errno = error;
	return page == MAP_FAILED ? -1 : munmap(page, PAGE);
}

static int
do_personality(const char *unused)
{
	(void)unused;
	return personality(READ_IMPLIES_EXEC) == -1 ? -1 : personality(PER_LINUX) == -1 ? -1 : 0;
}

static int
do_shared_memory(const char *unused)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);

	(void)unused;
	return id == -1 ? -1 : shmctl(id, IPC_RMID, NULL);
}

/* ---- corners of the kernel ---- */

static int
do_keys(const char *unused)
{
	(void)unused;
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) == -1 ? -1 : 0;
}

static int
do_add_key(const char *unused)
{
	(void)unused;
	return syscall(SYS_add_key, "user", "evil", "x", 1, KEY_SPEC_PROCESS_KEYRING) == -1 ? -1 : 0;
}

static int
do_bpf(const char *unused)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	(void)unused;
	return opened((int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

static int
do_io_uring(const char *unused)
{
	struct io_uring_params how = { 0 };

	(void)unused;
	return opened((int)syscall(SYS_io_uring_setup, 1, &how));
}

static int
do_perf(const char *unused)
{
	struct perf_event_attr what = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(what), .config = PERF_COUNT_SW_TASK_CLOCK,
	    .exclude_kernel = 1 };

	(void)unused;
	return opened((int)syscall(SYS_perf_event_open, &what, 0, -1, -1, 0));
}

static int
do_userfault(const char *unused)
{
	(void)unused;
	return opened((int)syscall(SYS_userfaultfd, O_CLOEXEC | 1));	/* 1: faults of user mode only, which anybody may ask for */
}

static int
do_fanotify(const char *unused)
{
	(void)unused;
	return opened((int)syscall(SYS_fanotify_init, 0, O_RDONLY));
}

/* A module of no bytes is refused as such where the call is let through. */
static int
do_module(const char *unused)
{
	(void)unused;
	return syscall(SYS_init_module, "", 0, "") == -1 && errno != ENOEXEC ? -1 : 0;
}

static int
do_accounting(const char *unused)
{
	(void)unused;
	return acct(NULL);
}

static int
do_own_landlock(const char *unused)
{
	(void)unused;
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) == -1 ? -1 : 0;
}

/* A device setting: what pushes characters into a terminal goes the same way. */
static int
do_ioctl(const char *unused)
{
	int ends[2], waiting, result = pipe2(ends, O_CLOEXEC), error;

	(void)unused;
	if (result == -1)
		return -1;
	result = ioctl(ends[0], FIONREAD, &waiting);
	error = errno;
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	errno = error;
	return result;
}

const struct attack self_attacks[] = {
	{ "same-ids", do_same_ids }, { "setuid", do_setuid }, { "setgroups", do_setgroups }, { "limits", do_limits },
	{ "unshare", do_unshare }, { "unshare-net", do_unshare_net }, { "setns", do_setns }, { "dumpable", do_dumpable },
	{ "keep-caps", do_keep_caps }, { "capabilities", do_capabilities }, { "hostname", do_hostname },
	{ "map-code", do_map_code }, { "protect-code", do_protect_code }, { "pkey-code", do_pkey_code }, { "code-file", do_code_file },
	{ "personality", do_personality }, { "shared-memory", do_shared_memory },
	{ "keys", do_keys }, { "add-key", do_add_key }, { "bpf", do_bpf }, { "io-uring", do_io_uring }, { "perf", do_perf },
	{ "userfault", do_userfault }, { "fanotify", do_fanotify }, { "module", do_module }, { "accounting", do_accounting },
	{ "own-landlock", do_own_landlock }, { "ioctl", do_ioctl },
	{ NULL, NULL },
};
