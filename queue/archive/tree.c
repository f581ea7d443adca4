/*
 * tree — see tree.h.
 */
#include "queue/archive/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "queue/store/bytes.h"
#include "queue/store/disk.h"

#define PIECE		(128u * 1024)
#define SHOW_EVERY	INT64_C(200)	/* ms */
#define DEPTH_MAX	4		/* folders in folders; a queue has two */

/* --- progress ----------------------------------------------------------------------------------- */

static void
show(struct tree *t)
{
	int64_t now = clock_mono_ms();

	if (now - t->shown_ms < SHOW_EVERY || !isatty(STDERR_FILENO))
		return;
	t->shown_ms = now;
	(void)fprintf(stderr, "\r%" PRIu64 " files, %" PRIu64 " MiB ", t->files, (t->bytes + t->loose) >> 20);
}

void
tree_show_end(struct tree *t)
{
	if (t->shown_ms != 0)
		(void)fprintf(stderr, "\r%40s\r", "");
	t->shown_ms = 0;
}

/* --- one file ----------------------------------------------------------------------------------- */

int
tree_give(const struct tree *t, int fd, struct err *err)
{
	return !t->given || fchown(fd, t->uid, t->gid) == 0 ? 0 : err_sys(err, "give it to its owner");
}

/* Blocks of zeros stay holes. */
static int
copy_bytes(int in, int out, uint64_t at, uint64_t end, struct err *err)
{
	static char piece[PIECE];
	size_t n;

	for (; at < end; at += n) {
		n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		if (disk_read(in, piece, n, at, err) == -1)
			return -1;
		for (size_t done = 0, step; done < n; done += step) {
			step = n - done < DISK_BLOCK ? n - done : DISK_BLOCK;
			if (!bytes_are_zero(piece + done, step) && disk_write(out, piece + done, step, at + done, err) == -1)
				return -1;
		}
	}
	return 0;
}

static int
make_file(struct tree *t, int to, const char *name, uint64_t size, struct err *err)
{
	int fd = disk_open(to, name, O_WRONLY | O_CREAT | O_EXCL, err);

	if (fd == -1)
		return -1;
	if (tree_give(t, fd, err) == -1) {
		fd_close(&fd);
	} else if (ftruncate(fd, (off_t)size) == -1) {
		(void)err_sys(err, "%s", name);
		fd_close(&fd);
	}
	return fd;
}

int
tree_copy_part(struct tree *t, int from, int to, const char *name, uint64_t length, uint64_t size, const void *head, size_t head_len,
    struct err *err)
{
	int in = disk_open(from, name, O_RDONLY, err), out = in == -1 ? -1 : make_file(t, to, name, size, err), rc = -1;

	if (out != -1 && (head == NULL || disk_write(out, head, head_len, 0, err) == 0))
		rc = copy_bytes(in, out, head_len, length, err);
	fd_close(&in);
	fd_close(&out);
	if (rc == -1)
		return err_wrap(err, "%s", name);
	t->files++;
	t->bytes += size;
	show(t);
	return 0;
}

static int
copy_file(struct tree *t, int from, int to, const char *name, uint64_t size, struct err *err)
{
	if (t->links && linkat(from, name, to, name, 0) == 0) {
		t->files++;
		t->bytes += size;
		show(t);
		return 0;
	}
	return tree_copy_part(t, from, to, name, size, size, NULL, 0, err);
}

/* A file that has grown since it was counted makes no difference. */
static void
count_loose(struct tree *t, uint64_t bytes_before)
{
	t->loose += t->bytes - bytes_before;
	t->bytes = bytes_before;
}

/* --- folders ------------------------------------------------------------------------------------ */

int
tree_each(int dir, int (*each)(void *, const char *, struct err *), void *arg, struct err *err)
{
	int fd = disk_open(dir, ".", O_RDONLY | O_DIRECTORY, err), rc = 0;
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (d == NULL) {
		fd_close(&fd);
		return -1;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = each(arg, entry->d_name, err);
	closedir(d);
	return rc;
}

int
tree_make_folder(struct tree *t, int to, const char *name, struct err *err)
{
	int fd;

	if (disk_mkdir(to, name, err) == -1 || (fd = disk_open(to, name, O_RDONLY | O_DIRECTORY, err)) == -1)
		return -1;
	if (tree_give(t, fd, err) == -1)
		fd_close(&fd);
	return fd;
}

struct walk {
	struct tree	*tree;
	int		 from, to;	/* to -1: only counted */
	int		 depth;
	bool		 loose;
};

static int walk_folder(const struct walk *above, const char *name, struct err *);

static int
walk_name(void *arg, const char *name, struct err *err)
{
	struct walk *w = arg;
	uint64_t before = w->tree->bytes;
	struct stat st;
	int rc = 0;

	if (fstatat(w->from, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return w->tree->may_vanish && errno == ENOENT ? 0 : err_sys(err, "%s", name);
	if (S_ISDIR(st.st_mode))
		return walk_folder(w, name, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, "%s is neither a file nor a folder", name);
	if (w->to == -1) {
		w->tree->files++;
		w->tree->bytes += (uint64_t)st.st_size;
	} else {
		rc = copy_file(w->tree, w->from, w->to, name, (uint64_t)st.st_size, err);
	}
	if (w->loose)
		count_loose(w->tree, before);
	return rc == -1 && w->tree->may_vanish && err->code == ENOENT ? 0 : rc;
}

static int
walk_folder(const struct walk *above, const char *name, struct err *err)
{
	struct walk w = { .tree = above->tree, .from = -1, .to = -1, .depth = above->depth + 1 };
	int rc = -1;

	w.loose = w.tree->loose_in != NULL && strcmp(name, w.tree->loose_in) == 0;
	if (w.depth > DEPTH_MAX)
		return err_set(err, "%s: folders too deep", name);
	if ((w.from = disk_open(above->from, name, O_RDONLY | O_DIRECTORY, err)) == -1)
		return -1;
	if (above->to == -1 || (w.to = tree_make_folder(w.tree, above->to, name, err)) != -1)
		rc = tree_each(w.from, walk_name, &w, err);
	fd_close(&w.from);
	fd_close(&w.to);
	return rc == 0 ? 0 : err_wrap(err, "%s", name);
}

int
tree_copy(struct tree *t, int from, int to, const char *name, struct err *err)
{
	return walk_folder(&(struct walk){ .tree = t, .from = from, .to = to }, name, err);
}

int
tree_count(struct tree *t, int from, const char *name, struct err *err)
{
	return walk_folder(&(struct walk){ .tree = t, .from = from, .to = -1 }, name, err);
}
