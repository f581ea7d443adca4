/*
 * store_flip — bytes of a small ring are flipped, one at a time, and the store is opened over
 * each.
 *
 * Never a crash, never a wrong byte delivered as right, and no loss in silence: whatever is
 * missing afterwards was set aside and counted. Places are sampled: all of the heads' bytes, and
 * a stride over the rest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/scratch.h"
#include "tests/crash/store_life.h"

#define SECONDS		20
#define DENSE		(4096u + 640u)		/* a segment's head and its first batch's first records: byte by byte */

struct flip {
	struct life	 life;
	char		 path[128];
	uint32_t	 offset;
	unsigned char	 mask;
};

static void
flip(const char *path, uint32_t offset, unsigned char mask)
{
	unsigned char byte;
	int fd = open(path, O_RDWR);

	if (fd == -1 || pread(fd, &byte, 1, offset) != 1)
		abort();
	byte ^= mask;
	if (pwrite(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
}

/* Opens without touching more than recovery does, and ends: the segments are put back by the
 * caller. */
static void
look(void *arg)
{
	struct flip *f = arg;
	struct err err = { 0 };
	struct toy toy;

	quiet();
	if (toy_open(&toy, f->life.ledger, &f->life.conf, 1, f->life.sleeps, &err) == -1) {
		printf("not opened: %s\n", err.text);
		fflush(stdout);
		_exit(2);
	}
	_exit(0);
}

static void
restore(const char *directory, const char *copy)
{
	char command[400];

	snprintf(command, sizeof(command), "%s/corrupt", directory);
	scratch_remove(command);
	if (mkdir(command, 0700) == -1)
		abort();
	for (int i = 0; i < 8; i++) {
		char from[200], to[200];
		static char bytes[MIB];
		int in, out;

		snprintf(from, sizeof(from), "%s/%03d.seg", copy, i);
		snprintf(to, sizeof(to), "%s/journal/%03d.seg", directory, i);
		in = open(from, O_RDONLY);
		out = open(to, O_WRONLY | O_CREAT, 0600);
		if (in == -1 || out == -1 || read(in, bytes, MIB) != (ssize_t)MIB || write(out, bytes, MIB) != (ssize_t)MIB)
			abort();
		close(in);
		close(out);
	}
}

static void
keep(const char *directory, const char *copy)
{
	for (int i = 0; i < 8; i++) {
		char from[200], to[200];
		static char bytes[MIB];
		int in, out;

		snprintf(from, sizeof(from), "%s/journal/%03d.seg", directory, i);
		snprintf(to, sizeof(to), "%s/%03d.seg", copy, i);
		in = open(from, O_RDONLY);
		out = open(to, O_WRONLY | O_CREAT, 0600);
		if (in == -1 || out == -1 || read(in, bytes, MIB) != (ssize_t)MIB || write(out, bytes, MIB) != (ssize_t)MIB)
			abort();
		close(in);
		close(out);
	}
}

/* One flip in a copy of the ledger's truth: rows are put back, too. */
static bool
flip_once(struct flip *f, const char *copy, struct row *rows)
{
	struct ledger *l = f->life.ledger;
	int status;

	memcpy(l->rows, rows, l->n * sizeof(*rows));
	l->losses = l->set_aside = l->violations = 0;
	l->tolerant = true;
	flip(f->path, f->offset, f->mask);
	status = child_run(look, f);
	restore(f->life.conf.directory, copy);
	if (status != 0 || l->violations > 0)
		return false;
	/* What comes back or is lost must have been told. A message that came back is a loss of
	 * its DONE. */
	return l->losses == 0 || l->set_aside > 0;
}

/* How far the segment is written: behind it there is nothing to damage. */
static uint32_t
written(const char *path)
{
	static unsigned char bytes[MIB];
	uint32_t end = MIB;
	int fd = open(path, O_RDONLY);

	if (fd == -1 || read(fd, bytes, MIB) != (ssize_t)MIB)
		abort();
	close(fd);
	while (end > 0 && bytes[end - 1] == 0)
		end--;
	return end;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
flip_segment(struct flip *f, uint32_t number, const char *copy, struct row *rows, double until)
{
	uint32_t end, offset, count = 0, stride = 37;

	snprintf(f->path, sizeof(f->path), "%s/journal/%03u.seg", f->life.conf.directory, number);
	end = written(f->path);
	for (offset = 0; offset < end && now() < until; count++) {
		f->offset = offset;
		f->mask = (unsigned char)(1u << count % 8);
		verdict(flip_once(f, copy, rows), "bit %u of byte %u of segment %u: losses %llu, told %llu", count % 8, offset,
		    number, (unsigned long long)f->life.ledger->losses, (unsigned long long)f->life.ledger->set_aside);
		if (offset < 64 || (offset >= 4096 && offset < DENSE))
			offset++;
		else if (offset < 4096)
			offset = offset + 1009 < 4096 ? offset + 1009 : 4096;
		else
			offset += (stride = stride * 5 % 4099 + 500);
	}
}

static void
flip_ring(struct ledger *ledger, bool orderly, double until)
{
	char directory[64], copy[64];
	struct flip f = { .life = { .ledger = ledger, .seed = 7, .operations = 260, .abandon = !orderly } };
	struct row *rows;

	scratch_make(directory);
	scratch_make(copy);
	ledger_reset(ledger);
	f.life.conf = (struct store_conf){ directory, 8, MIB };
	verdict(lives_well(&f.life), "a small ring");
	keep(directory, copy);
	/* The epoch is raised by each look; rows are compared with what was true at the copy. */
	rows = malloc(ledger->n * sizeof(*rows));
	memcpy(rows, ledger->rows, ledger->n * sizeof(*rows));
	for (uint32_t i = 0; i < 8; i++)
		flip_segment(&f, i, copy, rows, until);
	free(rows);
	scratch_remove(directory);
	scratch_remove(copy);
}

int
main(int argc, char **argv)
{
	struct ledger *ledger = ledger_new();
	double start = now(), seconds = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : SECONDS;

	setvbuf(stdout, NULL, _IOLBF, 0);
	flip_ring(ledger, true, start + seconds / 2);
	flip_ring(ledger, false, start + seconds);
	return score();
}
