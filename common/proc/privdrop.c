/* privdrop — root becomes a user, and cannot come back. */
#include "proc/privdrop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

int
account_find(const char *user, struct account *out, struct err *err)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return err_set(err, "there is no user %s; make posthorn's users with: systemd-sysusers posthorn.conf", user);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return err_set(err, "the user %s has root's uid or gid; give it its own", user);
	*out = (struct account){ .uid = pw->pw_uid, .gid = pw->pw_gid };
	return 0;
}

/* Whoever may write there could lay out files for a process that believes it sees none. */
static int
check_empty(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return err_sys(err, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, "%s must be a folder of root's that nobody else can write to", path);
	return 0;
}

static int
enter_empty(const char *path, struct err *err)
{
	if (check_empty(path, err) == -1)
		return -1;
	if (chroot(path) == -1 || chdir("/") == -1)
		return err_sys(err, "chroot to %s", path);
	return 0;
}

static bool
is_exactly(const struct account *a)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	return getresuid(&r, &e, &s) == 0 && getresgid(&gr, &ge, &gs) == 0 &&
	    r == a->uid && e == a->uid && s == a->uid && gr == a->gid && ge == a->gid && gs == a->gid;
}

static int
set_groups(const struct account *a, const char *login)
{
	if (login == NULL || login[0] == '\0')
		return setgroups(0, NULL);
	return initgroups(login, a->gid);
}

int
privdrop(const struct account *a, const char *empty, const char *login, struct err *err)
{
	if (a->uid == 0 || a->gid == 0)
		return err_set(err, "refusing to run as root");
	if (empty != NULL && enter_empty(empty, err) == -1)
		return -1;
	if (set_groups(a, login) == -1)
		return err_sys(err, "the groups of uid %u", (unsigned)a->uid);
	if (setresgid(a->gid, a->gid, a->gid) == -1)
		return err_sys(err, "setresgid %u", (unsigned)a->gid);
	if (setresuid(a->uid, a->uid, a->uid) == -1)
		return err_sys(err, "setresuid %u", (unsigned)a->uid);
	if (!is_exactly(a) || setuid(0) != -1)
		return err_set(err, "the change to uid %u did not hold", (unsigned)a->uid);
	return 0;
}

static bool
has_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, have) == -1)
		return true;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((have[i].permitted | have[i].effective | have[i].inheritable) != 0)
			return true;
	return false;
}

int
privdrop_capabilities(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (setgroups(0, NULL) == -1)
		return err_sys(err, "giving up root's groups");
	/* What a program run later could have. A posthornd that was started with few capabilities may not narrow it, which
	 * takes nothing away: no_new_privs and the list of calls come next, and with them no program is run. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap);
	if (syscall(SYS_capset, &head, none) == -1)		/* the ambient ones go with them */
		return err_sys(err, "giving up root's capabilities");
	if (has_capabilities() || setgroups(0, NULL) != -1 || setuid(1) != -1)
		return err_set(err, "root's capabilities are still there");
	return 0;
}

/* The effective ids decide about files; the real ones stay root's, so the way back is open. Failing that, nobody may go on. */
int
open_as(const struct account *a, const char *path, int flags, mode_t mode)
{
	gid_t group = getegid();
	int fd = -1, error;

	if (setgroups(0, NULL) == -1 || setegid(a->gid) == -1)
		return -1;
	if (seteuid(a->uid) == 0) {
		fd = open(path, flags, mode);
		error = errno;
		if (seteuid(0) == -1)
			fatal("root's rights did not come back");
	} else
		error = errno;
	if (setegid(group) == -1)
		fatal("root's group did not come back");
	errno = error;
	return fd;
}

int
die_with_parent(pid_t parent, int signo)
{
	if (prctl(PR_SET_PDEATHSIG, signo) == -1)
		return -1;
	return getppid() == parent ? 0 : -1;	/* it may have died before the wish was noted */
}
