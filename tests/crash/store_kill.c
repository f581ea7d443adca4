/*
 * store_kill — dies at every numbered step of docs/SPOOL.md, then at random, and looks at what
 * is left.
 *
 * For each step: a child prepares a store, a second one is killed the n-th time that it passes
 * the step, a third opens what is left, compares it with the ledger, works on and closes, a
 * fourth compares again. Every acknowledged message must be there byte for byte, no state older
 * than acknowledged, nothing finished back, nothing that nobody put.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "tests/crash/scratch.h"
#include "tests/crash/store_life.h"

enum scene {
	SCENE_NONE,
	SCENE_WORK,		/* a store with history */
	SCENE_NEW,		/* an empty directory */
	SCENE_DAMAGED,		/* acknowledged bytes were flipped */
	SCENE_FULL,		/* only the reserve is free at start */
	SCENE_SYNC_FAILS,	/* one sync fails in the life that is killed */
	SCENE_SMALLER,		/* the configuration wants fewer segments than there are */
	SCENE_SLEEP,		/* mail leaves the ring for the spool, sleeps and is woken */
	SCENE_CATALOG_FAILS,	/* the same, and one commit of the catalog fails */
	SCENE_CATALOG_LOST,	/* the same, and then the catalog is gone */
	SCENE_CUT_OFF		/* the same, killed before: files are left over */
};

static const struct {
	const char	*step;
	enum scene	 scene;
	int		 most;		/* kill at the 1st .. most-th time */
} steps[] = {
	{ "commit-1", SCENE_WORK, 9 },		{ "commit-2", SCENE_WORK, 9 },
	{ "commit-3", SCENE_WORK, 9 },		{ "commit-4", SCENE_WORK, 9 },
	{ "open-1", SCENE_WORK, 4 },		{ "open-2", SCENE_WORK, 4 },		{ "open-3", SCENE_WORK, 4 },
	{ "fail-1", SCENE_SYNC_FAILS, 1 },
	{ "end-1", SCENE_WORK, 1 },		{ "end-2", SCENE_WORK, 1 },
	{ "copy-1", SCENE_WORK, 4 },		{ "copy-2", SCENE_WORK, 4 },		{ "copy-3", SCENE_WORK, 4 },
	{ "wipe-1", SCENE_WORK, 4 },		{ "wipe-2", SCENE_WORK, 4 },		{ "wipe-3", SCENE_WORK, 4 },
	{ "make-1", SCENE_NEW, 1 },		{ "make-2", SCENE_NEW, 1 },		{ "make-3", SCENE_NEW, 1 },
	{ "ring-1", SCENE_NEW, 3 },		{ "ring-2", SCENE_NEW, 3 },		{ "ring-3", SCENE_NEW, 1 },
	{ "ring-4", SCENE_SMALLER, 1 },
	{ "epoch-1", SCENE_WORK, 1 },		{ "epoch-2", SCENE_WORK, 1 },		{ "epoch-3", SCENE_WORK, 1 },
	{ "epoch-4", SCENE_WORK, 1 },		{ "epoch-5", SCENE_WORK, 1 },
	{ "epoch-1", SCENE_NEW, 1 },		{ "epoch-2", SCENE_NEW, 1 },		{ "epoch-3", SCENE_NEW, 1 },
	{ "epoch-4", SCENE_NEW, 1 },		{ "epoch-5", SCENE_NEW, 1 },
	{ "large-1", SCENE_WORK, 3 },		{ "large-2", SCENE_WORK, 3 },		{ "large-3", SCENE_WORK, 3 },
	{ "large-4", SCENE_WORK, 3 },		{ "large-5", SCENE_WORK, 3 },		{ "large-6", SCENE_WORK, 3 },
	{ "recovery-1", SCENE_WORK, 1 },	{ "recovery-2", SCENE_WORK, 1 },	{ "recovery-3", SCENE_WORK, 1 },
	{ "recovery-4", SCENE_WORK, 1 },	{ "recovery-5", SCENE_WORK, 1 },	{ "recovery-6", SCENE_WORK, 1 },
	{ "recovery-7", SCENE_WORK, 1 },	{ "recovery-8", SCENE_WORK, 1 },	{ "recovery-9", SCENE_WORK, 1 },
	{ "corrupt-1", SCENE_DAMAGED, 1 },	{ "corrupt-2", SCENE_DAMAGED, 1 },	{ "corrupt-3", SCENE_DAMAGED, 1 },
	{ "evacuate-1", SCENE_SLEEP, 9 },	{ "evacuate-2", SCENE_SLEEP, 9 },	{ "evacuate-3", SCENE_SLEEP, 9 },
	{ "evacuate-4", SCENE_SLEEP, 9 },	{ "evacuate-5", SCENE_SLEEP, 9 },
	{ "forget-1", SCENE_SLEEP, 9 },		{ "forget-2", SCENE_SLEEP, 9 },		{ "forget-3", SCENE_SLEEP, 9 },
	{ "wipe-1", SCENE_SLEEP, 4 },		{ "wipe-2", SCENE_SLEEP, 4 },		{ "wipe-3", SCENE_SLEEP, 4 },
	{ "commit-2", SCENE_SLEEP, 9 },		{ "commit-3", SCENE_SLEEP, 9 },		{ "recovery-6", SCENE_SLEEP, 1 },
	{ "recovery-7", SCENE_SLEEP, 1 },	{ "recovery-9", SCENE_SLEEP, 1 },
	{ "hunt-1", SCENE_CUT_OFF, 4 },
	{ "condemn-1", SCENE_CATALOG_FAILS, 1 },	{ "condemn-2", SCENE_CATALOG_FAILS, 1 },
	{ "rebuild-1", SCENE_CATALOG_LOST, 1 },	{ "rebuild-2", SCENE_CATALOG_LOST, 1 },
	{ "rescue-1", SCENE_FULL, 1 },		{ "rescue-2", SCENE_FULL, 1 },		{ "wipe-2", SCENE_FULL, 1 },
};
static const char *only;		/* argument: this step alone */

#define FULL_TRIES	10
#define STEPS	(sizeof(steps) / sizeof(steps[0]))

/* Flips a byte of a record in the oldest segment with mail, well behind its first batch. */
static void
damage(const struct store_conf *conf)
{
	unsigned char head[64], byte;
	char path[128];
	int fd;

	for (uint32_t i = 0; i < conf->segments; i++) {
		snprintf(path, sizeof(path), "%s/journal/%03u.seg", conf->directory, i);
		fd = open(path, O_RDWR);
		if (fd != -1 && pread(fd, head, 64, 0) == 64 && head[12] == 2 && pread(fd, &byte, 1, 8192 + 70) == 1) {
			byte ^= 0x40;
			if (pwrite(fd, &byte, 1, 8192 + 70) != 1)
				abort();
			close(fd);
			return;
		}
		if (fd != -1)
			close(fd);
	}
}

/* Live mail in all segments that DONE may take, then lives that die behind their first batch:
 * each leaves a segment that nobody may append to, until only the reserve is free. */
static bool
fill_ring(struct life *life)
{
	struct life l = *life;
	int status;

	l.operations = 900;
	l.puts_only = true;
	l.class = STORE_DONE;
	l.abandon = true;
	if (!lives_well(&l))
		return false;
#ifdef POSTHORN_FAULTS
	l.plan = "step-commit-4:1:KILL";
#endif
	l.operations = 1;
	status = child_run(live, &l);
	return WIFSIGNALED(status) && l.ledger->violations == 0;
}

/* What a receiver had begun to fill when everything died. */
static void
leave_orphan(const struct store_conf *conf)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/spool/large/00000000000G1", conf->directory);
	if ((fd = open(path, O_WRONLY | O_CREAT, 0600)) == -1)
		abort();
	close(fd);
}

static bool
orphan_is_gone(const struct store_conf *conf)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/spool/large/00000000000G1", conf->directory);
	return access(path, F_OK) == -1;
}

static bool
sleeps(enum scene scene)
{
	return scene >= SCENE_SLEEP;
}

/* Dies with files in the spool that no transaction has named yet. */
static bool
cut_off(const struct life *life)
{
	struct life l = *life;
	int status;

#ifdef POSTHORN_FAULTS
	l.plan = "step-evacuate-4:3:KILL";
#endif
	l.operations = 3000;
	status = child_run(live, &l);
	return WIFSIGNALED(status) && l.ledger->violations == 0;
}

static void
lose_catalog(const struct store_conf *conf)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/db", conf->directory);
	scratch_remove(path);
}

static bool
prepare(struct life *life, enum scene scene)
{
	struct life l = *life;

	l.operations = sleeps(scene) ? 2000 : 600;
	if (scene == SCENE_CUT_OFF)
		return cut_off(&l);
	if (scene == SCENE_NEW)
		return true;
	if (scene == SCENE_FULL)
		return fill_ring(&l);
	if (scene == SCENE_SMALLER)
		l.conf.segments += 2;
	l.abandon = scene == SCENE_WORK || scene == SCENE_DAMAGED || sleeps(scene);
	if (scene == SCENE_DAMAGED)
		l.operations = 150;
	if (!lives_well(&l))
		return false;
	leave_orphan(&life->conf);
	if (scene == SCENE_CATALOG_LOST)
		lose_catalog(&life->conf);
	if (scene == SCENE_DAMAGED) {
		damage(&life->conf);
		life->ledger->tolerant = true;
	}
	return true;
}

/* One row, one n. 1: killed and all is well; 0: the scene did not come about or the step was not passed so often; -1: failed. */
static int
kill_at(struct ledger *ledger, size_t row, int n, unsigned try)
{
	char directory[64], plan[128];
	struct life life = { .ledger = ledger, .seed = try * 10000 + row * 100 + (uint64_t)n, .operations = 900, .plan = plan };
	int status, rc = -1;

	scratch_make(directory);
	ledger_reset(ledger);
	life.conf = (struct store_conf){ directory, 8, MIB };
	snprintf(plan, sizeof(plan), "%sstep-%s:%d:KILL",
	    steps[row].scene == SCENE_SYNC_FAILS ? "store-sync:30:EIO," :
	    steps[row].scene == SCENE_CATALOG_FAILS ? "catalog-commit:3:EIO," : "", steps[row].step, n);
	if (sleeps(steps[row].scene)) {
		life.sleeps = true;
		life.operations = 4000;
	}
	struct life quiet_life = life;
	quiet_life.plan = NULL;
	if (!prepare(&quiet_life, steps[row].scene)) {
		rc = ledger->violations > 0 ? -1 : 0;
		goto out;
	}
	if (steps[row].scene == SCENE_FULL)
		life.class = STORE_DONE;
	status = child_run(live, &life);
	if (ledger->violations > 0)
		goto out;
	if (status == 0) {
		rc = 0;
		goto out;
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		printf("%s: ended with status %#x\n", plan, (unsigned)status);
		goto out;
	}
	quiet_life.operations = 200;
	quiet_life.seed++;
	if (!lives_well(&quiet_life))
		goto out;
	quiet_life.operations = 0;
	rc = lives_well(&quiet_life) && orphan_is_gone(&life.conf) ? 1 : -1;
out:
	scratch_remove(directory);
	return rc;
}

static void
kill_at_every_step(struct ledger *ledger)
{
	for (size_t i = 0; i < STEPS; i++)
		for (int n = 1; n <= steps[i].most; n += n < 3 ? 1 : 3) {
			if (only != NULL && strcmp(only, steps[i].step) != 0)
				break;
			/* How full a ring gets, and whose a sync is, depends on how the threads took turns: a few lives may be needed. */
			bool luck = steps[i].scene == SCENE_FULL || steps[i].scene == SCENE_SYNC_FAILS ||
			    sleeps(steps[i].scene);
			unsigned tries = luck ? FULL_TRIES : 1, try = 0;
			int rc = 0;

			while (rc == 0 && try < tries)
				rc = kill_at(ledger, i, n, try++);
			if (rc == 0 && n > 1)
				break;
			verdict(rc == 1, "kill at step %s, time %d: %s", steps[i].step, n,
			    rc == 0 ? "the step was never passed" : "see above");
			ledger->violations = 0;
		}
}

/* --- at random, under load --- */

static void
wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

static bool
kill_at_random(struct life *life, uint64_t n)
{
	int status = 0;
	pid_t pid;

	life->seed = n;
	fflush(NULL);
	if ((pid = fork()) == 0) {
		live(life);
		_exit(0);
	}
	/* One in ten dies while it recovers. */
	wait_ms(n % 10 == 0 ? (long)(n * 7 % (life->sleeps ? 60 : 5)) : 5 + (long)(n * 2654435761u % (life->sleeps ? 250 : 60)));
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && life->ledger->violations == 0;
}

static void
random_kills(struct ledger *ledger, int rounds, bool asleep)
{
	char directory[64];
	struct life life = { .ledger = ledger, .operations = 1000, .endless = true, .sleeps = asleep };

	scratch_make(directory);
	ledger_reset(ledger);
	ledger->puts = ledger->states = ledger->dones = ledger->slept = ledger->woke = 0;
	life.conf = (struct store_conf){ directory, 10, MIB };
	for (int i = 0; i < rounds; i++) {
		verdict(kill_at_random(&life, (uint64_t)i), "random kill %d", i);
		if (ledger->violations > 0 || ledger->n > LEDGER_MAX / 2)
			break;
	}
	life.endless = false;
	verdict(lives_well(&life), "after %d random kills", rounds);
	printf("# random kills%s: %d, acknowledged: %llu messages, %llu states, %llu completions\n", asleep ? " with spool" : "", rounds,
	    (unsigned long long)ledger->puts, (unsigned long long)ledger->states, (unsigned long long)ledger->dones);
	if (asleep)
		printf("# put to sleep %llu times, woken %llu times\n", (unsigned long long)ledger->slept,
		    (unsigned long long)ledger->woke);
	scratch_remove(directory);
}

int
main(int argc, char **argv)
{
	struct ledger *ledger = ledger_new();
	int rounds = argc > 1 ? atoi(argv[1]) : 300;

	only = argc > 2 ? argv[2] : NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef POSTHORN_FAULTS
	kill_at_every_step(ledger);
#else
	printf("# kill at step n: skipped, this build has no fault points\n");
	skipped++;
	(void)kill_at_every_step;
#endif
	random_kills(ledger, rounds, false);
	random_kills(ledger, rounds / 3, true);
	return score();
}
