/*
 * fuzz_spool — a file of the spool over any bytes, read as a hunt reads it.
 *
 * The first byte says whether the checksums are put right before, so that what lies behind them is reached; the rest is the file.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "mail/queue_id.h"
#include "queue/store/bytes.h"
#include "queue/store/spool.h"

#define ID	UINT64_C(0x0000002a00000007)
#define FOLDER	(UINT64_C(0x2a) << 32 | 1)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char directory[] = "/tmp/fuzz-spool-XXXXXX";
static struct spool spool;
static int file = -1;

static void
remove_all(void)
{
	char name[QUEUE_ID_LEN + 1], path[80];

	snprintf(path, sizeof(path), "0000002a.0001/%s", queue_id_print(ID, name));
	(void)unlinkat(spool.dir, path, 0);
	(void)unlinkat(spool.dir, "0000002a.0001", AT_REMOVEDIR);
	snprintf(path, sizeof(path), "%s/spool", directory);
	(void)rmdir(path);
	(void)rmdir(directory);
}

static void
make(void)
{
	char name[QUEUE_ID_LEN + 1], path[80];
	struct err err;
	int dir;

	if (mkdtemp(directory) == NULL || (dir = open(directory, O_RDONLY | O_DIRECTORY)) == -1)
		abort();
	if (mkdirat(dir, "spool", 0700) == -1 || mkdirat(dir, "spool/0000002a.0001", 0700) == -1 ||
	    spool_open(&spool, dir, 43, &err) == -1)
		abort();
	snprintf(path, sizeof(path), "spool/0000002a.0001/%s", queue_id_print(ID, name));
	if ((file = openat(dir, path, O_RDWR | O_CREAT, 0600)) == -1)
		abort();
	atexit(remove_all);
	fd_close(&dir);
}

/* Id, lengths and checksums of a PUT become what they should be; flags and type stay the input's. */
static void
mend(unsigned char *p, size_t len)
{
	size_t envelope;

	if (len < RECORD_PUT_HEAD)
		return;
	bytes_put32(p + 4, (uint32_t)(len - RECORD_HEAD));
	bytes_put64(p + 8, ID);
	envelope = bytes_get32(p + RECORD_HEAD);
	if (envelope > len - RECORD_PUT_HEAD)
		envelope = len - RECORD_PUT_HEAD;
	bytes_put32(p + RECORD_HEAD + 4, crc32c(0, p + RECORD_PUT_HEAD + envelope, len - RECORD_PUT_HEAD - envelope));
	bytes_put32(p + 20, crc32c(0, p + RECORD_HEAD, RECORD_PUT_HEAD - RECORD_HEAD + envelope));
	bytes_put32(p + 28, crc32c(0, p, 28));
}

static void
read_it(void)
{
	struct record r;
	struct buf bytes;
	struct err err;
	struct slice all;

	buf_init(&bytes, 4u << 20);
	if (spool_read(&spool, FOLDER, ID, &bytes, &r, &err) == 0) {
		all = buf_slice(&bytes);
		if (r.id != ID || r.type != RECORD_PUT || r.envelope.p < all.p ||
		    r.envelope.p + r.envelope.len + r.content.len != all.p + all.len)
			abort();
		if (!r.large && (r.content.len != r.content_size || crc32c(0, r.content.p, r.content.len) != r.content_crc))
			abort();
	}
	buf_fini(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *p;

	if (size < 1)
		return 0;
	if (file == -1)
		make();
	if ((p = malloc(size)) == NULL)
		return 0;
	memcpy(p, data + 1, size - 1);
	if (data[0] & 1)
		mend(p, size - 1);
	if (ftruncate(file, 0) == -1 || pwrite(file, p, size - 1, 0) != (ssize_t)(size - 1))
		abort();
	free(p);
	read_it();
	return 0;
}
