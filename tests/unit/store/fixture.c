/* fixture — see fixture.h. */
#include "tests/unit/store/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"

char directory[64];
struct store_conf conf;
struct loop *loop;
struct store *store;
struct mail mails[MANY];
uint32_t nmails;
uint32_t answers, durable, full, failures, broken_told;
bool refuse_deltas, refuse_envelopes;
int rooms_closed, rooms_opened;
static uint32_t wanted;

static void *
on_found(void *arg, struct stored *stored, const struct store_put *put)
{
	struct mail *m = &mails[nmails++];

	(void)arg;
	if (refuse_envelopes) {
		nmails--;
		return STORE_UNREADABLE;
	}
	*m = (struct mail){ .stored = stored, .id = put->id, .version = put->version,
	    .size = put->large ? put->large_size : put->content.len };
	snprintf(m->envelope, sizeof(m->envelope), "%.*s", SLICE_FMT(put->envelope));
	return m;
}

static int
on_delta(void *arg, void *owner, uint32_t version, struct slice delta)
{
	struct mail *m = owner;

	(void)arg;
	if (refuse_deltas) {
		nmails--;
		return -1;
	}
	assert_true(version > m->version);
	m->version = version;
	m->delta_bytes += (uint32_t)delta.len;
	m->deltas++;
	return 0;
}

static void
on_fold(void *arg, void *owner, struct buf *out)
{
	struct mail *m = owner;

	(void)arg;
	(void)buf_printf(out, "%s", m->envelope);
}

static void
on_room(void *arg, enum store_class class, bool yes)
{
	(void)arg;
	(void)class;
	rooms_closed += !yes;
	rooms_opened += yes;
}

static void
on_broken(void *arg, const char *why)
{
	(void)arg;
	assert_true(strlen(why) > 0);
	broken_told++;
}

const struct store_ops ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room, .broken = on_broken };

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

void
open_store(void)
{
	struct err err = { 0 };

	nmails = 0;
	answers = durable = full = failures = wanted = broken_told = 0;
	memset(mails, 0, sizeof(mails));
	loop = loop_new(&err);
	assert_non_null(loop);
	store = store_open(loop, &conf, &ops, NULL, &err);
	if (store == NULL)
		fail_msg("%s", err.text);
}

void
close_store(void)
{
	store_close(&store);
	assert_null(store);
	loop_free(loop);
	loop = NULL;
}

void
reopen(void)
{
	close_store();
	open_store();
}

int
setup(void **state)
{
	(void)state;
	log_sink_set(no_log, NULL);
	snprintf(directory, sizeof(directory), "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(directory));
	conf = (struct store_conf){ directory, 8, MIB };
	refuse_deltas = refuse_envelopes = false;
	rooms_closed = rooms_opened = 0;
	open_store();
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	if (store != NULL)
		close_store();
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void
on_answer(void *arg, enum store_result result)
{
	(void)arg;
	answers++;
	durable += result == STORE_DURABLE;
	full += result == STORE_FULL;
	failures += result == STORE_FAILED;
	if (answers >= wanted)
		loop_stop(loop);
}

/* Until `n` more answers have come. */
void
wait_answers(uint32_t n)
{
	wanted = answers + n;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(answers, wanted);
}

struct mail *
put(enum store_class class, const char *envelope, const char *content, size_t len)
{
	struct change *c = change_new(store, class, on_answer, NULL);
	struct mail *m = &mails[nmails++];
	struct store_put p = { .envelope = slice_str(m->envelope), .content = slice_of(content, len) };

	snprintf(m->envelope, sizeof(m->envelope), "%s", envelope);
	p.envelope = slice_str(m->envelope);
	assert_int_equal(store_next_ids(store, 1, &p.id), 0);
	m->id = p.id;
	m->size = len;
	m->stored = change_put(c, &p, m);
	assert_non_null(m->stored);
	store_commit(store, &c, 0);
	assert_null(c);
	return m;
}

void
state_of(struct mail *m, const char *delta, size_t len, int64_t patience)
{
	struct change *c = change_new(store, STORE_STATE, on_answer, NULL);

	assert_int_equal(change_state(c, m->stored, slice_of(delta, len)), 0);
	store_commit(store, &c, patience);
}

void
done(struct mail *m)
{
	struct change *c = change_new(store, STORE_DONE, on_answer, NULL);

	assert_int_equal(change_done(c, m->stored), 0);
	store_commit(store, &c, 0);
}

struct mail *
put_large(const char *content, size_t len, uint32_t crc)
{
	struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
	struct mail *m = &mails[nmails++];
	struct store_put p = { .envelope = SLICE_LIT("large"), .large = true, .large_size = len, .large_crc = crc };
	struct err err;
	int fd;

	assert_int_equal(store_next_ids(store, 1, &p.id), 0);
	fd = store_large_create(store, p.id, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, content, len), 0);
	fd_close(&fd);
	m->id = p.id;
	m->stored = change_put(c, &p, m);
	store_commit(store, &c, 0);
	wait_answers(1);
	return m;
}

uint32_t
files_in(const char *name)
{
	char path[128];
	struct dirent *entry;
	uint32_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

void
empty_folder(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

void
flip(uint32_t segment, off_t offset)
{
	char path[200], byte;
	int fd;

	snprintf(path, sizeof(path), "%s/journal/%03u.seg", directory, segment);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 8;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	fd_close(&fd);
}
