/*
 * store_power — cuts the power: what was not synced is gone, or half there, in any mixture.
 *
 * The store's calls to pwritev, fdatasync and fsync pass through here. Before each write to a
 * journal segment the old bytes are kept in memory that the parent shares; a sync that succeeds
 * forgets those of its file. When the child has been killed, each 512-byte sector that was
 * written and not synced is put back, or not, at random. A write that a failed sync covered
 * counts as not synced for ever, as Linux has it. Then the ring is opened and compared with the
 * ledger.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/scratch.h"
#include "tests/crash/store_life.h"

#define SECTOR		512u
#define FILES		16u
#define SECTORS		(MIB / SECTOR)

/* One segment: the last synced bytes of every sector that was written since. */
struct shadow {
	ino_t		inode;
	bool		dirty[SECTORS];		/* `old` holds what is on the platter */
	char		old[MIB];
};

struct platter {
	_Atomic uint32_t	files;
	_Atomic uint64_t	syncs, writes;
	uint64_t		fail_sync;	/* this one fails; 0: none */
	bool			no_sync;	/* the control: syncs do nothing, and losses must be seen */
	struct shadow		file[FILES];
};

static struct platter *platter;

ssize_t	__real_pwritev(int, const struct iovec *, int, off_t);
ssize_t	__wrap_pwritev(int, const struct iovec *, int, off_t);
int	__real_fdatasync(int);
int	__wrap_fdatasync(int);
int	__real_fsync(int);
int	__wrap_fsync(int);

/* Only the committer writes segments once a store is open, so there is one user at a time. */
static struct shadow *
shadow_of(int fd)
{
	struct stat st;

	if (platter == NULL || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size != (off_t)MIB)
		return NULL;
	for (uint32_t i = 0; i < platter->files; i++)
		if (platter->file[i].inode == st.st_ino)
			return &platter->file[i];
	return NULL;
}

static void
keep_old(int fd, struct shadow *s, off_t at, size_t len)
{
	for (size_t i = (size_t)at / SECTOR; i <= ((size_t)at + len - 1) / SECTOR; i++) {
		if (s->dirty[i])
			continue;
		if (pread(fd, s->old + i * SECTOR, SECTOR, (off_t)(i * SECTOR)) != (ssize_t)SECTOR)
			abort();
		s->dirty[i] = true;
	}
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	struct shadow *s = shadow_of(fd);
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (s != NULL && len > 0) {
		platter->writes++;
		keep_old(fd, s, at, len);
	}
	return __real_pwritev(fd, iov, n, at);
}

static int
after_sync(int fd)
{
	struct shadow *s = shadow_of(fd);

	if (s == NULL)
		return 0;
	if (++platter->syncs == platter->fail_sync) {
		s->inode = s->inode | (ino_t)1 << 40;	/* never synced again, whatever a later call says */
		errno = EIO;
		return -1;
	}
	if (!platter->no_sync)
		memset(s->dirty, 0, sizeof(s->dirty));
	return 0;
}

int
__wrap_fdatasync(int fd)
{
	return after_sync(fd) == -1 ? -1 : __real_fdatasync(fd);
}

int
__wrap_fsync(int fd)
{
	return after_sync(fd) == -1 ? -1 : __real_fsync(fd);
}

/* Before a life: everything that is there is on the platter. */
static void
power_on(const char *directory)
{
	char path[128];
	struct stat st;

	memset(platter, 0, sizeof(*platter) - sizeof(platter->file));
	for (uint32_t i = 0; i < FILES; i++) {
		memset(platter->file[i].dirty, 0, sizeof(platter->file[i].dirty));
		snprintf(path, sizeof(path), "%s/journal/%03u.seg", directory, i);
		if (stat(path, &st) == 0)
			platter->file[platter->files++].inode = st.st_ino;
	}
}

static uint64_t
dice(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* mode 0: all of it is lost, 1: sector by sector, 2: from a place on, 3: nothing is lost */
static uint32_t
power_off(const char *directory, uint64_t seed)
{
	uint64_t x = seed * 2654435761u + 12345;
	uint64_t mode = dice(&x) % 4, from;
	uint32_t lost = 0;
	char path[128];

	for (uint32_t i = 0; i < platter->files; i++) {
		struct shadow *s = &platter->file[i];
		int fd;

		snprintf(path, sizeof(path), "%s/journal/%03u.seg", directory, i);
		if ((fd = open(path, O_WRONLY)) == -1)
			abort();
		from = dice(&x) % SECTORS;
		for (uint32_t k = 0; k < SECTORS; k++) {
			if (!s->dirty[k] || mode == 3 || (mode == 1 && dice(&x) % 2 == 0) || (mode == 2 && k < from))
				continue;
			if (pwrite(fd, s->old + k * SECTOR, SECTOR, k * SECTOR) != (ssize_t)SECTOR)
				abort();
			lost++;
		}
		close(fd);
	}
	return lost;
}

static void
wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

static uint64_t sectors_lost;

/* One life, its end, and what the disk makes of it. */
static bool
cut(struct life *life, uint64_t n, bool no_sync)
{
	int status = 0;
	pid_t pid;

	life->seed = n;
	power_on(life->conf.directory);
	platter->fail_sync = n % 5 == 4 ? 3 + n % 7 : 0;
	platter->no_sync = no_sync;
#ifdef POSTHORN_FAULTS
	/* Some die where a segment's head and first batch are written and not synced. */
	life->plan = n % 3 == 0 ? "step-open-2:1:KILL" : NULL;
#endif
	fflush(NULL);
	if ((pid = fork()) == 0) {
		live(life);
		_exit(0);
	}
	wait_ms(8 + (long)(n * 2654435761u % 50));
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	sectors_lost += power_off(life->conf.directory, n);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && life->ledger->violations == 0;
}

static void
begin(struct life *life, char directory[64])
{
	struct life first;

	scratch_make(directory);
	ledger_reset(life->ledger);
	life->conf = (struct store_conf){ directory, 10, MIB };
	life->endless = false;
	life->plan = NULL;
	life->operations = 100;
	first = *life;
	verdict(lives_well(&first), "a first life");
	life->endless = true;
	life->operations = 1000;
}

static void
power_cuts(struct life *life, int rounds)
{
	char directory[64];
	struct ledger *l = life->ledger;

	begin(life, directory);
	for (int i = 0; i < rounds && l->violations == 0; i++)
		verdict(cut(life, (uint64_t)i, false), "power cut %d", i);
	power_on(directory);
	life->plan = NULL;
	life->endless = false;
	verdict(l->violations == 0 && lives_well(life), "after the last power cut");
	printf("# power cuts: %d, sectors lost: %llu, acknowledged: %llu messages, %llu states, %llu completions\n", rounds,
	    (unsigned long long)sectors_lost, (unsigned long long)l->puts, (unsigned long long)l->states,
	    (unsigned long long)l->dones);
	scratch_remove(directory);
}

/* The same with syncs that do nothing: if no loss is seen, this program sees nothing. */
static void
control(struct life *life)
{
	char directory[64];
	struct ledger *l = life->ledger;
	uint64_t told = l->set_aside;
	int i;

	begin(life, directory);
	l->tolerant = true;
	l->losses = 0;
	for (i = 0; i < 40 && l->losses == 0; i++)
		(void)cut(life, (uint64_t)i, true);
	verdict(l->losses > 0, "a disk that lies about syncs was not noticed in %d cuts", i);
	printf("# control, no syncs: %llu losses after %d cuts, %llu of them told\n", (unsigned long long)l->losses, i,
	    (unsigned long long)(l->set_aside - told));
	scratch_remove(directory);
}

int
main(int argc, char **argv)
{
	struct life life = { .ledger = ledger_new() };

	setvbuf(stdout, NULL, _IOLBF, 0);
	platter = mmap(NULL, sizeof(*platter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (platter == MAP_FAILED)
		abort();
	power_cuts(&life, argc > 1 ? atoi(argv[1]) : 250);
	life.ledger->violations = 0;
	control(&life);
	return score();
}
