#ifndef SUPPORT_TEMPDIR_H
#define SUPPORT_TEMPDIR_H
/* tempdir — a directory of the test's own below TMPDIR, gone with everything in it at the end. */
#include <sys/types.h>

void	tempdir_make(char out[256]);			/* ends the test when it cannot */
void	tempdir_remove(const char *path);		/* whatever is in it; follows no links */
/* "base/name" in a caller's array; returns `out`. */
const char *tempdir_join(char out[512], const char *base, const char *name);
void	tempdir_write(const char *path, const char *text);
size_t	tempdir_count(const char *path);		/* entries but . and .. */
/* The name of the only entry. */
void	tempdir_only(const char *path, char out[256]);

#endif
