/*
 * allowance_file — see allowance_file.h. The first line has the store's clock; then a line for each login: messages and recipients in
 * its buckets, in thousandths and rounded up, and its name as fmt_escape prints it.
 */
#include "queue/intake/allowance_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/num.h"
#include "queue/store/disk.h"
#include "wire/auth.h"
#include "wire/fields.h"

#define NAME		"logins"
#define NAME_NEW	"logins.new"
#define HEAD		"posthorn-logins 1 "
#define PARTS		1000u				/* of one message or recipient, in the text */
#define PART		(ALLOWANCE_ONE / PARTS)
#define ESCAPED_MAX	(4 * AUTH_LOGIN_MAX)
#define LINE_MAX_BYTES	(ESCAPED_MAX + 32)

/* --- the text ----------------------------------------------------------------------------------- */

static int
take_head(struct slice line, int64_t now_ms, int64_t *at_ms, struct err *err)
{
	uint64_t time;

	if (!slice_starts(line, SLICE_LIT(HEAD)))
		return err_set(err, "it does not begin with \"" HEAD "\"");
	slice_drop(&line, strlen(HEAD));
	if (num_parse(line, TIME_MS_MAX, &time) == -1)
		return err_set(err, "its first line has no time");
	*at_ms = (int64_t)time < now_ms ? (int64_t)time : now_ms;
	return 0;
}

static int
take_line(struct slice line, struct allowances *all, int64_t at_ms)
{
	struct allowance_used used;
	char login[AUTH_LOGIN_MAX];
	size_t len;

	for (int k = 0; k < ALLOWANCE_KINDS; k++) {
		uint64_t parts;

		if (num_parse(slice_split(line, ' ', &line), (uint64_t)ALLOWANCE_MOST * PARTS, &parts) == -1)
			return -1;
		used.in[k] = parts * PART;
	}
	if (line.len == 0 || fmt_unescape(line, login, sizeof(login), &len) == -1)
		return -1;
	return allowance_put(all, slice_of(login, len), &used, at_ms) ? 0 : -1;
}

int
allowance_text_get(struct slice text, struct allowances *all, int64_t now_ms, size_t *bad, struct err *err)
{
	struct slice line = slice_split(text, '\n', &text);
	int64_t at_ms = now_ms;

	*bad = 0;
	if (take_head(line, now_ms, &at_ms, err) == -1)
		return -1;
	while (text.len > 0) {
		line = slice_split(text, '\n', &text);
		/* The last line has its end, too, or it was cut. */
		if (text.p == NULL || take_line(line, all, at_ms) == -1)
			(*bad)++;
	}
	return 0;
}

static uint64_t
parts_of(uint64_t used)
{
	return (used + PART - 1) / PART;
}

static void
put_line(void *arg, struct slice login, const struct allowance_used *used)
{
	char line[LINE_MAX_BYTES], name[ESCAPED_MAX + 1];
	struct buf *out = arg;
	int len;

	len = snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 " %s\n", parts_of(used->in[ALLOWANCE_MESSAGES]),
	    parts_of(used->in[ALLOWANCE_RECIPIENTS]), fmt_escaped(name, sizeof(name), login));
	(void)buf_append(out, line, (size_t)len);
}

void
allowance_text_put(struct buf *out, struct allowances *all, const struct allowance_limits *limits, int64_t now_ms)
{
	(void)buf_printf(out, HEAD "%" PRId64 "\n", now_ms);
	allowances_each(all, limits, now_ms, put_line, out);
}

/* --- the file ----------------------------------------------------------------------------------- */

static int
open_directory(const char *directory, struct err *err)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir == -1 ? err_sys(err, "%s", directory) : dir;
}

static int
read_whole(int fd, struct buf *text, struct err *err)
{
	struct stat st;
	char *room;

	if (fstat(fd, &st) == -1)
		return err_sys(err, "stat");
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)ALLOWANCE_TEXT_MAX)
		return err_set(err, "it is no file, or too large");
	if (st.st_size == 0)
		return err_set(err, "it is empty");
	if ((room = buf_room(text, (size_t)st.st_size)) == NULL)
		return err_memory(err, "no memory");
	if (disk_read(fd, room, (size_t)st.st_size, 0, err) == -1)
		return -1;
	buf_added(text, (size_t)st.st_size);
	return 0;
}

int
allowance_file_read(const char *directory, struct allowances *all, int64_t now_ms, size_t *bad, struct err *err)
{
	int dir = open_directory(directory, err), fd = -1, rc = -1;
	struct buf text;

	*bad = 0;
	if (dir == -1)
		return -1;
	buf_init(&text, ALLOWANCE_TEXT_MAX);
	fd = disk_open(dir, NAME, O_RDONLY | O_NONBLOCK, err);
	if (fd == -1)
		rc = err->code == ENOENT ? 0 : -1;
	else if (read_whole(fd, &text, err) == 0)
		rc = allowance_text_get(buf_slice(&text), all, now_ms, bad, err);
	buf_fini(&text);
	fd_close(&fd);
	fd_close(&dir);
	return rc == 0 ? 0 : err_wrap(err, NAME);
}

static int
write_new(int dir, struct slice text, struct err *err)
{
	int fd = disk_open(dir, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC, err), rc;

	if (fd == -1)
		return -1;
	rc = disk_write(fd, text.p, text.len, 0, err);
	fd_close(&fd);
	if (rc == 0)
		return disk_rename(dir, NAME_NEW, NAME, err);
	(void)disk_unlink(dir, NAME_NEW, NULL);	/* on a full disk what is there of it is in the way */
	return -1;
}

int
allowance_file_write(const char *directory, struct allowances *all, const struct allowance_limits *limits, int64_t now_ms,
    struct err *err)
{
	int dir = open_directory(directory, err), rc;
	struct buf text;

	if (dir == -1)
		return -1;
	buf_init(&text, ALLOWANCE_TEXT_MAX);
	allowance_text_put(&text, all, limits, now_ms);
	rc = text.failed ? err_memory(err, "no memory") : write_new(dir, buf_slice(&text), err);
	buf_fini(&text);
	fd_close(&dir);
	return rc == 0 ? 0 : err_wrap(err, NAME);
}
