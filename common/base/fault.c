/*
 * fault — named points where a call can be made to fail, or the process to end.
 *
 * A plan is a list "POINT:N[+]:WHAT" separated by commas; WHAT is an errno's name or KILL. Threads may
 * pass points at the same time, so the counters are guarded.
 */
#include "base/fault.h"

#ifdef POSTHORN_FAULTS
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_MAX	8

enum { WHAT_KILL = -1 };

static const struct {
	const char	*name;
	int		 code;
} whats[] = {
	{ "KILL", WHAT_KILL }, { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "ENOMEM", ENOMEM }, { "EMFILE", EMFILE },
	{ "ENFILE", ENFILE }, { "EDQUOT", EDQUOT }, { "EROFS", EROFS }, { "EACCES", EACCES }, { "EINTR", EINTR },
	{ "EAGAIN", EAGAIN },
};

struct fault {
	char	point[48];
	long	nth, passed;
	bool	forever;
	int	what;
};

static struct fault faults[FAULTS_MAX];
/* Read without the lock on the way past every point,
 * so that a program without a plan pays for one load. */
static _Atomic size_t fault_total;
static _Atomic bool loaded;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static int
what_of(const char *name)
{
	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (strcmp(whats[i].name, name) == 0)
			return whats[i].code;
	return EIO;
}

/* A plan that cannot be read is a mistake in a test: end loudly rather than test nothing. */
static void
add_fault(const char *entry)
{
	struct fault *f = &faults[fault_total];
	char nth[24], what[16] = "ENOMEM";

	if (fault_total == FAULTS_MAX || sscanf(entry, "%47[^:]:%23[^:]:%15s", f->point, nth, what) < 2) {
		fprintf(stderr, "POSTHORN_FAULT: cannot read \"%s\"\n", entry);
		_exit(70);
	}
	f->nth = strtol(nth, NULL, 10);
	f->forever = strchr(nth, '+') != NULL;
	f->passed = 0;
	f->what = what_of(what);
	fault_total++;
}

static void
load(const char *plan)
{
	char copy[512], *save = NULL;

	fault_total = 0;
	loaded = true;
	if (plan == NULL)
		return;
	(void)snprintf(copy, sizeof(copy), "%s", plan);
	for (char *entry = strtok_r(copy, ",", &save); entry != NULL; entry = strtok_r(NULL, ",", &save))
		add_fault(entry);
}

void
fault_plan(const char *plan)
{
	pthread_mutex_lock(&guard);
	load(plan);
	pthread_mutex_unlock(&guard);
}

static int
pass(struct fault *f)
{
	f->passed++;
	if (f->passed == f->nth || (f->forever && f->passed > f->nth))
		return f->what;
	return 0;
}

int
fault_at(const char *point)
{
	int what = 0;

	if (loaded && fault_total == 0)
		return 0;
	pthread_mutex_lock(&guard);
	if (!loaded)
		load(getenv("POSTHORN_FAULT"));
	for (size_t i = 0; i < fault_total; i++)
		if (strcmp(faults[i].point, point) == 0)
			what = pass(&faults[i]);
	pthread_mutex_unlock(&guard);
	if (what == WHAT_KILL) {
		(void)kill(getpid(), SIGKILL);
		for (;;)
			(void)pause();
	}
	if (what != 0)
		errno = what;
	return what;
}

long
fault_count(const char *point)
{
	long passed = 0;

	pthread_mutex_lock(&guard);
	for (size_t i = 0; i < fault_total; i++)
		if (strcmp(faults[i].point, point) == 0)
			passed = faults[i].passed;
	pthread_mutex_unlock(&guard);
	return passed;
}
#endif
