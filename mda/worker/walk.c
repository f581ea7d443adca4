/*
 * walk — openat, O_NOFOLLOW, fstat, again; links are read and walked by us.
 */
#include "mda/worker/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define LINKS_MOST	16

struct walk {
	int		 dir;			/* where we are, O_PATH */
	uid_t		 user;
	size_t		 may_make;
	unsigned	 links;
	char		 rest[PATH_MAX];	/* what is still to be walked */
	struct refusal	*refusal;
};

bool
walk_trusts(const struct stat *st, uid_t user)
{
	if (!S_ISDIR(st->st_mode) || (st->st_uid != user && st->st_uid != 0))
		return false;
	return (st->st_mode & S_IWOTH) == 0 || (st->st_mode & S_ISVTX) != 0;
}

static int
walk_to_root(struct walk *w)
{
	fd_close(&w->dir);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->dir == -1 ? refuse_sys(w->refusal, "/") : 0;
}

/* The parent's entry must survive a crash as the mail in it does: sync the parent, too. */
static int
walk_make(struct walk *w, const char *name)
{
	int parent;

	if (mkdirat(w->dir, name, 0700) == -1 && errno != EEXIST)
		return refuse_sys(w->refusal, "making the directory %s", name);
	parent = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent == -1 || fsync(parent) == -1) {
		(void)refuse_sys(w->refusal, "syncing the parent of the new directory %s", name);
		fd_close(&parent);
		return -1;
	}
	fd_close(&parent);
	return 0;
}

/* Puts the link's target in front of what is left to walk. */
static int
walk_link(struct walk *w, int link, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	size_t rest = strlen(w->rest);

	if (len <= 0)
		return refuse_sys(w->refusal, "reading the link %s", name);
	if (++w->links > LINKS_MOST || (size_t)len + 1 + rest >= sizeof(w->rest)) {
		errno = ELOOP;
		return refuse_sys(w->refusal, "%s", name);
	}
	memmove(w->rest + len + 1, w->rest, rest + 1);
	memcpy(w->rest, target, (size_t)len);
	w->rest[len] = '/';
	return target[0] == '/' ? walk_to_root(w) : 0;
}

/* Looks at what `name` is and goes there; takes fd. */
static int
walk_enter(struct walk *w, int fd, const char *name)
{
	struct stat st;
	int result;

	errno = EACCES;		/* what a refusal without a call behind it means */
	if (fstat(fd, &st) == -1) {
		result = refuse_sys(w->refusal, "%s", name);
	} else if (S_ISLNK(st.st_mode)) {
		if (st.st_uid == w->user || st.st_uid == 0)
			result = walk_link(w, fd, name);
		else
			result = refuse(w->refusal, STATUS(4, 2, 0), "the link %s is neither the user's nor root's", name);
	} else if (!walk_trusts(&st, w->user)) {
		result = refuse(w->refusal, STATUS(4, 2, 0),
		    S_ISDIR(st.st_mode) ? "the directory %s is somebody else's, or everybody may write to it" :
		    "%s is no directory", name);
	} else {
		fd_close(&w->dir);
		w->dir = fd;
		return 0;
	}
	fd_close(&fd);
	return result;
}

static int
walk_step(struct walk *w, const char *name, size_t left)
{
	int fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT && left <= w->may_make) {
		if (walk_make(w, name) == -1)
			return -1;
		fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd == -1)
		return refuse_sys(w->refusal, "%s", name);
	return walk_enter(w, fd, name);
}

/* Takes the first component off the rest; false at the end. *left: how many bytes of path began with it. */
static bool
walk_next(struct walk *w, char name[NAME_MAX + 1], size_t *left)
{
	char *at = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(at, "/");

	*left = strlen(at);
	if (len == 0)
		return false;
	if (len > NAME_MAX)
		len = NAME_MAX;		/* no such entry then, and the open says so */
	memcpy(name, at, len);
	name[len] = '\0';
	memmove(w->rest, at + len, *left - len + 1);
	return true;
}

int
walk_open(const char *path, size_t may_make, uid_t user, struct refusal *refusal)
{
	struct walk w = { .dir = -1, .user = user, .may_make = may_make, .refusal = refusal };
	char name[NAME_MAX + 1];
	size_t left;

	if (path[0] != '/' || strlen(path) >= sizeof(w.rest))
		return refuse(refusal, STATUS(4, 3, 5), "the path of the mailbox is not absolute, or too long");
	memcpy(w.rest, path, strlen(path) + 1);
	if (walk_to_root(&w) == -1)
		return -1;
	while (walk_next(&w, name, &left)) {
		if (walk_step(&w, name, left) == -1) {
			fd_close(&w.dir);
			return -1;
		}
	}
	return w.dir;
}
