/* tempdir — see tempdir.h. */
#include "tests/support/tempdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/testing.h"

void
tempdir_make(char out[256])
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(out, 256, "%.200s/posthorn-test-XXXXXX", base == NULL ? "/tmp" : base);
	assert_non_null(mkdtemp(out));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
tempdir_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
tempdir_join(char out[512], const char *base, const char *name)
{
	(void)snprintf(out, 512, "%s/%s", base, name);
	return out;
}

void
tempdir_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd != -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static size_t
list(const char *path, char last[256])
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(last, 256, "%s", entry->d_name);
		count++;
	}
	(void)closedir(dir);
	return count;
}

size_t
tempdir_count(const char *path)
{
	char last[256];

	return list(path, last);
}

void
tempdir_only(const char *path, char out[256])
{
	assert_int_equal(list(path, out), 1);
}
