/*
 * hunt — see hunt.h; the steps are those of docs/SPOOL.md, hunt.
 */
#include "queue/store/hunt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compare.h"
#include "base/mem.h"
#include "mail/queue_id.h"
#include "queue/store/corrupt.h"
#include "queue/store/disk.h"
#include "queue/store/holds.h"
#include "queue/store/post.h"

#define TOGETHER	256u		/* adopted in one transaction */
#define EVERY		64u		/* files between two calls of `between` */
#define FILE_MAX	(2u * 1024 * 1024)

void
hunt_init(struct hunt *h, struct catalog *catalog, struct spool *spool, struct holds *holds, struct post *post, int queue_dir)
{
	*h = (struct hunt){ .catalog = catalog, .spool = spool, .holds = holds, .post = post, .queue_dir = queue_dir };
	buf_init(&h->bytes, FILE_MAX);
}

void
hunt_fini(struct hunt *h)
{
	buf_fini(&h->bytes);
	mem_free(h->ids);
	h->ids = NULL;
	h->count = 0;
}

static bool
ring_knows(const struct hunt *h, uint64_t id)
{
	return h->count > 0 && bsearch(&id, h->ids, h->count, sizeof(id), compare_u64) != NULL;
}

static int
catalog_failed(struct hunt *h)
{
	h->catalog_failed = true;
	return -1;
}

static int
commit(struct hunt *h, struct err *err)
{
	if (h->uncommitted == 0)
		return 0;
	h->uncommitted = 0;
	/* Without a time: until a rebuild has ended, the catalog counts as lost. */
	return catalog_commit(h->catalog, 0, err) == -1 ? catalog_failed(h) : 0;
}

/* A large content without a record is nobody's; it is kept beside what is left of the record. */
static int
content_aside(struct hunt *h, const char *id, struct err *err)
{
	char from[64], to[64];

	snprintf(from, sizeof(from), "spool/large/%s", id);
	snprintf(to, sizeof(to), "corrupt/content-%s", id);
	return disk_rename(h->queue_dir, from, to, err) == -1 && err->code != ENOENT ? -1 : 0;
}

static int
set_aside(struct hunt *h, uint64_t folder, uint64_t id, struct err *err)
{
	char name[64], printed[QUEUE_ID_LEN + 1];

	snprintf(name, sizeof(name), "spool-%s", queue_id_print(id, printed));
	post_say(h->post, LOG_LEVEL_ERROR, "spool: the file of message %s is damaged; it goes to corrupt/%s", printed, name);
	if (corrupt_set_aside(h->queue_dir, name, buf_slice(&h->bytes), "a file of the spool fails its checksum", err) == -1)
		return -1;
	if (folder == SPOOL_LARGE && content_aside(h, printed, err) == -1)
		return -1;
	return spool_remove(h->spool, folder, id, err);
}

/* Back into the catalog. Its way is not known here: the destination without a name is asked first. */
static int
adopt(struct hunt *h, uint64_t folder, uint64_t id, struct err *err)
{
	struct record r;
	struct plan plan;
	int rc = spool_read(h->spool, folder, id, &h->bytes, &r, err);

	if (rc == -1)
		post_say(h->post, LOG_LEVEL_ERROR, "spool: a file without a record cannot be read, and stays: %s", err->text);
	if (rc != 0)
		return rc == 1 ? set_aside(h, folder, id, err) : 0;
	if (h->uncommitted == 0 && catalog_begin(h->catalog, err) == -1)
		return catalog_failed(h);
	h->uncommitted++;
	plan_init(&plan);
	plan_row(&plan, slice_of("", 0), PLAN_MAIL, 0);
	rc = plan_failed(&plan) ? err_memory(err, "no memory") : catalog_put(h->catalog, &(struct catalog_record){ .id = id,
	    .version = r.version, .large = r.large, .maybe = true, .held = holds_has(h->holds, id), .folder = folder,
	    .place = (uint32_t)(RECORD_PUT_HEAD + r.envelope.len), .crc = r.content_crc, .size = r.content_size,
	    .envelope = r.envelope }, plan_slice(&plan), err);
	plan_fini(&plan);
	if (rc == -1)
		return catalog_failed(h);
	h->adopted++;
	return h->uncommitted >= TOGETHER ? commit(h, err) : 0;
}

/* 1 ends the walk without an error. */
static int
each_file(void *arg, uint64_t folder, uint64_t id, struct err *err)
{
	struct hunt *h = arg;
	struct catalog_record r;
	enum catalog_found found;

	/* Others use the catalog in between: nothing may be half done. */
	if (++h->seen % EVERY == 0 && h->between != NULL) {
		if (commit(h, err) == -1)
			return -1;
		if (!h->between(h->arg)) {
			h->stopped = true;
			return 1;
		}
	}
	found = catalog_get(h->catalog, id, &r, err);
	if (found == CATALOG_FAILED)
		return catalog_failed(h);
	if (found == CATALOG_FOUND && r.folder == folder)
		return 0;
	if (found == CATALOG_ABSENT && !ring_knows(h, id))
		return adopt(h, folder, id, err);
	STEP("hunt-1");
	h->removed++;
	return spool_remove(h->spool, folder, id, err);
}

int
hunt_run(struct hunt *h, struct err *err)
{
	h->seen = h->removed = h->adopted = h->uncommitted = 0;
	h->stopped = h->catalog_failed = false;
	if (spool_walk(h->spool, each_file, h, err) == -1) {
		if (h->uncommitted > 0)
			catalog_abort(h->catalog);
		return -1;
	}
	if (commit(h, err) == -1 || spool_settle(h->spool, err) == -1)
		return -1;
	if (h->removed > 0)
		post_say(h->post, LOG_LEVEL_WARN, "spool: %" PRIu32 " leftover files of earlier starts removed", h->removed);
	if (h->adopted > 0)
		post_say(h->post, LOG_LEVEL_ERROR, "spool: %" PRIu32 " messages had no record in the catalog and have one again;"
		    " some of their recipients may get a second copy", h->adopted);
	return 0;
}
