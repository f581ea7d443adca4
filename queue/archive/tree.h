#ifndef ARCHIVE_TREE_H
#define ARCHIVE_TREE_H
/*
 * tree — folders and files from one place to another, counted and shown; never through a symbolic link.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tree {
	bool		links;		/* hard links where the file system allows: for files that are never written again */
	bool		may_vanish;	/* a file that is gone meanwhile was nobody's */
	bool		given;		/* what is made belongs to: */
	uid_t		uid;
	gid_t		gid;
	const char	*loose_in;	/* files in folders of this name may still grow; NULL: none */
	uint64_t	files, bytes;	/* so far, sparse parts included; without the bytes of loose ones: */
	uint64_t	loose;
	int64_t		shown_ms;	/* progress on a terminal; 0: none yet */
};

/* A folder and all below it. The target is made. */
int	tree_copy(struct tree *, int from, int to, const char *name, struct err *);
/* One file: its first `length` bytes, then a hole up to `size`. `head`, of `head_len` bytes, replaces what it begins with;
 * NULL: nothing does. */
int	tree_copy_part(struct tree *, int from, int to, const char *name, uint64_t length, uint64_t size, const void *head,
	    size_t head_len, struct err *);
int	tree_make_folder(struct tree *, int to, const char *name, struct err *);	/* gives a descriptor */
/* Only counts. */
int	tree_count(struct tree *, int from, const char *name, struct err *);
/* Calls `each` for every name in a folder but "." and ".."; 0 goes on, anything else ends it and is returned. */
int	tree_each(int dir, int (*each)(void *arg, const char *name, struct err *), void *arg, struct err *);
int	tree_give(const struct tree *, int fd, struct err *);	/* to whom what is made belongs, if it is `given` */
/* Clears the line of progress. */
void	tree_show_end(struct tree *);

#endif
