/* text_file — see text_file.h. */
#include "lookup/user/text_file.h"

#include <sys/stat.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"

#define READ_TRIES	3

struct identity {		/* what differs between two versions of a file */
	dev_t		dev;
	ino_t		ino;
	off_t		size;
	struct timespec	mtime, ctime;
};

struct text_file {
	struct identity	 identity;
	char		*text;		/* NULL: not read, or forgotten */
	char		 path[];
};

struct text_file *
text_file_new(const char *path)
{
	struct text_file *file = mem_zalloc(sizeof(*file) + strlen(path) + 1);

	if (file != NULL)
		(void)strlcpy(file->path, path, strlen(path) + 1);
	return file;
}

static void
forget(struct text_file *file)
{
	mem_free(file->text);
	file->text = NULL;
}

void
text_file_free(struct text_file **file)
{
	if (*file == NULL)
		return;
	forget(*file);
	mem_free(*file);
	*file = NULL;
}

static struct identity
identity_of(const struct stat *st)
{
	return (struct identity){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static bool
time_eq(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
identity_eq(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && time_eq(a->mtime, b->mtime) &&
	    time_eq(a->ctime, b->ctime);
}

static uint64_t
identity_stamp(const struct identity *id)
{
	uint64_t stamp = (uint64_t)id->ino ^ ((uint64_t)id->size << 40);

	/* Any mixing will do: all that matters is that two versions differ, in every worker alike. */
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->mtime.tv_sec;
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->mtime.tv_nsec;
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->ctime.tv_nsec;
	return stamp;
}

uint64_t
text_file_stamp(const struct text_file *file)
{
	return identity_stamp(&file->identity);
}

/* Reads what the descriptor has; NULL with err. The text has a newline at its end. */
static char *
file_read(int fd, const char *path, struct identity *id, struct err *err)
{
	struct stat before, after;
	ssize_t got;
	char *text;

	if (fstat(fd, &before) == -1) {
		err_sys(err, "%s", path);
		return NULL;
	}
	if (!S_ISREG(before.st_mode) || before.st_size <= 0 || before.st_size > TEXT_FILE_MAX) {
		err_set(err, "%s: not a file of 1 byte to 16 MiB", path);
		return NULL;
	}
	if ((text = mem_alloc((size_t)before.st_size)) == NULL) {
		err_set(err, "no memory for %s", path);
		return NULL;
	}
	got = fd_pread_full(fd, text, (size_t)before.st_size, 0);
	if (got == -1 || fstat(fd, &after) == -1)
		err_sys(err, "reading %s", path);
	else if (got != before.st_size || after.st_size != before.st_size || !time_eq(after.st_mtim, before.st_mtim))
		err_set(err, "%s changes while it is read", path);
	else if (text[got - 1] != '\n')
		err_set(err, "%s: its last line has no end; is it still being written?", path);
	else {
		*id = identity_of(&after);
		return text;
	}
	mem_free(text);
	return NULL;
}

static char *
file_load(const char *path, struct identity *id, struct err *err)
{
	char *text = NULL;

	for (int try = 0; try < READ_TRIES && text == NULL; try++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a FIFO must not hold us */

		if (fd == -1) {
			err_sys(err, "%s", path);
			return NULL;
		}
		text = file_read(fd, path, id, err);
		fd_close(&fd);
	}
	return text;
}

/* 1, 0 or -1 as text_file_refresh. */
static int
read_again(struct text_file *file, struct err *err)
{
	struct identity id;
	struct stat st;

	if (stat(file->path, &st) == -1) {
		forget(file);
		return err_sys(err, "%s", file->path);
	}
	id = identity_of(&st);
	if (file->text != NULL && identity_eq(&id, &file->identity))
		return 0;
	forget(file);
	if ((file->text = file_load(file->path, &id, err)) == NULL)
		return -1;
	file->identity = id;
	return 1;
}

static size_t
count_lines(struct slice text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	return lines;
}

static int
tell_lines(const struct text_file *file, const struct text_lines *to, void *arg)
{
	struct slice text = slice_of(file->text, (size_t)file->identity.size), line;
	size_t number = 0;

	if (to->begin(arg, count_lines(text)) == -1)
		return -1;
	while (text.len > 0) {
		line = slice_split(text, '\n', &text);
		if (to->line(arg, line, ++number) == -1)
			return -1;
	}
	return 0;
}

int
text_file_refresh(struct text_file *file, const struct text_lines *to, void *arg, struct err *err)
{
	int result = read_again(file, err);

	if (result == 0)
		return 0;
	to->clear(arg);
	if (result == 1 && tell_lines(file, to, arg) == -1) {
		to->clear(arg);
		forget(file);
		return err_set(err, "no memory for %s", file->path);
	}
	return result;
}

const char *
text_file_path(const struct text_file *file)
{
	return file->path;
}
