/*
 * backup — see backup.h; the steps are those of docs/SPOOL.md, backup.
 *
 * The connection is the pin: whatever ends this program ends that, too.
 */
#include "queue/archive/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "queue/archive/marker.h"
#include "queue/archive/tree.h"
#include "queue/store/disk.h"
#include "queue/store/ids.h"
#include "queue/store/segment.h"
#include "wire/control.h"

#define MEMORY_MAX	(1024u * 1024)

struct backup {
	const char		*path;		/* of the backup */
	int			 dir;
	int			 queue;		/* the queue directory */
	struct chan_sync	*wire;
	struct arena		 arena;
	struct control_pinned	 pinned;
	struct tree		 tree;
	bool			 copies;	/* nothing is shared with the queue */
	struct marker		 marker;
};

/* --- the queue ---------------------------------------------------------------------------------- */

static int
on_pinned(struct backup *b, struct reader *r, struct err *err)
{
	if (control_pinned_get(r, &b->arena, &b->pinned) == -1)
		return err_set(err, "the queue said something that is not understood: same version of posthorn there?");
	b->pinned.directory = arena_slice(&b->arena, b->pinned.directory);
	return b->pinned.directory.p == NULL ? err_memory(err, "no memory") : 0;
}

/* 0: the queue agrees; 1: it does not, and err has its words; -1: there is no talking to it. */
static int
ask(struct backup *b, const char *verb, struct err *err)
{
	struct operator_request request = { .verb = slice_str(verb) };
	struct control_text said = { 0 };
	struct reader r = { 0 };
	int type, fd = -1;

	operator_request_put(chan_sync_begin(b->wire, CONTROL_OPERATOR), &request);
	if (chan_sync_send(b->wire, -1, err) == -1)
		return -1;
	while ((type = chan_sync_next(b->wire, &r, &fd, err)) == CONTROL_PINNED) {
		fd_close(&fd);
		if (on_pinned(b, &r, err) == -1)
			return -1;
	}
	fd_close(&fd);
	if (type == 0)
		return err_set(err, "the queue has closed the connection: has posthorn been stopped?");
	if (type != CONTROL_OUTCOME || control_text_get(&r, &said) == -1)
		return type == -1 ? -1 : err_set(err, "the queue said something that is not understood");
	if (said.ok)
		return 0;
	fmt_escaped(err->text, sizeof(err->text), said.text);
	return 1;
}

/* --- the copy ----------------------------------------------------------------------------------- */

static int
copy_ring(struct backup *b, struct err *err)
{
	int from = disk_open(b->queue, "journal", O_RDONLY | O_DIRECTORY, err), to = -1, rc = -1;
	char name[16];

	if (from == -1)
		return -1;
	if ((to = tree_make_folder(&b->tree, b->dir, "journal", err)) != -1)
		rc = 0;
	for (uint32_t i = 0; rc == 0 && i < b->pinned.count; i++) {
		const struct pinned_segment *seg = &b->pinned.segments[i];

		segment_name(name, sizeof(name), seg->number);
		rc = tree_copy_part(&b->tree, from, to, name, seg->length, seg->size, NULL, 0, err);
	}
	fd_close(&from);
	fd_close(&to);
	return rc == 0 ? 0 : err_wrap(err, "journal");
}

/* Files of the spool and large contents are never written again: they may be shared with the queue, whose user could write to
 * them all the same. Only among the large ones are some that nobody has promised yet. */
static int
copy_all(struct backup *b, struct err *err)
{
	STEP("backup-3");
	if (copy_ring(b, err) == -1 || tree_copy(&b->tree, b->queue, b->dir, "db", err) == -1 ||
	    tree_copy(&b->tree, b->queue, b->dir, "holds", err) == -1)
		return -1;
	b->tree.links = !b->copies;
	b->tree.may_vanish = true;
	b->tree.loose_in = "large";
	return tree_copy(&b->tree, b->queue, b->dir, "spool", err);
}

/* Last, so that its epoch is not below that of any id. It is small and its own check line. */
static int
copy_store(struct backup *b, struct err *err)
{
	struct tree uncounted = { 0 };
	struct ids ids;
	struct stat st;

	STEP("backup-4");
	if (fstatat(b->queue, "STORE", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(err, "STORE");
	if (tree_copy_part(&uncounted, b->queue, b->dir, "STORE", (uint64_t)st.st_size, (uint64_t)st.st_size, NULL, 0, err) == -1)
		return -1;
	if (ids_read(&ids, b->dir, err) != IDS_READ)
		return -1;
	memcpy(b->marker.store, ids.text, sizeof(b->marker.store));
	b->marker.epoch = ids.epoch;
	return 0;
}

static int
finish(struct backup *b, struct err *err)
{
	STEP("backup-6");
	if (disk_sync_system(b->dir, err) == -1)
		return -1;
	b->marker.files = b->tree.files;
	b->marker.bytes = b->tree.bytes;
	STEP("backup-7");
	return marker_write(b->dir, &b->marker, err);
}

/* --- in order ----------------------------------------------------------------------------------- */

static int
not_empty(void *arg, const char *name, struct err *err)
{
	(void)name;
	return err_set(err, "%s is not empty: a backup wants a folder of its own", (const char *)arg);
}

/* docs/SPOOL.md, backup: 1 a place for it. */
static int
open_place(struct backup *b, struct err *err)
{
	STEP("backup-1");
	if (mkdir(b->path, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "%s", b->path);
	if ((b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_sys(err, "%s", b->path);
	return tree_each(b->dir, not_empty, (void *)(uintptr_t)b->path, err);
}

static int
open_queue(struct backup *b, struct err *err)
{
	char path[PINNED_PATH_MAX + 1];

	(void)snprintf(path, sizeof(path), "%.*s", SLICE_FMT(b->pinned.directory));
	b->queue = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return b->queue == -1 ? err_sys(err, "%s", path) : 0;
}

/* What went wrong with the copy may be that nothing stood still any more: then that is the news. */
static int
let_go(struct backup *b, int copied, struct err *err)
{
	struct err said = { 0 };
	int rc;

	STEP("backup-5");
	rc = ask(b, "unpin", &said);
	if (rc != 0)
		*err = said;
	return rc != 0 ? rc : copied;
}

static int
steps(struct backup *b, int fd, struct err *err)
{
	int rc;

	if (open_place(b, err) == -1 || (b->wire = chan_sync_open(fd, "control", CONTROL_VERSION, err)) == NULL)
		return -1;
	STEP("backup-2");
	if ((rc = ask(b, "pin", err)) != 0)
		return rc;
	b->marker.time = (uint64_t)clock_wall_ms() / 1000;
	b->marker.messages = b->pinned.messages;
	rc = open_queue(b, err) == -1 || copy_all(b, err) == -1 || copy_store(b, err) == -1 ? -1 : 0;
	if ((rc = let_go(b, rc, err)) != 0)
		return rc;
	return finish(b, err);
}

int
backup(int argc, char **argv)
{
	struct backup b = { .path = argv[1], .dir = -1, .queue = -1, .copies = argc > 2 && strcmp(argv[2], "copy") == 0 };
	struct err err = { 0 };
	uint64_t fd;
	int rc = -1;

	arena_init(&b.arena, MEMORY_MAX);
	if (num_parse(slice_str(argv[0]), INT32_MAX, &fd) == -1)
		(void)err_set(&err, "no connection was passed on");
	else
		rc = steps(&b, (int)fd, &err);
	tree_show_end(&b.tree);
	if (rc == 0)
		printf("%s: %" PRIu64 " messages in %" PRIu64 " files, %" PRIu64 " MiB\n", b.path, b.marker.messages, b.marker.files,
		    (b.tree.bytes + b.tree.loose) >> 20);
	else
		(void)fprintf(stderr, "posthorn: no backup in %s: %s\n", b.path, err.text);
	chan_sync_close(&b.wire);
	fd_close(&b.queue);
	fd_close(&b.dir);
	arena_fini(&b.arena);
	return rc == 0 ? EX_OK : rc == 1 ? EX_TEMPFAIL : EX_IOERR;
}
