/*
 * census — see census.h.
 */
#include "queue/archive/census.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "queue/archive/tree.h"
#include "queue/queue.h"
#include "queue/store/catalog.h"
#include "queue/store/disk.h"
#include "queue/store/ids.h"
#include "queue/store/recover.h"
#include "queue/store/replay.h"
#include "queue/store/spool.h"
#include "wire/fields.h"

#define PAGE		256u
#define FILE_MOST	(2u * 1024 * 1024)
#define ESCAPED_MAX	(4 * ADDRESS_FIELD_MAX + 1)

struct copying {
	struct tree	tree;
	int		from, to;
};

struct counting {
	struct census	*census;
	struct book	*book;
	int		 dir;
	struct ring	 ring;
	struct ring_found *found;
	struct recovery	 recovery;
	struct catalog	*catalog;
	struct spool	 spool;
	struct buf	 bytes;		/* the file in hand */
	char		 copy[PATH_MAX];	/* of the catalog; "": none */
};

/* --- a message into the book -------------------------------------------------------------------- */

static enum share
share_of(const struct fate *fate)
{
	static const enum share shares[ACTION_COUNT] = {
		[ACTION_NONE] = SHARE_QUEUED, [ACTION_DELAYED] = SHARE_QUEUED, [ACTION_UNKNOWN] = SHARE_QUEUED,
		[ACTION_DELIVERED] = SHARE_DELIVERED, [ACTION_RELAYED] = SHARE_DELIVERED, [ACTION_EXPANDED] = SHARE_EXPANDED,
		[ACTION_FAILED] = SHARE_BOUNCED,
	};

	return shares[fate->last.action];
}

static int
enter_recipient(struct counting *c, struct leaf *l, const struct recipient *r)
{
	char address[ESCAPED_MAX], original[ESCAPED_MAX];
	struct slice to = slice_str(fmt_shown(address, sizeof(address), r->address));
	struct holder *h = book_holder(c->book, l, to,
	    slice_str(fmt_shown(original, sizeof(original), slice_eq(r->address, r->original) ? slice_of("", 0) : r->original)));

	if (h == NULL)
		return -1;
	h->disk = share_of(&r->fate);
	h->owed = (r->fate.flags & FATE_OWED) != 0;
	h->unwanted = h->unwanted || !notify_wants(r->notify, NOTIFY_FAILURE);
	return h->disk == SHARE_BOUNCED ? book_bounced(c->book, h, to) : 0;
}

/* A damaged one has nobody: those whose end is not in the log are missing. */
static int
enter(struct counting *c, const struct message *m, const char *damage, struct err *err)
{
	struct leaf *l = book_leaf(c->book, m->id);

	if (l == NULL)
		return err_memory(err, "no memory");
	l->on_disk = true;
	l->damage = damage;
	l->came_ms = m->envelope.arrival_ms;
	l->from_nobody = message_is_bounce(m);
	if (l->recipients == 0)
		l->recipients = m->envelope.count;
	for (uint32_t i = 0; damage == NULL && i < m->envelope.count; i++)
		if (enter_recipient(c, l, &m->envelope.recipients[i]) == -1)
			return err_memory(err, "no memory");
	return 0;
}

/* 1: a state of it cannot be read. */
static int
apply_states(struct message *m, const struct entry *e, uint32_t above, struct err *err)
{
	struct reader r;
	char *bytes;
	int rc = 0;

	for (const struct delta *d = e == NULL ? NULL : e->deltas; d != NULL && rc == 0; d = d->next) {
		if (d->version <= above)
			continue;
		if ((bytes = mem_alloc(d->length + 1u)) == NULL)
			return err_memory(err, "no memory");
		rc = disk_read(d->segment->fd, bytes, d->length, d->offset, err);
		r = reader_of(slice_of(bytes, d->length));
		if (rc == 0 && message_apply_delta(m, &r) == -1)
			rc = 1;
		mem_free(bytes);
	}
	return rc;
}

static int
count_message(struct counting *c, const struct store_put *put, const struct entry *e, const char *damage, struct err *err)
{
	struct message *m = queue_read(put);
	struct leaf *l;
	int rc;

	if (m == NULL) {
		l = book_leaf(c->book, put->id);
		if (l == NULL)
			return err_memory(err, "no memory");
		l->on_disk = true;
		l->damage = "its envelope cannot be read";
		return 0;
	}
	rc = apply_states(m, e, put->version, err);
	if (rc != -1)
		rc = enter(c, m, rc == 1 ? "a state of it cannot be read" : damage, err);
	message_free(&m);
	return rc;
}

/* A content of its own: is it there, as long as it was? */
static const char *
large_damage(const struct counting *c, uint64_t id, uint64_t size)
{
	char path[64], name[QUEUE_ID_LEN + 1];
	struct stat st;

	snprintf(path, sizeof(path), "spool/large/%s", queue_id_print(id, name));
	if (fstatat(c->dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return "the file of its content is missing";
	return (uint64_t)st.st_size == size ? NULL : "the file of its content has another size";
}

/* --- the ring ----------------------------------------------------------------------------------- */

static int
count_put(struct counting *c, const struct entry *e, struct err *err)
{
	char *bytes = mem_alloc(e->length + 1u);
	struct slice rest = slice_of(bytes, e->length);
	struct store_put put = { .id = e->id };
	const char *damage = NULL;
	struct record r;
	bool whole;
	int rc;

	if (bytes == NULL)
		return err_memory(err, "no memory");
	rc = disk_read(e->segment->fd, bytes, e->length, e->offset, err);
	if (rc == 0 && (record_take(&rest, &r, true, &whole) == -1 || r.type != RECORD_PUT || r.id != e->id))
		rc = err_set(err, "journal/%03u.seg changed while it was read", e->segment->number);
	if (rc == 0) {
		put.version = r.version;
		put.envelope = r.envelope;
		damage = r.large ? large_damage(c, e->id, r.content_size) : whole ? NULL : "its record in the ring fails its checksum";
		rc = count_message(c, &put, e, damage, err);
		c->census->ring++;
	}
	mem_free(bytes);
	return rc;
}

/* What the catalog has, too, is the catalog's. */
static int
count_ring(struct counting *c, struct err *err)
{
	struct recovery *rec = &c->recovery;
	struct catalog_record r;

	for (struct entry *e = rec->index.all; e != NULL; e = e->next) {
		if (e->done)
			continue;
		switch (catalog_get(c->catalog, e->id, &r, err)) {
		case CATALOG_FOUND:
			e->catalogued = spool_holds(&c->spool, r.folder, r.id) || e->segment == NULL ||
			    e->segment->sequence < rec->scan.dead_below;
			break;
		case CATALOG_ABSENT:
			break;
		default:
			return -1;
		}
		if (entry_is_live(rec, e) && count_put(c, e, err) == -1)
			return -1;
	}
	return 0;
}

static int
read_ring(struct counting *c, struct err *err)
{
	struct ids ids;
	const struct region *r;

	if (ids_read(&ids, c->dir, err) != IDS_READ)
		return -1;
	if (ring_look(&c->ring, c->dir, ids.store, &c->found, err) == -1 ||
	    recover_scan(&c->recovery, &c->ring, c->found, err) == -1)
		return -1;
	for (size_t i = 0; i < c->recovery.scan.n; i++) {
		r = &c->recovery.scan.v[i];
		c->census->damaged += r->verdict == BATCH_BAD_RECORDS || (r->verdict != BATCH_WHOLE && !r->tail);
	}
	return 0;
}

/* --- spool and catalog -------------------------------------------------------------------------- */

static const char *
spool_damage(struct counting *c, uint64_t folder, uint64_t id)
{
	struct record r;
	struct err err;

	if (!spool_holds(&c->spool, folder, id))
		return "its file in the spool is missing";
	if (spool_read(&c->spool, folder, id, &c->bytes, &r, &err) != 0)
		return "its file in the spool is damaged";
	return r.large ? large_damage(c, id, r.content_size) : NULL;
}

/* One that the ring has as finished is only not forgotten yet; one that the ring has whole was counted there. */
static int
count_record(struct counting *c, uint64_t id, struct err *err)
{
	const struct entry *e = index_find(&c->recovery.index, id);
	struct catalog_record r;

	if (e != NULL && (e->done || !e->catalogued) && (e->done || entry_is_live(&c->recovery, e)))
		return 0;
	if (catalog_get(c->catalog, id, &r, err) != CATALOG_FOUND)
		return -1;
	c->census->spool++;
	return count_message(c, &(struct store_put){ .id = id, .version = r.version, .envelope = r.envelope }, e,
	    spool_damage(c, r.folder, id), err);
}

static int
count_catalog(struct counting *c, struct err *err)
{
	uint64_t ids[PAGE], after = 0;
	struct catalog_ids page;

	do {
		page = (struct catalog_ids){ .ids = ids, .count = PAGE };
		if (catalog_walk(c->catalog, slice_of("", 0), after, &page, err) == -1)
			return -1;
		for (uint32_t i = 0; i < page.count; i++)
			if (count_record(c, ids[i], err) == -1)
				return -1;
		if (page.count > 0)
			after = ids[page.count - 1];
	} while (page.count == PAGE);
	return 0;
}

/* A file without a record is a leftover if the ring knows its message. Any other the next start takes back (docs/SPOOL.md, hunt). */
static int
count_file(void *arg, uint64_t folder, uint64_t id, struct err *err)
{
	struct counting *c = arg;
	const struct entry *e = index_find(&c->recovery.index, id);
	struct catalog_record found;
	struct record r;

	if (catalog_get(c->catalog, id, &found, err) != CATALOG_ABSENT || (e != NULL && (e->done || entry_is_live(&c->recovery, e))))
		return 0;
	if (spool_read(&c->spool, folder, id, &c->bytes, &r, err) != 0)
		return 0;		/* the next start sets it aside */
	c->census->spool++;
	return count_message(c, &(struct store_put){ .id = id, .version = r.version, .envelope = r.envelope }, e,
	    r.large ? large_damage(c, id, r.content_size) : NULL, err);
}

/* --- a copy of the catalog ---------------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* libdb obeys other files (DB_CONFIG), which are nobody's business here. */
static int
copy_one(void *arg, const char *name, struct err *err)
{
	struct copying *c = arg;
	struct stat st;

	if (strcmp(name, "catalog.db") != 0 && strncmp(name, "log.", 4) != 0)
		return 0;
	if (fstatat(c->from, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(err, "db/%s", name);
	return tree_copy_part(&c->tree, c->from, c->to, name, (uint64_t)st.st_size, (uint64_t)st.st_size, NULL, 0, err);
}

static int
copy_catalog(int queue_dir, int to, struct err *err)
{
	struct copying c = { .from = disk_open(queue_dir, "db", O_RDONLY | O_DIRECTORY, err), .to = -1 };
	int rc = -1;

	if (c.from != -1 && (c.to = tree_make_folder(&c.tree, to, "db", err)) != -1)
		rc = tree_each(c.from, copy_one, &c, err);
	fd_close(&c.from);
	fd_close(&c.to);
	return rc;
}

static int
open_catalog(struct counting *c, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX + 4];
	int to, rc;

	snprintf(c->copy, sizeof(c->copy), "%s/posthorn-audit-XXXXXX", tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
	if (mkdtemp(c->copy) == NULL) {
		err_sys(err, "a folder for a copy of the catalog, %s", c->copy);
		c->copy[0] = '\0';
		return -1;
	}
	if ((to = open(c->copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_sys(err, "%s", c->copy);
	rc = copy_catalog(c->dir, to, err);
	fd_close(&to);
	snprintf(path, sizeof(path), "%s/db", c->copy);
	return rc == -1 ? -1 : catalog_open(&c->catalog, path, err);
}

/* --- in order ----------------------------------------------------------------------------------- */

/* No folder is of this start: all of them are looked at. */
static int
count_all(struct counting *c, struct err *err)
{
	if (read_ring(c, err) == -1 || open_catalog(c, err) == -1 || spool_open(&c->spool, c->dir, UINT32_MAX, err) == -1)
		return -1;
	if (count_ring(c, err) == -1 || count_catalog(c, err) == -1)
		return -1;
	return spool_walk(&c->spool, count_file, c, err);
}

int
census_take(struct census *out, int queue_dir, struct book *book, struct err *err)
{
	struct counting c = { .census = out, .book = book, .dir = queue_dir, .ring = { .dir = -1 }, .spool = { .dir = -1 } };
	int rc;

	*out = (struct census){ 0 };
	for (uint32_t i = 0; i < SPOOL_CACHE; i++)
		c.spool.folders[i].fd = -1;
	buf_init(&c.bytes, FILE_MOST);
	index_init(&c.recovery.index);
	rc = count_all(&c, err);
	index_fini(&c.recovery.index);
	scan_fini(&c.recovery.scan);
	mem_free(c.found);
	if (c.ring.v != NULL)
		ring_close(&c.ring);
	catalog_close(&c.catalog);
	spool_close(&c.spool);
	buf_fini(&c.bytes);
	if (c.copy[0] != '\0')
		(void)nftw(c.copy, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
