/*
 * store_bench — how many 4 KiB messages a second become durable, beside a bare pwrite and
 * fdatasync loop on the same disk.
 *
 * usage: store_bench [directory [seconds]]. Each writer puts, waits for its answer, finishes the
 * message without waiting, puts again.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/store/store.h"

#define CONTENT		4096u
#define ENVELOPE	300u

struct bench;

struct writer {
	struct bench	*bench;
	struct stored	*stored;
};

struct bench {
	struct loop	*loop;
	struct store	*store;
	double		 until;
	uint64_t	 messages, refused;
	uint32_t	 busy;
	bool		 finish;	/* false: mail stays, accept only */
	struct writer	 writers[256];
};

static char content[CONTENT], envelope[ENVELOPE];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void *
on_found(void *arg, struct stored *s, const struct store_put *p)
{
	(void)s;
	(void)p;
	return arg;
}

static int
on_delta(void *arg, void *owner, uint32_t version, struct slice delta)
{
	(void)arg;
	(void)owner;
	(void)version;
	(void)delta;
	return 0;
}

static void
on_fold(void *arg, void *owner, struct buf *out)
{
	(void)arg;
	(void)owner;
	(void)buf_append(out, envelope, sizeof(envelope));
}

static void
on_room(void *arg, enum store_class class, bool yes)
{
	(void)arg;
	(void)class;
	(void)yes;
}

static void
on_broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static const struct store_ops ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room, .broken = on_broken };

static void write_one(struct writer *);

static void
on_put(void *arg, enum store_result result)
{
	struct writer *w = arg;
	struct bench *b = w->bench;
	struct change *c;

	if (result == STORE_DURABLE) {
		b->messages++;
		if (b->finish && (c = change_new(b->store, STORE_DONE, NULL, NULL)) != NULL) {
			(void)change_done(c, w->stored);
			store_commit(b->store, &c, 20);
		}
	} else {
		b->refused++;
	}
	write_one(w);
}

static void
write_one(struct writer *w)
{
	struct bench *b = w->bench;
	struct store_put put = { .envelope = slice_of(envelope, ENVELOPE), .content = slice_of(content, CONTENT) };
	struct change *c;

	if (now() >= b->until || b->refused > 0) {
		if (--b->busy == 0)
			loop_stop(b->loop);
		return;
	}
	(void)store_next_ids(b->store, 1, &put.id);
	c = change_new(b->store, STORE_CLIENT, on_put, w);
	w->stored = change_put(c, &put, w);
	store_commit(b->store, &c, 0);
}

static void
begin(void *arg)
{
	struct bench *b = arg;
	uint32_t n = b->busy;

	for (uint32_t i = 0; i < n; i++)
		write_one(&b->writers[i]);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
bench_store(const char *base, uint32_t writers, double seconds, bool finish)
{
	struct store_figures before, after;
	struct bench b = { .finish = finish, .busy = writers };
	struct hook hook = { 0 };
	struct store_conf conf = { .segments = finish ? 16 : 64, .segment_size = 16u << 20 };
	char directory[256];
	struct err err;
	double start, used;

	snprintf(directory, sizeof(directory), "%s/bench-XXXXXX", base);
	if (mkdtemp(directory) == NULL || (b.loop = loop_new(&err)) == NULL)
		exit(1);
	conf.directory = directory;
	if ((b.store = store_open(b.loop, &conf, &ops, &b, &err)) == NULL) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	for (uint32_t i = 0; i < writers; i++)
		b.writers[i].bench = &b;
	store_figures(b.store, &before);
	start = now();
	used = cpu();
	b.until = start + seconds;
	loop_at_end(b.loop, &hook, begin, &b);
	(void)loop_run(b.loop);
	seconds = now() - start;
	used = cpu() - used;
	store_figures(b.store, &after);
	printf("%3u writers, %s %9.0f messages/s %8.0f syncs/s %6.3f syncs/message %6.1f us CPU/message%s\n", writers,
	    finish ? "accept and finish" : "accept only      ", (double)b.messages / seconds,
	    (double)(after.syncs - before.syncs) / seconds, (double)(after.syncs - before.syncs) / (double)b.messages,
	    used * 1e6 / (double)b.messages, b.refused > 0 ? "  (until the ring was full)" : "");
	store_close(&b.store);
	loop_free(b.loop);
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* One appender over zero-filled blocks: what the disk can do without company. */
static void
bench_raw(const char *base, double seconds)
{
	static char block[8192];
	uint64_t n = 0, size = 16u << 20;
	char path[256];
	double start;
	int fd;

	snprintf(path, sizeof(path), "%s/bench-raw-XXXXXX", base);
	if ((fd = mkstemp(path)) == -1)
		exit(1);
	for (uint64_t at = 0; at < size; at += sizeof(block))
		if (pwrite(fd, block, sizeof(block), (off_t)at) != (ssize_t)sizeof(block))
			exit(1);
	(void)fsync(fd);
	start = now();
	while (now() < start + seconds) {
		if (pwrite(fd, block, sizeof(block), (off_t)(n * sizeof(block) % size)) != (ssize_t)sizeof(block) || fdatasync(fd) == -1)
			exit(1);
		n++;
	}
	printf("bare pwrite of 8 KiB + fdatasync: %8.0f/s\n", (double)n / (now() - start));
	close(fd);
	unlink(path);
}

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

int
main(int argc, char **argv)
{
	static const uint32_t writers[] = { 1, 20, 100 };
	const char *base = argc > 1 ? argv[1] : "/tmp";
	double seconds = argc > 2 ? atof(argv[2]) : 3;

	log_sink_set(no_log, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(content, 'c', sizeof(content));
	memset(envelope, 'e', sizeof(envelope));
	bench_raw(base, seconds);
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		bench_store(base, writers[i], seconds, true);
		bench_store(base, writers[i], seconds, false);
	}
	return 0;
}
