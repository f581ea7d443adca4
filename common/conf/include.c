/*
 * include — patterns to files, files to text.
 */
#include "conf/include.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "conf/strip.h"

void
include_init(struct include_files *files, const char *main_file)
{
	memset(files, 0, sizeof(*files));
	files->count = 1;
	files->v[0].path = main_file;
}

static void
add_file(struct include_files *files, uint32_t from, const char *path, struct place place,
    struct arena *arena, struct conf_report *report)
{
	struct include_file *file = &files->v[files->count];

	if (files->count == INCLUDE_FILES_MAX) {
		conf_report_add(report, place.file, place.line, "include",
		    "too many files, at most %d would be right", INCLUDE_FILES_MAX);
		return;
	}
	memset(file, 0, sizeof(*file));
	file->path = arena_str(arena, path);
	file->from = place;
	file->depth = files->v[from].depth + 1;
	if (file->path == NULL)
		conf_report_add(
		    report, place.file, place.line, "include", "no memory for another file");
	else
		files->count++;
}

/* Relative to the folder of the file that says include(). */
static int
absolute(const char *base, const char *pattern, char out[PATH_MAX])
{
	const char *slash = strrchr(base, '/');
	int folder = slash == NULL || pattern[0] == '/' ? 0 : (int)(slash + 1 - base);
	int n = snprintf(out, PATH_MAX, "%.*s%s", folder, base, pattern);

	return n < 0 || n >= PATH_MAX ? -1 : 0;
}

void
include_pattern(struct include_files *files, uint32_t from, const char *pattern, struct place place,
    struct arena *arena, struct conf_report *report)
{
	char path[PATH_MAX];
	glob_t found;
	int rc;

	if (files->v[from].depth + 1 > INCLUDE_DEPTH_MAX) {
		conf_report_add(report, place.file, place.line, "include",
		    "too deep, at most %d files inside each other "
		    "would be right",
		    INCLUDE_DEPTH_MAX);
		return;
	}
	if (absolute(files->v[from].path, pattern, path) == -1) {
		conf_report_add(report, place.file, place.line, "include", "the name is too long");
		return;
	}
	if (strpbrk(path, "*?[") == NULL) {
		add_file(files, from, path, place, arena, report);
		return;
	}
	rc = glob(path, 0, NULL, &found);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		add_file(files, from, found.gl_pathv[i], place, arena, report);
	if (rc == 0)
		globfree(&found);
	else if (rc != GLOB_NOMATCH)
		conf_report_add(report, place.file, place.line, "include",
		    "cannot read the folder, one that this user may "
		    "read would be right");
}

static bool
is_read(const struct include_files *files, uint32_t index, const struct stat *st)
{
	for (uint32_t i = 0; i < index; i++) {
		if (files->v[i].device == st->st_dev && files->v[i].inode == st->st_ino &&
		    st->st_ino != 0)
			return true;
	}
	return false;
}

/* What is wrong with the open file, or NULL. */
static const char *
refuse(const struct include_files *files, uint32_t index, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file, only those can be read";
	if (st->st_size > INCLUDE_FILE_SIZE)
		return "larger than 1 MiB, several smaller files would be right";
	if (is_read(files, index, st))
		return "read already, each file once would be right";
	return NULL;
}

static char *
read_text(int fd, const char **wrong)
{
	char *text = mem_alloc(INCLUDE_FILE_SIZE + 2);
	ssize_t n = text == NULL ? -1 : fd_read_full(fd, text, INCLUDE_FILE_SIZE + 1);

	*wrong = NULL;
	if (n == -1)
		*wrong = "cannot be read";
	else if (n > INCLUDE_FILE_SIZE)
		*wrong = "larger than 1 MiB, several smaller files would be right";
	else if (memchr(text, '\0', (size_t)n) != NULL)
		*wrong = "holds a NUL byte, plain text would be right";
	if (*wrong != NULL) {
		mem_free(text);
		return NULL;
	}
	/* A last line without its end would meet a scanner that was not made for it. */
	if (n == 0 || text[n - 1] != '\n')
		text[n++] = '\n';
	text[n] = '\0';
	return text;
}

static void
report_open(
    const char *text, size_t at, const char *path, struct conf_report *report, const char *what)
{
	uint32_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	conf_report_add(report, path, line, NULL, "%s", what);
}

/* What is opened and not closed would swallow the rest of the file in silence. */
static void
prepare(char *text, const char *path, struct conf_report *report)
{
	size_t len = strlen(text), comment = strip_comments(text, len), brace;

	if (comment < len) {
		report_open(text, comment, path, report,
		    "a comment that is never closed, */ at its end would be right");
		return;
	}
	brace = unclosed_brace(text, len);
	if (brace < len)
		report_open(text, brace, path, report,
		    "a { that is never closed, a } at its end would be right");
}

char *
include_read(struct include_files *files, uint32_t index, struct conf_report *report)
{
	struct include_file *file = &files->v[index];
	struct place at = file->from.file == NULL ? (struct place){ file->path, 0 } : file->from;
	const char *wrong = NULL;
	struct stat st;
	char *text = NULL;
	int fd;

	/* Non-blocking, so that a FIFO in conf.d does not hang us before fstat tells. */
	fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		wrong = strerror(errno);
	else
		wrong = refuse(files, index, &st);
	if (wrong == NULL) {
		file->device = st.st_dev;
		file->inode = st.st_ino;
		text = read_text(fd, &wrong);
	}
	if (text != NULL)
		prepare(text, file->path, report);
	if (wrong != NULL)
		conf_report_add(report, at.file, at.line,
		    file->from.file == NULL ? NULL : file->path, "%s", wrong);
	fd_close(&fd);
	return text;
}
