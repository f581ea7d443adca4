/*
 * fault — named points where a call can be made to fail, or the process to end or to stand still.
 *
 * A plan is a list "POINT:N[+]:WHAT" separated by commas. Threads may pass points at the same time, so the
 * counters are guarded. Signals to ourselves go by raise: a sandboxed process may signal its own threads and
 * nobody else, and a stop or kill of one thread is one of all.
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

#include "base/clock.h"

#define FAULTS_MAX	8

enum { WHAT_KILL = -2, WHAT_STOP = -3, WHAT_TELL = -4, WHAT_TURN = -5, WHAT_TURNED = -6 };

static const struct {
	const char	*name;
	int		 code;
} whats[] = {
	{ "KILL", WHAT_KILL }, { "STOP", WHAT_STOP }, { "TELL", WHAT_TELL }, { "SKIP", FAULT_SKIP },
	{ "TURN", WHAT_TURN }, { "TURNED", WHAT_TURNED }, { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "ENOMEM", ENOMEM }, { "EMFILE", EMFILE },
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
static volatile sig_atomic_t turn_seconds;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static int
what_of(const char *name)
{
	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (strcmp(whats[i].name, name) == 0)
			return whats[i].code;
	return EIO;
}

/* An addition to a number that only clock.c reads: a signal may come at any time. */
static void
on_turn(int sig)
{
	(void)sig;
	clock_turn(0, (int64_t)turn_seconds * 1000);
}

/* "clock:SECONDS:TURN": the wall clock jumps at each SIGUSR2. "clock:SECONDS:TURNED": it has jumped already. */
static void
plan_turn(long seconds, bool now)
{
	struct sigaction act = { .sa_handler = on_turn, .sa_flags = SA_RESTART };

	turn_seconds = (sig_atomic_t)seconds;
	if (now)
		clock_turn(0, (int64_t)seconds * 1000);
	else
		(void)sigaction(SIGUSR2, &act, NULL);
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
	if (f->what == WHAT_TURN || f->what == WHAT_TURNED)
		plan_turn(f->nth, f->what == WHAT_TURNED);
	else
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

/* One line in one write: threads and processes share that stderr. */
static void
tell(const char *point)
{
	char line[80];
	int len = snprintf(line, sizeof(line), "fault: passed %s\n", point);

	(void)!write(2, line, (size_t)len);
}

static int
find(const char *point)
{
	int what = 0, passed;

	pthread_mutex_lock(&guard);
	if (!loaded)
		load(getenv("POSTHORN_FAULT"));
	for (size_t i = 0; i < fault_total; i++) {
		if (strcmp(faults[i].point, point) != 0 && strcmp(faults[i].point, "*") != 0)
			continue;
		passed = pass(&faults[i]);
		what = passed != 0 ? passed : what;
	}
	pthread_mutex_unlock(&guard);
	return what;
}

int
fault_at(const char *point)
{
	int what;

	if (loaded && fault_total == 0)
		return 0;
	what = find(point);
	if (what >= FAULT_SKIP) {
		errno = what > 0 ? what : errno;
		return what;
	}
	switch (what) {
	case WHAT_TELL:
		tell(point);
		break;
	case WHAT_STOP:
		(void)raise(SIGSTOP);
		break;
	default:
		(void)raise(SIGKILL);
		for (;;)
			(void)pause();
	}
	return 0;
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
