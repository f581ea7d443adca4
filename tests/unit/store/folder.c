/* folder — see folder.h. */
#include "tests/unit/store/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "mail/queue_id.h"
#include "tests/support/tempdir.h"
#include "tests/unit/store/fixture.h"

uint32_t
files_in(const char *name)
{
	char path[128];
	struct dirent *entry;
	uint32_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

void
empty_folder(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	tempdir_remove(path);
	assert_int_equal(mkdir(path, 0700), 0);
}

void
flip(uint32_t segment, off_t offset)
{
	char path[200], byte;
	int fd;

	snprintf(path, sizeof(path), "%s/journal/%03u.seg", directory, segment);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 8;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	fd_close(&fd);
}

void
path_of(char out[200], const char *name)
{
	snprintf(out, 200, "%s/%s", directory, name);
}

static uint32_t
each_spool_file(uint64_t id, char out[200])
{
	char path[200], want[QUEUE_ID_LEN + 1];
	struct dirent *folder, *file;
	uint32_t n = 0;
	DIR *spool, *d;

	path_of(path, "spool");
	spool = opendir(path);
	assert_non_null(spool);
	queue_id_print(id, want);
	while ((folder = readdir(spool)) != NULL) {
		if (folder->d_name[0] == '.' || strcmp(folder->d_name, "large") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/spool/%.40s", directory, folder->d_name);
		if ((d = opendir(path)) == NULL)
			continue;
		while ((file = readdir(d)) != NULL)
			if (id == 0 ? file->d_name[0] != '.' : strcmp(file->d_name, want) == 0) {
				if (out != NULL)
					snprintf(out, 200, "%s/spool/%.40s/%.20s", directory, folder->d_name, file->d_name);
				n++;
			}
		closedir(d);
	}
	closedir(spool);
	return n;
}

bool
spool_file_of(uint64_t id, char out[200])
{
	return each_spool_file(id, out) > 0;
}

uint32_t
spool_files(void)
{
	return each_spool_file(0, NULL);
}

void
change_bytes(const char *name, off_t at, const void *p, size_t len)
{
	char path[200];
	int fd;

	path_of(path, name);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(pwrite(fd, p, len, at), (ssize_t)len);
	fd_close(&fd);
}

void
make_file(const char *name, const char *text)
{
	char path[200];

	path_of(path, name);
	tempdir_write(path, text);
}
