/*
 * dblog — see dblog.h.
 */
#include "queue/store/dblog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "queue/store/bytes.h"
#include "queue/store/disk.h"

#define HEAD		12u		/* of a record */
#define SECTOR		512u
#define FIRST		28u		/* length of a log's first record */
#define FILE_MAX	(64u * 1024 * 1024)
#define INVERSE		0x3e0f83e1u	/* of 33, modulo 2^32 */
#define LOGS_MAX	256u
#define PREFIX		"log."

static uint32_t
number_at(struct slice file, size_t at)
{
	uint32_t v;

	memcpy(&v, file.p + at, sizeof(v));
	return v;
}

static uint32_t
hash(const char *p, size_t len)
{
	uint32_t h = 0;

	for (size_t i = 0; i < len; i++)
		h = h * 33 + (unsigned char)p[i];
	return h;
}

/* The length of the record there; 0: none is. */
static uint32_t
record_at(struct slice file, size_t at)
{
	uint32_t len;

	if (file.len - at < HEAD)
		return 0;
	len = number_at(file, at + 4);
	if (len <= HEAD || len > file.len - at)
		return 0;
	return (hash(file.p + at + HEAD, len - HEAD) ^ number_at(file, at) ^ len) == number_at(file, at + 8) ? len : 0;
}

/* Between a bad record and a good one: the rest of a sector, or a whole one, that was never written. */
static bool
lacks_a_sector(struct slice file, size_t bad, size_t good)
{
	size_t end;

	for (size_t at = bad; (end = at / SECTOR * SECTOR + SECTOR) <= good; at = end)
		if (bytes_are_zero(file.p + at, end - at))
			return true;
	return false;
}

/* Would one byte of this body, changed, turn one hash into the other? A byte counts 33 for each byte behind it, to the power. */
static bool
one_byte_explains(const unsigned char *body, size_t len, uint32_t has, uint32_t should)
{
	uint32_t difference = should - has;

	while (len-- > 0) {
		int32_t change = (int32_t)difference;

		if (change >= -255 && change <= 255 && body[len] + change >= 0 && body[len] + change <= 255)
			return true;
		difference *= INVERSE;
	}
	return false;
}

/* A record from `bad` to `good` behind the one at `before`, with one byte wrong somewhere in it. */
static bool
is_flipped(struct slice file, uint32_t before, uint32_t bad, uint32_t good)
{
	size_t len = good - bad;
	uint32_t has, should;

	if (len <= HEAD)
		return false;
	has = hash(file.p + bad + HEAD, len - HEAD);
	should = number_at(file, bad + 8) ^ before ^ (uint32_t)len;
	for (uint32_t byte = 0xff; byte != 0; byte <<= 8)
		if (((has ^ should) & ~byte) == 0)
			return true;		/* none of the body: its checksum, or the numbers in front */
	return one_byte_explains((const unsigned char *)file.p + bad + HEAD, len - HEAD, has, should);
}

/* Does any record say that it comes right behind what should be at `bad`, all of which was written? */
static bool
goes_on_behind(struct slice file, uint32_t before, uint32_t bad)
{
	for (size_t at = bad + 1; at + HEAD < file.len; at++)
		if (number_at(file, at) == bad && record_at(file, at) != 0)
			return is_flipped(file, before, bad, (uint32_t)at) || !lacks_a_sector(file, bad, at);
	return false;
}

int
dblog_check_file(struct slice file, bool last)
{
	uint32_t at = record_at(file, 0), before = 0, len;

	/* Made, and not one record written: the machine died then. */
	if (at == 0 && last && !goes_on_behind(file, 0, 0))
		return 0;
	if (at != FIRST)
		return -1;
	for (; (len = record_at(file, at)) != 0; at += len)
		before = at;
	if (at + HEAD >= file.len || (!last && number_at(file, at + 4) == 0 && number_at(file, at) == 0))
		return 0;
	return !last || goes_on_behind(file, before, at) ? -1 : 0;
}

static int
check_log(int dir, const char *name, bool last, struct err *err)
{
	int fd = disk_open(dir, name, O_RDONLY, err), rc = -1;
	char *bytes = NULL;
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		(void)err_sys(err, "%s", name);
	else if (st.st_size > FILE_MAX)
		(void)err_set(err, "%s is too long for a log", name);
	else if ((bytes = mem_alloc((size_t)st.st_size + 1)) == NULL)
		(void)err_memory(err, "no memory to check the catalog's log");
	else if (disk_read(fd, bytes, (size_t)st.st_size, 0, err) == 0)
		rc = dblog_check_file(slice_of(bytes, (size_t)st.st_size), last) == 0 ? 0 : err_set(err, "%s is damaged", name);
	mem_free(bytes);
	fd_close(&fd);
	return rc;
}

/* The numbers of the first and the last; none at all: 1 and 0. */
static int
find_logs(int dir, uint32_t *first, uint32_t *last, struct err *err)
{
	int own = disk_open(dir, ".", O_RDONLY | O_DIRECTORY, err);
	DIR *d = own == -1 ? NULL : fdopendir(own);
	struct dirent *entry;

	*first = 1;
	*last = 0;
	if (d == NULL) {
		fd_close(&own);
		return err_sys(err, "the catalog's directory");
	}
	while ((entry = readdir(d)) != NULL) {
		uint32_t number = (uint32_t)strtoul(entry->d_name + strcspn(entry->d_name, "0123456789"), NULL, 10);

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		*first = *last == 0 || number < *first ? number : *first;
		*last = number > *last ? number : *last;
	}
	closedir(d);
	return *last - *first < LOGS_MAX || *last == 0 ? 0 : err_set(err, "the catalog: its logs have strange names");
}

static int
check_logs(int dir, struct err *err)
{
	uint32_t first, last;
	char name[32];

	if (find_logs(dir, &first, &last, err) == -1)
		return -1;
	for (uint32_t n = first; n <= last; n++) {
		snprintf(name, sizeof(name), PREFIX "%010" PRIu32, n);
		if (faccessat(dir, name, F_OK, 0) == 0 && check_log(dir, name, n == last, err) == -1)
			return err_wrap(err, "the catalog");
	}
	return 0;
}

int
dblog_check(const char *path, struct err *err)
{
	int dir = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, err), rc;

	if (dir == -1)
		return -1;
	rc = check_logs(dir, err);
	fd_close(&dir);
	return rc;
}
