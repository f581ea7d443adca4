/*
 * sandbox — the table of kinds, and the way in.
 */
#include "proc/sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "proc/calls.h"
#include "proc/landlock.h"
#include "proc/sandbox_private.h"

/*
 * The one place that says what each kind of process may do. Paths and ports come from the process's grant; without
 * paths no file can be opened by name at all, with CALLS_READ or CALLS_WRITE only below them (where the kernel has Landlock).
 */
static const struct kind {
	const char	*name;
	unsigned	 groups;
	bool		 empty;		/* lives in the empty folder when started as root */
} kinds[SANDBOX_COUNT] = {
	[SANDBOX_SESSION] = { "session",  CALLS_BASE | CALLS_INET | CALLS_ACCEPT,				true },
	[SANDBOX_NETWORK] = { "network",  CALLS_BASE | CALLS_INET,						true },
	[SANDBOX_STORE]   = { "store",    CALLS_BASE | CALLS_ACCEPT | CALLS_READ | CALLS_WRITE | CALLS_SYNC | CALLS_THREADS, false },
	[SANDBOX_LOOKUP]  = { "lookup",   CALLS_BASE | CALLS_READ | CALLS_UNIX | CALLS_FORK | CALLS_CODE,	false },
	[SANDBOX_DELIVER] = { "deliver",  CALLS_BASE | CALLS_SYNC | CALLS_THREADS,				true },
	[SANDBOX_MAILBOX] = { "mailbox",  CALLS_BASE | CALLS_READ | CALLS_WRITE | CALLS_SYNC,			false },
	[SANDBOX_KEY]     = { "key",      CALLS_BASE,								true },
	[SANDBOX_LOG]     = { "log",      CALLS_BASE | CALLS_UNIX,						false },
	[SANDBOX_PAM]     = { "pam",      CALLS_BASE | CALLS_READ | CALLS_UNIX | CALLS_INET | CALLS_FORK | CALLS_CODE, false },
};

#ifdef POSTHORN_SANITIZERS
static const bool sanitizer = true;
#else
static const bool sanitizer = false;
#endif

const char *
sandbox_name(enum sandbox kind)
{
	return kinds[kind].name == NULL ? "none" : kinds[kind].name;
}

bool
sandbox_chroots(enum sandbox kind)
{
	return kinds[kind].empty;
}

unsigned
sandbox_groups(enum sandbox kind)
{
	return kinds[kind].groups | (sanitizer ? CALLS_SANITIZER : 0);
}

int
sandbox_landlock(void)
{
	return landlock_version();
}

static void
add_path(const char *paths[SANDBOX_PATHS], const char *path)
{
	size_t i = 0;

	while (i < SANDBOX_PATHS - 1 && paths[i] != NULL)
		i++;
	if (path != NULL)
		paths[i] = path;
}

/* A sanitizer reads /proc and symbols to report; coverage writes where POSTHORN_SANDBOX_WRITE says. */
static void
widen(struct sandbox_grant *grant)
{
	add_path(grant->read, "/proc");
	add_path(grant->read, "/usr");
	add_path(grant->write, getenv("POSTHORN_SANDBOX_WRITE"));
}

static int
forbid_gains(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_sys(err, "no_new_privs");
	/* A leak checker attaches to its own process, which must then be dumpable. */
	if (!sanitizer && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_sys(err, "not dumpable");
	return 0;
}

int
sandbox_enter_with(enum sandbox kind, const struct sandbox_grant *given, enum calls_verdict verdict, struct err *err)
{
	struct sandbox_grant grant = *given;

	if (kind == SANDBOX_NONE)
		return forbid_gains(err);
	if (sanitizer)
		widen(&grant);
	if (forbid_gains(err) == -1 || landlock_enter(&grant, err) == -1)
		return -1;
	return calls_enter(sandbox_groups(kind), verdict, err);
}

int
sandbox_enter(enum sandbox kind, const struct sandbox_grant *grant, struct err *err)
{
	const char *kill = getenv("POSTHORN_SANDBOX_KILL");

	return sandbox_enter_with(kind, grant, kill != NULL && strcmp(kill, "1") == 0 ? CALLS_KILL : CALLS_REFUSE, err);
}

static bool
paths_hold(const char *const paths[SANDBOX_PATHS], const char *path)
{
	for (size_t i = 0; i < SANDBOX_PATHS; i++)
		if (paths[i] != NULL && strcmp(paths[i], path) == 0)
			return true;
	return false;
}

static bool
ports_hold(const struct sandbox_grant *grant, uint16_t port)
{
	for (size_t i = 0; i < SANDBOX_PORTS; i++)
		if (grant->connect[i] == port)
			return true;
	return false;
}

bool
sandbox_grant_widens(const struct sandbox_grant *now, const struct sandbox_grant *next)
{
	size_t i;

	if (next->read_beside != NULL && (now->read_beside == NULL || strcmp(next->read_beside, now->read_beside) != 0))
		return true;
	for (i = 0; i < SANDBOX_PATHS; i++) {
		if (next->write[i] != NULL && !paths_hold(now->write, next->write[i]))
			return true;
		if (next->read[i] != NULL && !paths_hold(now->read, next->read[i]))
			return true;
	}
	if (next->connect_any && !now->connect_any)
		return true;
	for (i = 0; i < SANDBOX_PORTS && !now->connect_any; i++)
		if (next->connect[i] != 0 && !ports_hold(now, next->connect[i]))
			return true;
	return false;
}
