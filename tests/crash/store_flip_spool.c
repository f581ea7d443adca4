/*
 * store_flip_spool — the same as store_flip for a store whose mail sleeps: bytes of the ring, of
 * files of the spool and of the catalog's files are flipped, one at a time.
 *
 * Whatever was hit: the start over it may end once (the catalog is set aside, and the next start
 * makes it anew), never twice; every message that is left wakes whole; and whatever is lost, old or
 * back again was told: something lies in corrupt/, or an error was logged.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/crash/scratch.h"
#include "tests/crash/store_life.h"

#define SECONDS		24.0
#define OPERATIONS	900
#define PATIENCE	30u		/* s for one start */
#define FILES_MAX	1024u
#define WAKE		64u
#define STARTS_MOST	5		/* libdb may die of damage: after three such starts its files are set aside */

enum end { END_WELL, END_NOT_OPENED = 2, END_CONDEMNED = 3, END_BROKEN_PROMISE = 4 };

struct target {
	char		 path[160];	/* below the queue directory */
	uint32_t	 size;
};

struct flips {
	struct life	 life;
	char		 copy[64];
	struct row	*rows;		/* as they were at the copy */
	uint64_t	 seed, done, ended_once, losses, missing, back;
	bool		 may_lose;	/* what is flipped is the only place of something */
	bool		 may_die;	/* libdb may, of its log */
	double		 slowest;	/* s, for one flip */
	struct target	 files[FILES_MAX];
	uint32_t	 nfiles;
};

/* Shared with the children: how many errors they logged. */
struct told {
	uint32_t	 errors;
	char		 last[200];
};
static struct told *told;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- trees -------------------------------------------------------------------------------------- */

static const char *tree_from, *tree_to;
static struct flips *listing;

/* Most of it is zeros, and stays a hole. */
static void
copy_file(const char *from, const char *to)
{
	static const char zeros[1 << 14];
	static char bytes[sizeof(zeros)];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	off_t at = 0;
	ssize_t n;

	if (in == -1 || out == -1)
		abort();
	for (; (n = read(in, bytes, sizeof(bytes))) > 0; at += n)
		if (memcmp(bytes, zeros, (size_t)n) != 0 && pwrite(out, bytes, (size_t)n, at) != n)
			abort();
	if (ftruncate(out, at) == -1)
		abort();
	close(in);
	close(out);
}

static int
copy_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char to[300];

	(void)ftw;
	snprintf(to, sizeof(to), "%s%s", tree_to, path + strlen(tree_from));
	if (type == FTW_D && mkdir(to, 0700) == -1 && errno != EEXIST)
		abort();
	if (type == FTW_F && S_ISREG(st->st_mode))
		copy_file(path, to);
	return 0;
}

/* What was there before is gone. */
static void
copy_tree(const char *from, const char *to)
{
	scratch_remove(to);
	tree_from = from;
	tree_to = to;
	if (nftw(from, copy_one, 16, FTW_PHYS) == -1)
		abort();
}

/* The content of a large message: nobody compares it with its checksum once it was accepted; docs/DURABILITY.md says so. */
static bool
is_checked(const char *path)
{
	return strstr(path, "/spool/large/") == NULL || strstr(path, ".env") != NULL;
}

static int
list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct flips *f = listing;

	(void)ftw;
	if (type == FTW_F && st->st_size > 0 && f->nfiles < FILES_MAX && is_checked(path)) {
		snprintf(f->files[f->nfiles].path, sizeof(f->files[0].path), "%s", path + strlen(f->copy) + 1);
		f->files[f->nfiles++].size = (uint32_t)st->st_size;
	}
	return 0;
}

/* What is zero to the end is not written yet: there is nothing to damage. */
static uint32_t
written(const char *path, uint32_t size)
{
	char *bytes = malloc(size);
	int fd = open(path, O_RDONLY);

	if (fd == -1 || bytes == NULL || read(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
	while (size > 0 && bytes[size - 1] == 0)
		size--;
	free(bytes);
	return size;
}

static void
list(struct flips *f, const char *folder)
{
	char path[240];

	snprintf(path, sizeof(path), "%s/%s", f->copy, folder);
	f->nfiles = 0;
	listing = f;
	(void)nftw(path, list_one, 16, FTW_PHYS);
	for (uint32_t i = 0; i < f->nfiles; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->copy, f->files[i].path);
		f->files[i].size = written(path, f->files[i].size);
	}
}

static bool
anything_in(const char *directory, const char *folder)
{
	char path[200];
	struct dirent *entry;
	bool any = false;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", directory, folder);
	if ((d = opendir(path)) == NULL)
		return false;
	while ((entry = readdir(d)) != NULL)
		any = any || entry->d_name[0] != '.';
	closedir(d);
	return any;
}

/* --- one start ---------------------------------------------------------------------------------- */

static void
count_errors(enum log_level level, struct slice text, void *arg)
{
	(void)arg;
	if (level != LOG_LEVEL_ERROR)
		return;
	told->errors++;
	snprintf(told->last, sizeof(told->last), "%.*s", (int)(text.len < 150 ? text.len : 150), text.p);
}

static uint64_t woken_last;
static bool woken_failed;

static void
on_page(void *arg, const struct store_woken *w)
{
	struct toy *toy = arg;

	woken_last = w->last;
	woken_failed = w->failed;
	loop_stop(toy->loop);
}

/* Everybody, and each is compared with what was put. False: the catalog gave up. */
static bool
wake_everybody(struct toy *toy)
{
	woken_last = 0;
	woken_failed = false;
	do {
		if (toy->broken || store_wake_page(toy->store, slice_of("", 0), woken_last, WAKE, on_page, toy) == -1 ||
		    loop_run(toy->loop) == -1)
			return false;
	} while (woken_last != 0 && !woken_failed && !toy->broken);
	return !woken_failed && !toy->broken;
}

static void
look(void *arg)
{
	struct flips *f = arg;
	struct err err = { 0 };
	struct toy toy;
	bool well;

	(void)alarm(PATIENCE);
	log_sink_set(count_errors, NULL);
	if (toy_open(&toy, f->life.ledger, &f->life.conf, 1, true, &err) == -1) {
		snprintf(told->last, sizeof(told->last), "%.150s", err.text);
		_exit(f->life.ledger->violations > 0 ? END_BROKEN_PROMISE : END_NOT_OPENED);
	}
	well = wake_everybody(&toy);
	if (f->life.ledger->violations > 0)
		_exit(END_BROKEN_PROMISE);
	if (!well)
		_exit(END_CONDEMNED);
	toy_close(&toy);
	_exit(END_WELL);
}

/* --- one flip ----------------------------------------------------------------------------------- */

static void
flip(const char *directory, const char *file, uint32_t offset, unsigned char mask)
{
	char path[300];
	unsigned char byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_RDWR);
	if (fd == -1 || pread(fd, &byte, 1, offset) != 1)
		abort();
	byte ^= mask;
	if (pwrite(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
}

static void
as_at_the_copy(struct flips *f)
{
	struct ledger *l = f->life.ledger;

	copy_tree(f->copy, f->life.conf.directory);
	memcpy(l->rows, f->rows, l->n * sizeof(*f->rows));
	l->losses = l->missing = l->back = l->set_aside = l->violations = 0;
	l->tolerant = true;
	told->errors = 0;
	told->last[0] = '\0';
}

static bool
ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) != END_BROKEN_PROMISE;
}

static void
flip_once(struct flips *f, const struct target *t, uint32_t offset, unsigned char mask)
{
	struct ledger *l = f->life.ledger;
	int first, last;
	bool was_told, good;
	double began = now();

	as_at_the_copy(f);
	flip(f->life.conf.directory, t->path, offset, mask);
	first = last = child_run(look, f);
	/* What the first start gave up is not looked for in the next. */
	for (int starts = 1; last != 0 && (starts < 2 || (WIFSIGNALED(last) && starts < STARTS_MOST)); starts++)
		last = child_run(look, f);
	was_told = l->set_aside > 0 || told->errors > 0 || anything_in(f->life.conf.directory, "corrupt");
	f->done++;
	f->ended_once += first != 0;
	f->losses += l->losses;
	f->missing += l->missing;
	f->back += l->back;
	good = (ended_well(first) || (f->may_die && WIFSIGNALED(first) && WTERMSIG(first) != SIGALRM)) && last == 0 &&
	    l->violations == 0 && (l->losses == 0 || was_told) && (l->missing + l->back == 0 || f->may_lose);
	f->slowest = now() - began > f->slowest ? now() - began : f->slowest;
	verdict(good,
	    "seed %llu, %s, byte %u, mask %#x: ended with %#x, then %#x; %u violations, %llu losses (%llu missing, %llu back)%s (%s)", (unsigned long long)f->seed,
	    t->path, offset, mask, (unsigned)first, (unsigned)last, l->violations, (unsigned long long)l->losses,
	    (unsigned long long)l->missing, (unsigned long long)l->back, was_told ? "" : ", in silence", told->last);
}

/* --- all of them -------------------------------------------------------------------------------- */

static uint64_t
draw(struct flips *f)
{
	f->seed = f->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return f->seed >> 33;
}

/* Places anywhere in the files of a folder, each as likely as its share of the bytes; now and then near the head of one. */
static void
flip_below(struct flips *f, const char *folder, double until)
{
	uint64_t total = 0, at, begun = f->done, ended = f->ended_once;
	uint32_t i;

	list(f, folder);
	f->losses = f->missing = f->back = 0;
	f->slowest = 0;
	f->may_die = strcmp(folder, "db") == 0;
	f->may_lose = strncmp(folder, "db", 2) != 0;
	for (i = 0; i < f->nfiles; i++)
		total += f->files[i].size;
	verdict(total > 0, "%s: nothing is there", folder);
	while (total > 0 && now() < until) {
		at = draw(f) % total;
		for (i = 0; at >= f->files[i].size; i++)
			at -= f->files[i].size;
		if (draw(f) % 4 == 0)
			at %= 128;
		flip_once(f, &f->files[i], (uint32_t)at, (unsigned char)(1u << draw(f) % 8));
	}
	printf("# %s: %llu flips in %u files of %llu bytes; %llu starts ended once, %llu losses were told (%llu missing, %llu back), the slowest took %.1f s\n", folder,
	    (unsigned long long)(f->done - begun), f->nfiles, (unsigned long long)total, (unsigned long long)(f->ended_once - ended),
	    (unsigned long long)f->losses, (unsigned long long)f->missing, (unsigned long long)f->back, f->slowest);
}

static void
flip_store(struct ledger *ledger, uint64_t seed, bool orderly, double seconds)
{
	static const char *const folders[] = { "journal", "spool", "db/catalog.db", "db", "holds" };
	static struct flips f;
	char directory[64];
	double began;

	f = (struct flips){ .seed = seed, .life = { .ledger = ledger, .seed = seed, .operations = OPERATIONS, .sleeps = true,
	    .abandon = !orderly } };
	scratch_make(directory);
	scratch_make(f.copy);
	ledger_reset(ledger);
	f.life.conf = (struct store_conf){ directory, 8, MIB };
	verdict(lives_well(&f.life), "a store whose mail sleeps");
	copy_tree(directory, f.copy);
	f.rows = malloc(ledger->n * sizeof(*f.rows));
	memcpy(f.rows, ledger->rows, ledger->n * sizeof(*f.rows));
	began = now();
	for (uint32_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		flip_below(&f, folders[i], began + seconds * (i + 1) / (sizeof(folders) / sizeof(folders[0])));
	free(f.rows);
	scratch_remove(directory);
	scratch_remove(f.copy);
}

int
main(int argc, char **argv)
{
	struct ledger *ledger = ledger_new();
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	double seconds = argc > 2 ? atof(argv[2]) : SECONDS;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Trees are copied for each flip, and no power is cut: memory will do. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	told = toy_shared(sizeof(*told));
	printf("# seed %llu\n", (unsigned long long)seed);
	flip_store(ledger, seed, true, seconds / 2);
	flip_store(ledger, seed, false, seconds / 2);
	return score();
}
