/*
 * limits — a limit that lives in an assumption is no limit, so the kernel holds these, too.
 */
#include "proc/limits.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define MIB		(INT64_C(1024) * 1024)
#define CONTENT_KEPT	(INT64_C(320) * 1024)	/* most memory one session or job holds of a message */
#define SPARE_FILES	128			/* wires, listeners, DNS, logs */
#define UNLIMITED	INT64_C(-1)
#define SPARE_PROCESSES	16
#define SYNC_THREADS	32			/* mda: one for each file system */

#ifdef POSTHORN_SANITIZERS
static const bool sanitizer = true;	/* its shadow memory is terabytes, and its leak checker is a process */
#else
static const bool sanitizer = false;
#endif

struct wanted {
	int64_t	memory, files, file_size, processes;
};

/* What a kind needs however small the configuration is. Threads count as processes, so who has threads has no 0 there. */
static const struct wanted least[SANDBOX_COUNT] = {
	[SANDBOX_SESSION] = { 256 * MIB,  SPARE_FILES,        MIB,       0 },
	[SANDBOX_NETWORK] = { 256 * MIB,  4096,               0,         0 },
	[SANDBOX_STORE]   = { 2048 * MIB, 4096,               UNLIMITED, SPARE_PROCESSES },
	[SANDBOX_LOOKUP]  = { 512 * MIB,  256,                MIB,       SPARE_PROCESSES },
	[SANDBOX_DELIVER] = { 1024 * MIB, SPARE_FILES,        MIB,       SPARE_PROCESSES + SYNC_THREADS },
	[SANDBOX_MAILBOX] = { 512 * MIB,  1024,               MIB,       0 },
	[SANDBOX_KEY]     = { 256 * MIB,  512,                0,         0 },
	[SANDBOX_LOG]     = { 256 * MIB,  4096,               UNLIMITED, 0 },
	[SANDBOX_PAM]     = { 512 * MIB,  256,                0,         UNLIMITED },	/* the kernel does not count root's processes */
};

/* And what the configuration adds. */
static void
scale(enum sandbox kind, const struct conf *conf, struct wanted *w)
{
	switch (kind) {
	case SANDBOX_SESSION:
		w->memory += conf->smtpd.max_sessions * CONTENT_KEPT;
		w->files += 2 * conf->smtpd.max_sessions;	/* a session may hold a large message's file */
		w->files += conf_tls_first(conf, conf->tls_count);
		w->file_size += conf->message_size;
		break;
	case SANDBOX_NETWORK:
		w->memory += w->files * CONTENT_KEPT / 4;
		break;
	case SANDBOX_STORE:
		w->memory += 2 * conf->queue.content_memory + 4 * conf->queue.segment_size;
		break;
	case SANDBOX_LOOKUP:
		/* At a reload the old ones may not be reaped yet. */
		w->processes += 2 * (conf->lookup.workers + conf->submission.workers);
		break;
	case SANDBOX_DELIVER:
		w->files += 4 * conf->mda.max_workers + conf->mda.max_workers * conf->mda.worker_jobs;
		break;
	case SANDBOX_MAILBOX:
		w->file_size += 2 * conf->message_size;
		break;
	default:
		break;
	}
}

static int
set(__rlimit_resource_t resource, int64_t value, const char *what, struct err *err)
{
	struct rlimit now, limit = { (rlim_t)value, (rlim_t)value };

	if (value == UNLIMITED)
		return 0;
	if (getrlimit(resource, &now) == -1)
		return err_sys(err, "reading the limit of %s", what);
	if (setrlimit(resource, &limit) == 0)
		return 0;
	/* Who may not raise it, root's number or not, keeps what there is. */
	if (errno == EPERM && now.rlim_max < limit.rlim_max)
		limit.rlim_cur = limit.rlim_max = now.rlim_max;
	if (setrlimit(resource, &limit) == -1)
		return err_sys(err, "limiting %s to %lld", what, (long long)value);
	return 0;
}

static struct wanted
wanted(enum sandbox kind, const struct conf *conf)
{
	struct wanted w = least[kind];

	scale(kind, conf, &w);
	return w;
}

int
limits_set_files(enum sandbox kind, const struct conf *conf, struct err *err)
{
	int64_t files = wanted(kind, conf).files;
	struct rlimit now;

	if (kind == SANDBOX_NONE)
		return 0;
	if (set(RLIMIT_NOFILE, files, "open files", err) == -1)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < (rlim_t)files)
		log_warn("only %llu of %lld wished open files are granted: fewer things can be done at once",
		    (unsigned long long)now.rlim_cur, (long long)files);
	return 0;
}

int
limits_set(enum sandbox kind, const struct conf *conf, bool own_user, struct err *err)
{
	struct wanted w = wanted(kind, conf);

	if (kind == SANDBOX_NONE)
		return 0;
	if (set(RLIMIT_CORE, 0, "core files", err) == -1)
		return -1;
	if (sanitizer)
		return 0;
	if (set(RLIMIT_AS, w.memory, "memory", err) == -1 || set(RLIMIT_FSIZE, w.file_size, "file size", err) == -1)
		return -1;
	if (w.processes > 0 && !own_user)
		return 0;
	return set(RLIMIT_NPROC, w.processes, "processes", err);
}
