/*
 * spool — see spool.h; the steps are those of docs/SPOOL.md, evacuate and forget.
 */
#include "queue/store/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "mail/queue_id.h"
#include "queue/store/disk.h"

#define FOLDER_FILES	4096u		/* in one folder: a directory that is read in one go */
#define NAME_MAX_LEN	64
#define FILE_MAX	(2u * 1024 * 1024)	/* a record is below STORE_CHANGE_MAX */

static const char *
folder_name(uint64_t folder, char out[NAME_MAX_LEN])
{
	if (folder == SPOOL_LARGE)
		snprintf(out, NAME_MAX_LEN, "large");
	else
		snprintf(out, NAME_MAX_LEN, "%08" PRIx32 ".%04" PRIx32, (uint32_t)(folder >> 32), (uint32_t)folder);
	return out;
}

static const char *
file_name(uint64_t folder, uint64_t id, char out[NAME_MAX_LEN])
{
	char name[QUEUE_ID_LEN + 1];

	snprintf(out, NAME_MAX_LEN, "%s%s", queue_id_print(id, name), folder == SPOOL_LARGE ? ".env" : "");
	return out;
}

/* A directory that is a mount point has another device than its parent. */
static bool
is_alone(int queue_dir)
{
	struct stat here, above;

	return fstat(queue_dir, &here) == 0 && fstatat(queue_dir, "..", &above, 0) == 0 && here.st_dev != above.st_dev;
}

int
spool_open(struct spool *s, int queue_dir, uint32_t epoch, struct err *err)
{
	*s = (struct spool){ .dir = -1, .epoch = epoch, .next = 1, .alone = is_alone(queue_dir) };
	for (uint32_t i = 0; i < SPOOL_CACHE; i++)
		s->folders[i].fd = -1;
	s->dir = disk_open(queue_dir, "spool", O_RDONLY | O_DIRECTORY, err);
	return s->dir == -1 ? -1 : 0;
}

void
spool_close(struct spool *s)
{
	for (uint32_t i = 0; i < SPOOL_CACHE; i++)
		fd_close(&s->folders[i].fd);
	fd_close(&s->dir);
}

/* --- folders ------------------------------------------------------------------------------------ */

/* Empty ones go; that needs no sync, since an empty folder means nothing. */
static int
folder_settle(struct spool *s, struct spool_folder *f, struct err *err)
{
	char name[NAME_MAX_LEN];

	if (f->fd == -1 || !f->changed)
		return 0;
	if (disk_sync(f->fd, err) == -1)
		return -1;
	f->changed = false;
	if (f->number != s->current && f->number != SPOOL_LARGE &&
	    unlinkat(s->dir, folder_name(f->number, name), AT_REMOVEDIR) == 0)
		fd_close(&f->fd);
	return 0;
}

static struct spool_folder *
folder_get(struct spool *s, uint64_t number, struct err *err)
{
	struct spool_folder *f;
	char name[NAME_MAX_LEN];

	for (uint32_t i = 0; i < SPOOL_CACHE; i++)
		if (s->folders[i].fd != -1 && s->folders[i].number == number)
			return &s->folders[i];
	f = &s->folders[s->turn++ % SPOOL_CACHE];
	if (folder_settle(s, f, err) == -1)
		return NULL;
	fd_close(&f->fd);
	f->number = number;
	f->fd = disk_open(s->dir, folder_name(number, name), O_RDONLY | O_DIRECTORY, err);
	return f->fd == -1 ? NULL : f;
}

/* The folder that takes the next file. */
static struct spool_folder *
folder_for_new(struct spool *s, struct err *err)
{
	char name[NAME_MAX_LEN];
	uint64_t number;

	if (s->current == 0 || s->in_current >= FOLDER_FILES) {
		number = (uint64_t)s->epoch << 32 | s->next;
		if (disk_mkdir(s->dir, folder_name(number, name), err) == -1)
			return NULL;
		s->next++;
		s->changed = true;
		s->current = number;
		s->in_current = 0;
	}
	return folder_get(s, s->current, err);
}

/* --- files -------------------------------------------------------------------------------------- */

static int
write_record(int fd, const struct record *r, struct err *err)
{
	unsigned char head[RECORD_PUT_HEAD];
	size_t len = record_head_put(head, r);
	struct iovec iov[] = { { head, len }, { (void *)(uintptr_t)r->envelope.p, r->envelope.len },
	    { (void *)(uintptr_t)r->content.p, r->content.len } };

	return disk_writev(fd, iov, r->content.len > 0 ? 3 : 2, 0, err);
}

/* A record of large/ that is there was left by a try that came to nothing. A small file never is
 * written over: if one of this name is in the way, the next folder takes it. */
static int
create(struct spool *s, const struct record *r, struct spool_folder **fp, struct err *err)
{
	char name[NAME_MAX_LEN];
	int fd = -1;

	if (r->large) {
		if ((*fp = folder_get(s, SPOOL_LARGE, err)) == NULL)
			return -1;
		return disk_open((*fp)->fd, file_name(SPOOL_LARGE, r->id, name), O_RDWR | O_CREAT | O_TRUNC, err);
	}
	for (int tries = 0; tries < 2 && fd == -1; tries++) {
		if ((*fp = folder_for_new(s, err)) == NULL)
			return -1;
		fd = disk_open((*fp)->fd, file_name((*fp)->number, r->id, name), O_RDWR | O_CREAT | O_EXCL, err);
		if (fd == -1 && err->code != EEXIST)
			return -1;
		if (fd == -1)
			s->current = 0;
	}
	return fd;
}

int
spool_write(struct spool *s, const struct record *r, struct spool_file *out, struct err *err)
{
	struct spool_folder *f;
	char name[NAME_MAX_LEN];
	int fd = create(s, r, &f, err);

	if (fd == -1)
		return err_wrap(err, "spool");
	*out = (struct spool_file){ .id = r->id, .folder = f->number,
	    .place = (uint32_t)(RECORD_PUT_HEAD + r->envelope.len), .fd = fd };
	file_name(f->number, r->id, name);
	f->changed = true;
	s->in_current += !r->large;
	if (write_record(out->fd, r, err) == 0)
		return 0;
	fd_close(&out->fd);
	(void)disk_unlink(f->fd, name, NULL);
	return err_wrap(err, "spool");
}

static int
sync_each(struct spool_file *files, uint32_t count, struct err *err)
{
	for (uint32_t i = 0; i < count; i++)
		disk_start_writing(files[i].fd);
	for (uint32_t i = 0; i < count; i++)
		if (disk_sync(files[i].fd, err) == -1)
			return -1;
	return 0;
}

int
spool_sync(struct spool *s, struct spool_file *files, uint32_t count, struct err *err)
{
	int rc = 0;

	STEP("evacuate-1");
	if (count > 0)
		rc = s->alone ? disk_sync_system(s->dir, err) : sync_each(files, count, err);
	for (uint32_t i = 0; i < count; i++)
		fd_close(&files[i].fd);
	STEP("evacuate-2");
	if (rc == 0)
		rc = spool_settle(s, err);
	STEP("evacuate-3");
	if (rc == -1)
		s->current = 0;		/* its folder may have failed to sync: the next file goes to another */
	return rc == 0 ? 0 : err_wrap(err, "spool");
}

int
spool_remove(struct spool *s, uint64_t folder, uint64_t id, struct err *err)
{
	struct err why = { 0 };
	struct spool_folder *f = folder_get(s, folder, &why);
	char name[NAME_MAX_LEN];

	if (f == NULL) {
		if (why.code == ENOENT)
			return 0;
		if (err != NULL)
			*err = why;
		return -1;
	}
	if (disk_unlink(f->fd, file_name(folder, id, name), &why) == -1 && why.code != ENOENT) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	f->changed = true;
	return 0;
}

int
spool_settle(struct spool *s, struct err *err)
{
	if (s->changed && disk_sync(s->dir, err) == -1)
		return -1;
	s->changed = false;
	for (uint32_t i = 0; i < SPOOL_CACHE; i++)
		if (folder_settle(s, &s->folders[i], err) == -1)
			return -1;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

int
spool_read_open(const struct spool *s, uint64_t folder, uint64_t id, struct err *err)
{
	char path[2 * NAME_MAX_LEN], a[NAME_MAX_LEN], b[NAME_MAX_LEN];

	snprintf(path, sizeof(path), "%s/%s", folder_name(folder, a), file_name(folder, id, b));
	return disk_open(s->dir, path, O_RDONLY | O_NONBLOCK, err);	/* a pipe of that name must stop nobody */
}

bool
spool_holds(const struct spool *s, uint64_t folder, uint64_t id)
{
	struct err err;
	int fd = spool_read_open(s, folder, id, &err);
	bool there = fd != -1;

	fd_close(&fd);
	return there;
}

static int
read_whole(int fd, struct buf *bytes, struct err *err)
{
	struct stat st;
	char *room;

	buf_reset(bytes);
	if (fstat(fd, &st) == -1)
		return err_sys(err, "fstat");
	if (!S_ISREG(st.st_mode))
		return err_set(err, "it is no plain file");
	if (st.st_size > FILE_MAX || (room = buf_room(bytes, (size_t)st.st_size + 1)) == NULL)
		return err_memory(err, "no memory for a file of %lld bytes", (long long)st.st_size);
	if (disk_read(fd, room, (size_t)st.st_size, 0, err) == -1)
		return -1;
	buf_added(bytes, (size_t)st.st_size);
	return 0;
}

int
spool_read(const struct spool *s, uint64_t folder, uint64_t id, struct buf *bytes, struct record *r, struct err *err)
{
	int fd = spool_read_open(s, folder, id, err), rc;
	struct slice in;
	bool whole = false;

	if (fd == -1)
		return -1;
	rc = read_whole(fd, bytes, err);
	fd_close(&fd);
	if (rc == -1)
		return -1;
	in = buf_slice(bytes);
	if (record_take(&in, r, true, &whole) == -1 || !whole || in.len > 0 || r->type != RECORD_PUT || r->id != id)
		return 1;
	return 0;
}

/* --- every file --------------------------------------------------------------------------------- */

static bool
parse_folder(const char *name, uint64_t *folder)
{
	char again[NAME_MAX_LEN];
	uint32_t epoch, number;
	int used = 0;

	if (strcmp(name, "large") == 0) {
		*folder = SPOOL_LARGE;
		return true;
	}
	if (strlen(name) < 13 || sscanf(name, "%8" SCNx32 ".%8" SCNx32 "%n", &epoch, &number, &used) != 2 || name[used] != '\0')
		return false;
	*folder = (uint64_t)epoch << 32 | number;
	return strcmp(folder_name(*folder, again), name) == 0;
}

static bool
parse_file(uint64_t folder, const char *name, uint64_t *id)
{
	size_t len = strlen(name);

	if (folder == SPOOL_LARGE) {
		if (len < 4 || strcmp(name + len - 4, ".env") != 0)
			return false;
		len -= 4;
	}
	return queue_id_parse(slice_of(name, len), id) == 0;
}

static DIR *
open_listing(int dir, const char *name, struct err *err)
{
	int fd = disk_open(dir, name, O_RDONLY | O_DIRECTORY, err);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	if (d == NULL)
		fd_close(&fd);
	return d;
}

static int
walk_folder(struct spool *s, uint64_t folder, spool_each *each, void *arg, struct err *err)
{
	char name[NAME_MAX_LEN];
	struct err why = { 0 };
	DIR *d = open_listing(s->dir, folder_name(folder, name), &why);
	struct dirent *entry;
	uint64_t id;
	int rc = 0;

	/* Emptied and removed meanwhile; or somebody put something else there. */
	if (d == NULL && (why.code == ENOENT || why.code == ENOTDIR || why.code == ELOOP))
		return 0;
	if (d == NULL) {
		*err = why;
		return -1;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (parse_file(folder, entry->d_name, &id))
			rc = each(arg, folder, id, err);
	closedir(d);
	return rc;
}

int
spool_walk(struct spool *s, spool_each *each, void *arg, struct err *err)
{
	DIR *d = open_listing(s->dir, ".", err);
	struct dirent *entry;
	uint64_t folder;
	int rc = 0;

	if (d == NULL)
		return -1;
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (parse_folder(entry->d_name, &folder) && folder >> 32 != s->epoch)
			rc = walk_folder(s, folder, each, arg, err);
	closedir(d);
	return rc == -1 ? -1 : 0;
}
