/*
 * large — see large.h; the steps are those of docs/SPOOL.md, large contents.
 */
#include "queue/store/large.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/queue_id.h"
#include "queue/store/inside.h"
#include "queue/store/thread.h"

struct large_file {
	struct hash_node node;
	uint64_t	 id;
	int		 fd;
};

struct unlink_job {
	struct unlink_job *next;
	uint64_t	 id;
};

int
large_open(struct large *l, int queue_dir, struct committer *committer, struct post *post, struct err *err)
{
	*l = (struct large){ .dir = -1, .committer = committer, .post = post };
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	STAILQ_INIT(&l->waiting);
	hash_init(&l->files);
	l->dir = disk_open(queue_dir, "spool/large", O_RDONLY | O_DIRECTORY, err);
	return l->dir == -1 ? -1 : 0;
}

static void
file_free(struct hash_node *node, void *arg)
{
	struct large *l = arg;
	struct large_file *f = CONTAINER_OF(node, struct large_file, node);

	hash_remove(&l->files, node);
	fd_close(&f->fd);
	mem_free(f);
}

void
large_close(struct large *l)
{
	hash_each(&l->files, file_free, l);
	hash_fini(&l->files);
	fd_close(&l->dir);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
}

static struct large_file *
file_find(struct large *l, uint64_t id)
{
	struct hash_node *n = hash_first(&l->files, hash_u64(id));

	while (n != NULL && CONTAINER_OF(n, struct large_file, node)->id != id)
		n = hash_next(n);
	return n == NULL ? NULL : CONTAINER_OF(n, struct large_file, node);
}

/* docs/SPOOL.md, large: 1 the file exists. Write-only for who fills it; ours can only be read. */
int
large_create(struct large *l, uint64_t id, struct err *err)
{
	struct large_file *f = mem_zalloc(sizeof(*f));
	char name[QUEUE_ID_LEN + 1];
	int fd;

	if (f == NULL)
		return err_memory(err, "no memory");
	queue_id_print(id, name);
	if ((fd = disk_open(l->dir, name, O_WRONLY | O_CREAT | O_EXCL, err)) == -1) {
		mem_free(f);
		return -1;
	}
	if ((f->fd = disk_open(l->dir, name, O_RDONLY, err)) == -1) {
		fd_close(&fd);
		mem_free(f);
		(void)disk_unlink(l->dir, name, NULL);
		return -1;
	}
	STEP("large-1");
	f->id = id;
	hash_insert(&l->files, &f->node, hash_u64(id));
	return fd;
}

void
large_forget(struct large *l, uint64_t id)
{
	struct large_file *f = file_find(l, id);

	if (f != NULL)
		file_free(&f->node, l);
	large_unlink(l, id);
}

void
large_claim(struct large *l, struct change *change)
{
	struct large_file *f;
	struct item *item;

	STAILQ_FOREACH(item, &change->items, next)
		if (item->record.large && (f = file_find(l, item->record.id)) != NULL) {
			item->fd = f->fd;
			f->fd = -1;
			file_free(&f->node, l);
		}
}

void
large_give(struct large *l, struct post_list *list)
{
	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&l->lock);
	STAILQ_CONCAT(&l->waiting, list);
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

/* Without memory it stays until the next start's hunt. */
void
large_unlink(struct large *l, uint64_t id)
{
	struct unlink_job *job = mem_alloc(sizeof(*job));

	if (job == NULL)
		return;
	job->id = id;
	pthread_mutex_lock(&l->lock);
	job->next = l->unlinks;
	l->unlinks = job;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static int
content_agrees(int fd, const struct record *r, struct err *err)
{
	static const size_t piece = 128 * 1024;
	char *p = mem_alloc(piece);
	uint64_t at = 0;
	uint32_t crc = 0;
	ssize_t n;

	if (p == NULL)
		return err_memory(err, "no memory");
	while ((n = fd_pread_full(fd, p, piece, (off_t)at)) > 0 && at <= r->content_size) {
		crc = crc32c(crc, p, (size_t)n);
		at += (uint64_t)n;
	}
	if (n == -1)
		err_sys(err, "read");
	else if (at != r->content_size || crc != r->content_crc)
		n = err_set(err, "the file is not what was announced");
	mem_free(p);
	return n == -1 ? -1 : 0;
}

/* docs/SPOOL.md, large: 2 size and checksum are right, 3 the data is synced. */
static int
file_sync(struct large *l, struct item *item, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];
	int rc = -1;

	queue_id_print(item->record.id, name);
	if (item->fd == -1 && (item->fd = disk_open(l->dir, name, O_RDONLY, err)) == -1)
		return -1;
	if (content_agrees(item->fd, &item->record, err) == 0) {
		STEP("large-2");
		rc = disk_sync_data(item->fd, err);
		STEP("large-3");
	}
	fd_close(&item->fd);
	if (rc == -1)
		(void)disk_unlink(l->dir, name, NULL);
	return rc == 0 ? 0 : err_wrap(err, "spool/large/%s", name);
}

static int
change_sync(struct large *l, struct change *change, struct err *err)
{
	struct item *item;

	STAILQ_FOREACH(item, &change->items, next)
		if (item->record.type == RECORD_PUT && item->record.large && file_sync(l, item, err) == -1)
			return -1;
	return 0;
}

static void
fail_change(struct large *l, struct change *change, const struct err *err, struct post_list *failed)
{
	post_say(l->post, LOG_LEVEL_ERROR, "%s", err->text);
	change->result = STORE_FAILED;
	STAILQ_INSERT_TAIL(failed, change, next);
}

/* docs/SPOOL.md, large: 4 the directory is synced, once for all that waited; then the batches
 * may name the files. */
static void
sync_all(struct large *l, struct post_list *work)
{
	struct post_list good = STAILQ_HEAD_INITIALIZER(good), failed = STAILQ_HEAD_INITIALIZER(failed);
	struct change *change;
	struct err err = { 0 };

	if (l->failed)
		err_set(&err, "spool/large: the directory failed to sync: no large message until the next start");
	while ((change = STAILQ_FIRST(work)) != NULL) {
		STAILQ_REMOVE_HEAD(work, next);
		if (l->failed || change_sync(l, change, &err) == -1)
			fail_change(l, change, &err, &failed);
		else
			STAILQ_INSERT_TAIL(&good, change, next);
	}
	if (!STAILQ_EMPTY(&good) && disk_sync(l->dir, &err) == -1) {
		l->failed = true;
		while ((change = STAILQ_FIRST(&good)) != NULL) {
			STAILQ_REMOVE_HEAD(&good, next);
			fail_change(l, change, &err, &failed);
		}
	}
	STEP("large-4");
	post_give(l->post, &failed);
	committer_give(l->committer, &good);
}

/* docs/SPOOL.md, large: 5 nothing names the file any more, 6 it is gone. What a crash leaves
 * here is an orphan for the next start. */
static void
unlink_all(struct large *l, struct unlink_job *job)
{
	char name[QUEUE_ID_LEN + 1];
	struct unlink_job *next;
	struct err err;

	for (; job != NULL; job = next) {
		next = job->next;
		STEP("large-5");
		if (disk_unlink(l->dir, queue_id_print(job->id, name), &err) == -1 && err.code != ENOENT)
			post_say(l->post, LOG_LEVEL_WARN, "spool/large: %s", err.text);
		STEP("large-6");
		mem_free(job);
	}
}

int
large_remove(struct large *l, uint64_t id, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];
	struct err why = { 0 };

	if (disk_unlink(l->dir, queue_id_print(id, name), &why) == 0)
		return disk_sync(l->dir, err);
	if (why.code == ENOENT)
		return 0;
	if (err != NULL)
		*err = why;
	return err_wrap(err, "spool/large");
}

void
large_drop_unlinks(struct large *l)
{
	struct unlink_job *job;

	while ((job = l->unlinks) != NULL) {
		l->unlinks = job->next;
		mem_free(job);
	}
}

void
large_pin(struct large *l, bool yes)
{
	pthread_mutex_lock(&l->lock);
	l->pinned = yes;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

/* Under the lock. */
static bool
may_unlink(const struct large *l)
{
	return l->unlinks != NULL && !l->pinned;
}

static void *
large_main(void *arg)
{
	struct post_list work;
	struct unlink_job *unlinks;
	struct large *l = arg;
	bool more = true;

	while (more) {
		STAILQ_INIT(&work);
		pthread_mutex_lock(&l->lock);
		while (STAILQ_EMPTY(&l->waiting) && !may_unlink(l) && !l->closing)
			pthread_cond_wait(&l->wake, &l->lock);
		more = !STAILQ_EMPTY(&l->waiting) || may_unlink(l);
		STAILQ_CONCAT(&work, &l->waiting);
		unlinks = may_unlink(l) ? l->unlinks : NULL;
		if (unlinks != NULL)
			l->unlinks = NULL;
		pthread_mutex_unlock(&l->lock);
		unlink_all(l, unlinks);
		if (!STAILQ_EMPTY(&work))
			sync_all(l, &work);
	}
	return NULL;
}

int
large_start(struct large *l, struct err *err)
{
	if (thread_start(&l->thread, large_main, l, "start file sync", err) == -1)
		return -1;
	l->started = true;
	return 0;
}

void
large_stop(struct large *l)
{
	if (!l->started)
		return;
	pthread_mutex_lock(&l->lock);
	l->closing = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->started = false;
	l->closing = false;
}

int
large_size(struct large *l, uint64_t id, uint64_t *size, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];
	int fd = disk_open(l->dir, queue_id_print(id, name), O_RDONLY, err);
	struct stat st;
	int rc;

	if (fd == -1)
		return -1;
	if ((rc = fstat(fd, &st)) == -1)
		err_sys(err, "fstat");
	fd_close(&fd);
	*size = rc == 0 ? (uint64_t)st.st_size : 0;
	return rc;
}

/* docs/SPOOL.md, recovery 8. Removing while reading the directory is safe: a name seen twice is
 * gone by then. */
int
large_hunt(struct large *l, bool (*lives)(void *arg, uint64_t id), void *arg, struct err *err)
{
	int fd = disk_open(l->dir, ".", O_RDONLY | O_DIRECTORY, err);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t id;

	if (dir == NULL) {
		fd_close(&fd);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (queue_id_parse(slice_str(entry->d_name), &id) == -1 || lives(arg, id))
			continue;
		STEP("recovery-8");
		if (disk_unlink(l->dir, entry->d_name, err) == -1)
			log_warn("spool/large: %s", err->text);
	}
	closedir(dir);
	return 0;
}
