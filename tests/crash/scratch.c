/*
 * scratch — see scratch.h.
 */
#include "tests/crash/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

void
scratch_make(char path[64])
{
	const char *base = getenv("TMPDIR");

	snprintf(path, 64, "%s/store-XXXXXX", base != NULL && strlen(base) < 40 ? base : "/tmp");
	if (mkdtemp(path) == NULL)
		abort();
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
scratch_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
child_run(void (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == -1)
		abort();
	if (pid == 0) {
		fn(arg);
		fflush(NULL);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

static void
drop_line(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

void
quiet(void)
{
	if (getenv("STORE_LOG") == NULL)
		log_sink_set(drop_line, NULL);
}
