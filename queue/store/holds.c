/*
 * holds — see holds.h. Each line has the same length: "hold" or "free", the id, and crc32c of both. New ones are
 * written behind the others; when most say nothing any more the file is made anew.
 */
#include "queue/store/holds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "mail/queue_id.h"
#include "queue/store/disk.h"

#define NAME		"list"
#define NAME_NEW	"list.new"
#define LINE		28u			/* "hold 0000000000ABC 1a2b3c4d\n" */
#define CHECKED		(5u + QUEUE_ID_LEN)	/* of it, what the checksum is of */
#define STALE		1024u			/* lines that may say nothing any more, beside as many as there are holds */
#define PIECE		(64u * 1024 / LINE * LINE)
#define NEWS_MAX	(16u * 1024 * 1024)

static const char *const words[] = { "free", "hold" };

static void
line_print(uint64_t id, bool held, char out[LINE + 1])
{
	char printed[QUEUE_ID_LEN + 1];

	snprintf(out, CHECKED + 1, "%s %s", words[held], queue_id_print(id, printed));
	snprintf(out + CHECKED, LINE + 1 - CHECKED, " %08x\n", crc32c(0, out, CHECKED));
}

/* Strict: what does not print back as it was read is damaged. */
static bool
line_parse(const char *line, uint64_t *id, bool *held)
{
	char again[LINE + 1];

	*held = memcmp(line, words[true], 4) == 0;
	if (queue_id_parse(slice_of(line + 5, QUEUE_ID_LEN), id) == -1)
		return false;
	line_print(*id, *held, again);
	return memcmp(line, again, LINE) == 0;
}

static int
set(struct holds *h, uint64_t id, bool held)
{
	if (idset_has(&h->ids, id) == held)
		return 0;
	if (held) {
		if (idset_add(&h->ids, id) == -1)
			return -1;
		h->count++;
	} else {
		idset_remove(&h->ids, id);
		h->count--;
	}
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int
read_lines(struct holds *h, const char *p, size_t len, struct err *err)
{
	uint64_t id;
	bool held;

	for (size_t at = 0; at + LINE <= len; at += LINE) {
		h->lines++;
		if (!line_parse(p + at, &id, &held))
			h->bad++;
		else if (set(h, id, held) == -1)
			return err_memory(err, "no memory for the holds");
	}
	return 0;
}

/* What follows the last whole line was torn, and nobody relied on it. */
static int
read_all(struct holds *h, struct err *err)
{
	static char piece[PIECE];
	ssize_t n;

	for (off_t at = 0; (n = fd_pread_full(h->fd, piece, sizeof(piece), at)) > 0; at += n)
		if (read_lines(h, piece, (size_t)n, err) == -1)
			return -1;
	return n == -1 ? err_sys(err, "read") : 0;
}

int
holds_open(struct holds *h, int queue_dir, struct err *err)
{
	*h = (struct holds){ .dir = disk_open(queue_dir, "holds", O_RDONLY | O_DIRECTORY, err), .fd = -1 };
	idset_init(&h->ids);
	buf_init(&h->news, NEWS_MAX);
	if (h->dir == -1)
		return -1;
	h->fd = disk_open(h->dir, NAME, O_RDWR, err);
	if (h->fd == -1 && err->code == ENOENT)
		return 0;
	if (h->fd == -1 || read_all(h, err) == -1)
		return err_wrap(err, "holds");
	if (h->bad > 0)
		fd_close(&h->fd);
	return 0;
}

void
holds_close(struct holds *h)
{
	fd_close(&h->fd);
	fd_close(&h->dir);
	idset_fini(&h->ids);
	buf_fini(&h->news);
	h->count = 0;
}

bool
holds_has(struct holds *h, uint64_t id)
{
	return idset_has(&h->ids, id);
}

/* --- writing ------------------------------------------------------------------------------------ */

int
holds_note(struct holds *h, uint64_t id, bool held)
{
	char line[LINE + 1];

	if (idset_has(&h->ids, id) == held)
		return 0;
	if (set(h, id, held) == -1)
		return -1;
	line_print(id, held, line);
	(void)buf_append(&h->news, line, LINE);	/* one that does not fit: the file is made anew */
	return 0;
}

struct writing {
	int		 fd;
	uint64_t	 at;
	struct buf	 piece;
	struct err	*err;
	int		 rc;
};

static void
write_piece(struct writing *w)
{
	struct slice s = buf_slice(&w->piece);

	if (w->rc == 0 && s.len > 0)
		w->rc = disk_write(w->fd, s.p, s.len, w->at, w->err);
	w->at += s.len;
	buf_reset(&w->piece);
}

static void
write_one(void *arg, uint64_t id)
{
	struct writing *w = arg;
	char line[LINE + 1];

	line_print(id, true, line);
	if (buf_append(&w->piece, line, LINE) == 0)
		return;
	write_piece(w);
	if (buf_append(&w->piece, line, LINE) == -1)
		w->rc = err_memory(w->err, "no memory");
}

/* docs/SPOOL.md, hold: 3 all of it is written to list.new; 4 synced; 5 it is the list; 6 so says the directory. */
static int
make_anew(struct holds *h, struct err *err)
{
	struct writing w = { .err = err };

	fd_close(&h->fd);
	STEP("hold-3");
	if ((w.fd = disk_open(h->dir, NAME_NEW, O_RDWR | O_CREAT | O_TRUNC, err)) == -1)
		return -1;
	buf_init(&w.piece, PIECE);
	idset_each(&h->ids, write_one, &w);
	write_piece(&w);
	buf_fini(&w.piece);
	STEP("hold-4");
	if (w.rc == 0)
		w.rc = disk_sync(w.fd, err);
	STEP("hold-5");
	if (w.rc == 0)
		w.rc = disk_rename(h->dir, NAME_NEW, NAME, err);
	STEP("hold-6");
	if (w.rc == 0)
		w.rc = disk_sync(h->dir, err);
	if (w.rc == -1) {
		fd_close(&w.fd);
		return -1;
	}
	h->fd = w.fd;
	h->lines = h->count;
	h->bad = 0;
	return 0;
}

/* docs/SPOOL.md, hold: 1 the lines are written behind the others; 2 synced. After an error never again on that file. */
static int
append(struct holds *h, struct err *err)
{
	struct slice news = buf_slice(&h->news);
	int rc;

	STEP("hold-1");
	rc = disk_write(h->fd, news.p, news.len, h->lines * LINE, err);
	STEP("hold-2");
	if (rc == 0)
		rc = disk_sync(h->fd, err);
	if (rc == -1)
		fd_close(&h->fd);
	h->lines += news.len / LINE;
	return rc;
}

static bool
is_stale(const struct holds *h)
{
	return h->lines + buf_len(&h->news) / LINE > 2 * h->count + STALE;
}

int
holds_sync(struct holds *h, struct err *err)
{
	bool news = buf_len(&h->news) > 0 || h->news.failed;
	int rc;

	if (!news && (h->fd != -1 || (h->count == 0 && h->bad == 0)))
		return 0;
	rc = h->fd == -1 || h->news.failed || is_stale(h) ? make_anew(h, err) : append(h, err);
	if (rc == -1)
		return err_wrap(err, "holds");
	buf_reset(&h->news);
	return 0;
}
