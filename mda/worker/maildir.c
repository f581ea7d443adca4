/*
 * maildir — descriptors of its directories; every file is named relative to them and never by path.
 */
#include "mda/worker/maildir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "mda/worker/walk.h"

#define STALE_SECONDS	(36 * 3600)	/* what is older in tmp/ nobody will finish: the Maildir convention */
#define REAP_MOST	10000		/* entries looked at in one opening */
#define PIECE		65536

enum { SUB_TMP, SUB_NEW, SUB_CUR, SUB_COUNT };
static const char *const sub_names[SUB_COUNT] = { "tmp", "new", "cur" };

struct maildir {
	int	fd, subs[SUB_COUNT];
	uid_t	user;
	dev_t	dev;
	ino_t	ino;
	char	path[PATH_MAX];
	size_t	filled;
	char	out[PIECE];	/* what is not yet written of the one copy that is being written */
};

int
maildir_fd(const struct maildir *m)
{
	return m->fd;
}

void
maildir_free(struct maildir **mp)
{
	struct maildir *m = *mp;

	if (m == NULL)
		return;
	for (int i = 0; i < SUB_COUNT; i++)
		fd_close(&m->subs[i]);
	fd_close(&m->fd);
	mem_free(m);
	*mp = NULL;
}

/* How much of the end of the path may be made: what lies below the home, else the last component only. */
static size_t
may_make(const char *home, const char *path)
{
	size_t len = strlen(home);

	while (len > 1 && home[len - 1] == '/')
		len--;
	if (strncmp(home, path, len) == 0 && path[len] == '/')
		return strlen(path + len + strspn(path + len, "/"));
	return strlen(strrchr(path, '/')) - 1;
}

static int
open_home(const char *home, uid_t user, struct refusal *refusal)
{
	int fd = walk_open(home, 0, user, refusal);

	if (fd != -1) {
		fd_close(&fd);
		return 0;
	}
	/* An unmounted disk looks like this; whoever made a new home here would split the mailbox in two. */
	if (errno == ENOENT)
		(void)refuse(refusal, STATUS(4, 2, 0), "home directory %.200s is missing", home);
	return -1;
}

static int
open_top(struct maildir *m, const char *home, struct refusal *refusal)
{
	int top = walk_open(m->path, may_make(home, m->path), m->user, refusal);
	struct stat st;

	if (top == -1)
		return -1;
	m->fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_close(&top);
	if (m->fd == -1 || fstat(m->fd, &st) == -1)
		return refuse_sys(refusal, "opening the Maildir %.150s", m->path);
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	return 0;
}

static int
open_sub(struct maildir *m, int sub, struct refusal *refusal)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	m->subs[sub] = openat(m->fd, sub_names[sub], flags);
	if (m->subs[sub] == -1 && errno == ENOENT) {
		if ((mkdirat(m->fd, sub_names[sub], 0700) == -1 && errno != EEXIST) || fsync(m->fd) == -1)
			return refuse_sys(refusal, "making %s/ in the Maildir", sub_names[sub]);
		m->subs[sub] = openat(m->fd, sub_names[sub], flags);
	}
	if (m->subs[sub] == -1 || fstat(m->subs[sub], &st) == -1)
		return refuse_sys(refusal, "opening %s/ of the Maildir", sub_names[sub]);
	if (!walk_trusts(&st, m->user))
		return refuse(refusal, STATUS(4, 2, 0), "%s/ of the Maildir is somebody else's, or everybody may write to it",
		    sub_names[sub]);
	if (st.st_dev != m->dev)
		return refuse(refusal, STATUS(4, 3, 5), "%s/ of the Maildir lies on another file system", sub_names[sub]);
	return 0;
}

static void
reap_one(struct maildir *m, const char *name)
{
	struct stat st;

	if (name[0] == '.' || fstatat(m->subs[SUB_TMP], name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	if (S_ISREG(st.st_mode) && st.st_uid == m->user && st.st_mtime < clock_wall() - STALE_SECONDS)
		(void)unlinkat(m->subs[SUB_TMP], name, 0);
}

/* A listing of its own, so that the descriptor we keep has no position. NULL: errno. */
static DIR *
list_sub(const struct maildir *m, int sub)
{
	int fd = openat(m->subs[sub], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL)
		fd_close(&fd);
	return dir;
}

static void
reap_tmp(struct maildir *m)
{
	DIR *dir = list_sub(m, SUB_TMP);
	struct dirent *entry;

	if (dir == NULL)
		return;
	for (int n = 0; n < REAP_MOST && (entry = readdir(dir)) != NULL; n++)
		reap_one(m, entry->d_name);
	(void)closedir(dir);
}

struct maildir *
maildir_open(const char *home, const char *path, uid_t user, struct refusal *refusal)
{
	struct maildir *m = mem_zalloc(sizeof(*m));

	if (m == NULL) {
		(void)refuse(refusal, STATUS(4, 3, 0), "no memory for a Maildir");
		return NULL;
	}
	m->fd = m->subs[SUB_TMP] = m->subs[SUB_NEW] = m->subs[SUB_CUR] = -1;
	m->user = user;
	(void)snprintf(m->path, sizeof(m->path), "%s", path);
	if (open_home(home, user, refusal) == -1 || open_top(m, home, refusal) == -1 ||
	    open_sub(m, SUB_TMP, refusal) == -1 || open_sub(m, SUB_NEW, refusal) == -1 ||
	    open_sub(m, SUB_CUR, refusal) == -1) {
		maildir_free(&m);
		return NULL;
	}
	reap_tmp(m);
	return m;
}

bool
maildir_in_place(const struct maildir *m)
{
	struct stat st;

	if (stat(m->path, &st) == -1 || st.st_dev != m->dev || st.st_ino != m->ino)
		return false;
	for (int i = 0; i < SUB_COUNT; i++)
		if (fstat(m->subs[i], &st) == -1 || st.st_nlink == 0)
			return false;
	return true;
}

void
copy_drop(struct maildir *m, struct copy *copy)
{
	fd_close(&copy->fd);
	if (copy->tmp[0] != '\0')
		(void)unlinkat(m->subs[SUB_TMP], copy->tmp, 0);
	copy->tmp[0] = '\0';
}

/* What a worker of an earlier life left under this name; anything that is not a plain file of ours stays. */
static int
remove_stale(struct maildir *m, const char *name, struct refusal *refusal)
{
	struct stat st;

	if (fstatat(m->subs[SUB_TMP], name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return refuse_sys(refusal, "tmp/%s", name);
	if (!S_ISREG(st.st_mode) || st.st_uid != m->user)
		return refuse(refusal, STATUS(4, 2, 0), "tmp/%.150s is there and is not ours", name);
	if (unlinkat(m->subs[SUB_TMP], name, 0) == -1)
		return refuse_sys(refusal, "removing the old tmp/%.150s", name);
	return 0;
}

/* A directory that vanished beneath us: the user has moved or removed the Maildir. */
static int
refuse_gone(struct refusal *refusal, const char *what)
{
	bool gone = errno == ENOENT;

	(void)refuse_sys(refusal, "%s", what);
	refusal->again = gone;
	return -1;
}

int
copy_begin(struct maildir *m, struct copy *copy, const char *tmp_name, struct refusal *refusal)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	*copy = (struct copy){ .fd = -1 };
	m->filled = 0;
	copy->fd = openat(m->subs[SUB_TMP], tmp_name, flags, 0600);
	if (copy->fd == -1 && errno == EEXIST) {
		if (remove_stale(m, tmp_name, refusal) == -1)
			return -1;
		copy->fd = openat(m->subs[SUB_TMP], tmp_name, flags, 0600);
	}
	if (copy->fd == -1)
		return refuse_gone(refusal, "making a file in tmp/ of the Maildir");
	(void)snprintf(copy->tmp, sizeof(copy->tmp), "%s", tmp_name);
	(void)snprintf(copy->name, sizeof(copy->name), "%s", tmp_name);
	return 0;
}

static int
copy_flush(struct maildir *m, struct copy *copy, struct refusal *refusal)
{
	if (m->filled == 0)
		return 0;
	if (fault_at("maildir-write") != 0 || fd_write_all(copy->fd, m->out, m->filled) == -1) {
		(void)refuse_sys(refusal, "writing to the Maildir");
		copy_drop(m, copy);
		return -1;
	}
	copy->size += m->filled;
	copy->crc = crc32c(copy->crc, m->out, m->filled);
	m->filled = 0;
	return 0;
}

/* Moves as much of *in as fits into m->out, with its line ends turned. */
static void
turn_lines(struct maildir *m, struct copy *copy, struct slice *in)
{
	while (in->len > 0 && m->filled + 2 <= sizeof(m->out)) {
		const char *cr;
		size_t len;

		if (copy->cr && in->p[0] != '\n')
			m->out[m->filled++] = '\r';	/* it stood alone: kept as it is */
		copy->cr = false;
		len = in->len < sizeof(m->out) - m->filled ? in->len : sizeof(m->out) - m->filled;
		cr = memchr(in->p, '\r', len);
		if (cr != NULL) {
			len = (size_t)(cr - in->p);
			copy->cr = true;
		}
		memcpy(m->out + m->filled, in->p, len);
		m->filled += len;
		slice_drop(in, len + (cr != NULL));
	}
}

int
copy_write(struct maildir *m, struct copy *copy, struct slice content, struct refusal *refusal)
{
	while (content.len > 0) {
		turn_lines(m, copy, &content);
		if (m->filled + 2 > sizeof(m->out) && copy_flush(m, copy, refusal) == -1)
			return -1;
	}
	return 0;
}

static int
sync_fd(int fd)
{
	return fault_at("maildir-sync") != 0 ? -1 : fsync(fd);
}

int
copy_end(struct maildir *m, struct copy *copy, bool own_sync, struct refusal *refusal)
{
	int closed;

	if (copy->cr)
		m->out[m->filled++] = '\r';	/* there is room: copy_write leaves two bytes */
	copy->cr = false;
	if (copy_flush(m, copy, refusal) == -1)
		return -1;
	if (name_add_size(copy->name, copy->size) == -1) {
		copy_drop(m, copy);
		return refuse(refusal, STATUS(4, 3, 5), "the name of the file would be too long");
	}
	if (own_sync && sync_fd(copy->fd) == -1) {
		(void)refuse_sys(refusal, "syncing a file in tmp/ of the Maildir");
		copy_drop(m, copy);
		return -1;
	}
	closed = close(copy->fd);	/* some file systems tell a full disk only here */
	copy->fd = -1;
	if (closed == -1) {
		(void)refuse_sys(refusal, "closing a file in tmp/ of the Maildir");
		copy_drop(m, copy);
		return -1;
	}
	return 0;
}

int
copy_publish(struct maildir *m, struct copy *copy, bool own_sync, struct refusal *refusal)
{
	assert(copy->fd == -1);
	if (fault_at("maildir-rename") != 0 ||
	    renameat(m->subs[SUB_TMP], copy->tmp, m->subs[SUB_NEW], copy->name) == -1) {
		(void)refuse_gone(refusal, "renaming a file into new/ of the Maildir");
		copy_drop(m, copy);
		return -1;
	}
	copy->tmp[0] = '\0';
	/* The file stays in new/ if this fails: a repeat has the same name and takes its place. */
	if (own_sync && sync_fd(m->subs[SUB_NEW]) == -1)
		return refuse_sys(refusal, "syncing new/ of the Maildir");
	return 0;
}

/* --- an earlier attempt may have got through ------------------------------------------------------------------ */

static bool
same_bytes(int fd, const struct copy *copy)
{
	uint64_t size = 0;
	uint32_t crc = 0;
	char piece[8192];
	ssize_t got;

	while ((got = fd_read_full(fd, piece, sizeof(piece))) > 0) {
		crc = crc32c(crc, piece, (size_t)got);
		size += (uint64_t)got;
		if (size > copy->size)
			return false;
	}
	return got == 0 && size == copy->size && crc == copy->crc;
}

/* Is this entry the same copy, and is it durable now? 1, 0, or -1 with refusal. */
static int
entry_is_copy(struct maildir *m, int sub, const char *entry, const struct copy *copy, struct refusal *refusal)
{
	int fd = openat(m->subs[sub], entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int result = 0;
	struct stat st;

	if (fd == -1)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == m->user &&
	    (uint64_t)st.st_size == copy->size && same_bytes(fd, copy)) {
		result = 1;
		if (sync_fd(fd) == -1 || sync_fd(m->subs[sub]) == -1)
			result = refuse_sys(refusal, "syncing %s/ of the Maildir", sub_names[sub]);
	}
	fd_close(&fd);
	return result;
}

static int
find_in_cur(struct maildir *m, const struct copy *copy, struct refusal *refusal)
{
	DIR *dir = list_sub(m, SUB_CUR);
	struct dirent *entry;
	int result = 0;

	if (dir == NULL)
		return refuse_sys(refusal, "reading cur/ of the Maildir");
	while (result == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (name_matches(entry->d_name, copy->name))
			result = entry_is_copy(m, SUB_CUR, entry->d_name, copy, refusal);
	if (result == 0 && errno != 0)
		result = refuse_sys(refusal, "reading cur/ of the Maildir");
	(void)closedir(dir);
	return result;
}

int
copy_found(struct maildir *m, struct copy *copy, struct refusal *refusal)
{
	int result = entry_is_copy(m, SUB_NEW, copy->name, copy, refusal);

	if (result == 0)
		result = find_in_cur(m, copy, refusal);
	if (result != 0)
		copy_drop(m, copy);
	return result;
}
