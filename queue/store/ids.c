/*
 * ids — see ids.h. STORE is text, so that a person can read it:
 *
 *	posthorn-store 1
 *	id 00112233445566778899aabbccddeeff
 *	epoch 42
 *	check 1a2b3c4d		(crc32c of the lines above)
 */
#include "queue/store/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/random.h"
#include "queue/store/disk.h"

#define STORE_VERSION	1u
#define TEXT_MAX	256u

static int
format(const struct ids *ids, uint32_t epoch, char out[TEXT_MAX])
{
	int n = snprintf(out, TEXT_MAX, "posthorn-store %u\nid %s\nepoch %u\n", STORE_VERSION, ids->text, epoch);

	return n + snprintf(out + n, TEXT_MAX - (size_t)n, "check %08x\n", crc32c(0, out, (size_t)n));
}

static void
hex_print(struct ids *ids)
{
	for (size_t i = 0; i < sizeof(ids->store); i++)
		snprintf(ids->text + 2 * i, 3, "%02x", ids->store[i]);
}

static int
hex_read(struct ids *ids)
{
	unsigned byte;

	for (size_t i = 0; i < sizeof(ids->store); i++) {
		if (strspn(ids->text + 2 * i, "0123456789abcdef") < 2 || sscanf(ids->text + 2 * i, "%2x", &byte) != 1)
			return -1;
		ids->store[i] = (unsigned char)byte;
	}
	return 0;
}

/* Strict: what does not print back as it was read is not ours. */
static int
parse(struct ids *ids, const char *text, struct err *err)
{
	char again[TEXT_MAX];
	unsigned version, epoch;

	if (sscanf(text, "posthorn-store %u\n", &version) == 1 && version > STORE_VERSION)
		return err_set(err, "STORE has format %u, this posthorn knows %u: start the newer one", version, STORE_VERSION);
	if (sscanf(text, "posthorn-store %u\nid %32s\nepoch %u\n", &version, ids->text, &epoch) != 3 ||
	    strlen(ids->text) != 32 || hex_read(ids) == -1)
		return err_set(err, "STORE is damaged: restore it from a backup (docs/SPOOL.md, STORE)");
	format(ids, epoch, again);
	if (strcmp(again, text) != 0)
		return err_set(err, "STORE is damaged: restore it from a backup (docs/SPOOL.md, STORE)");
	ids->epoch = epoch;
	return 0;
}

enum ids_result
ids_read(struct ids *ids, int dir, struct err *err)
{
	char text[TEXT_MAX];
	ssize_t n;
	int fd;

	*ids = (struct ids){ .dir = dir, .next = UINT64_C(1) << 32 };
	if ((fd = disk_open(dir, "STORE", O_RDONLY, err)) == -1)
		return err->code == ENOENT ? IDS_ABSENT : IDS_FAILED;
	n = fd_pread_full(fd, text, sizeof(text) - 1, 0);
	if (n == -1)
		err_sys(err, "read STORE");
	fd_close(&fd);
	if (n == -1)
		return IDS_FAILED;
	text[n] = '\0';
	return parse(ids, text, err) == -1 ? IDS_FAILED : IDS_READ;
}

void
ids_draw(struct ids *ids, int dir)
{
	*ids = (struct ids){ .dir = dir, .next = UINT64_C(1) << 32 };
	random_bytes(ids->store, sizeof(ids->store));
	hex_print(ids);
}

/* docs/SPOOL.md, epoch: 1 write STORE.new, 2 sync it, 3 rename it over STORE, 4 sync the
 * directory, 5 the epoch counts. */
static int
replace(const struct ids *ids, uint32_t epoch, struct err *err)
{
	char text[TEXT_MAX];
	int len = format(ids, epoch, text), fd, rc = -1;

	STEP("epoch-1");
	if ((fd = disk_open(ids->dir, "STORE.new", O_WRONLY | O_CREAT | O_TRUNC, err)) == -1)
		return -1;
	if (disk_write(fd, text, (size_t)len, 0, err) == -1)
		goto out;
	STEP("epoch-2");
	if (disk_sync(fd, err) == -1)
		goto out;
	STEP("epoch-3");
	if (disk_rename(ids->dir, "STORE.new", "STORE", err) == -1)
		goto out;
	STEP("epoch-4");
	if (disk_sync(ids->dir, err) == -1)
		goto out;
	STEP("epoch-5");
	rc = 0;
out:
	fd_close(&fd);
	return rc;
}

int
ids_raise(struct ids *ids, struct err *err)
{
	if (ids->epoch == UINT32_MAX)
		return err_set(err, "STORE: the last epoch is used up");
	if (replace(ids, ids->epoch + 1, err) == -1)
		return err_wrap(err, "raise the epoch");
	ids->epoch++;
	ids->next = 1;
	return 0;
}

int
ids_next(struct ids *ids, uint32_t count, uint64_t *first, struct err *err)
{
	if (ids->next + count > UINT32_MAX && ids_raise(ids, err) == -1)
		return -1;
	*first = (uint64_t)ids->epoch << 32 | ids->next;
	ids->next += count;
	return 0;
}
