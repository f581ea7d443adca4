/*
 * order — see order.h; the steps are those of docs/SPOOL.md, evacuate and forget.
 */
#include "queue/store/order.h"

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"
#include "queue/store/disk.h"
#include "queue/store/evacuator.h"
#include "queue/store/large.h"

struct order *
order_new(enum order_kind kind, struct stored *stored, size_t bytes)
{
	struct order *o = mem_alloc(sizeof(*o) + bytes);

	if (o != NULL)
		*o = (struct order){ .kind = kind, .stored = stored, .ring_fd = -1, .file = { .fd = -1 } };
	return o;
}

void
order_free(struct order *o)
{
	mem_free(o);
}

/* The content as the ring has it, into the scratch buffer. 1: it fails its checksum. */
static int
read_from_ring(struct evacuator *e, const struct order *o, struct slice *content, struct err *err)
{
	char *room;

	*content = slice_of("", 0);
	if (o->record.large)
		return 0;
	buf_reset(&e->scratch);
	if ((room = buf_room(&e->scratch, (size_t)o->record.size + 1)) == NULL)
		return err_memory(err, "no memory");
	if (disk_read(o->ring_fd, room, (size_t)o->record.size, o->ring_at, err) == -1)
		return -1;
	*content = slice_of(room, (size_t)o->record.size);
	return crc32c(0, content->p, content->len) == o->record.crc ? 0 : 1;
}

static int
write_file(struct evacuator *e, struct order *o, struct err *err)
{
	struct record r = { .type = RECORD_PUT, .large = o->record.large, .id = o->record.id, .version = o->record.version,
	    .envelope = o->record.envelope, .content_size = o->record.size, .content_crc = o->record.crc };
	int rc = read_from_ring(e, o, &r.content, err);

	/* One that cannot be read does not keep the others. */
	if (rc != 0) {
		o->result = rc == 1 ? ORDER_DAMAGED : ORDER_NOT_DONE;
		if (rc == -1)
			evacuator_put_off(e, err);
		return 0;
	}
	if (spool_write(&e->spool, &r, &o->file, err) == -1)
		return -1;
	o->record.folder = o->file.folder;
	o->record.place = o->file.place;
	return 0;
}

static void
remove_files(struct evacuator *e, struct order_list *round)
{
	struct order *o;

	STAILQ_FOREACH(o, round, next)
		if (o->kind == ORDER_SPOOL && o->file.id != 0) {
			fd_close(&o->file.fd);
			(void)spool_remove(&e->spool, o->record.folder, o->record.id, NULL);
		}
}

static int
sync_files(struct evacuator *e, struct order_list *round, struct err *err)
{
	struct spool_file files[SPOOL_ROUND];
	uint32_t n = 0;
	struct order *o;

	STAILQ_FOREACH(o, round, next)
		if (o->kind == ORDER_SPOOL && o->file.fd != -1) {
			files[n++] = o->file;
			o->file.fd = -1;
		}
	return n > 0 ? spool_sync(&e->spool, files, n, err) : 0;
}

/* Files and their folders, durable; not more open at a time than spool_sync takes. */
static int
spool_round(struct evacuator *e, struct order_list *round, struct err *err)
{
	uint32_t open = 0;
	struct order *o;

	STAILQ_FOREACH(o, round, next) {
		if (o->kind != ORDER_SPOOL)
			continue;
		if (idset_add(&e->lent, o->record.id) == -1)
			return err_memory(err, "no memory");
		if (write_file(e, o, err) == -1)
			return -1;
		if (++open == SPOOL_ROUND) {
			if (sync_files(e, round, err) == -1)
				return -1;
			open = 0;
		}
	}
	return sync_files(e, round, err);
}

/* What is held is known beside the catalog before the catalog says so. */
static int
note_holds(struct evacuator *e, struct order_list *round, struct err *err)
{
	struct order *o;

	STAILQ_FOREACH(o, round, next)
		if (o->result == ORDER_NONE_YET &&
		    holds_note(&e->holds, o->record.id, o->kind != ORDER_FORGET && plan_holds(o->plan)) == -1)
			return err_memory(err, "no memory for the holds");
	return holds_sync(&e->holds, err);
}

static int
catalog_change(struct evacuator *e, struct order *o, struct err *err)
{
	switch (o->kind) {
	case ORDER_SPOOL:
		return o->result != ORDER_NONE_YET ? 0 : catalog_put(e->catalog, &o->record, o->plan, err);
	case ORDER_UPDATE:
		return catalog_put(e->catalog, &o->record, o->plan, err);
	default:
		return catalog_forget(e->catalog, o->record.id, err);
	}
}

/* docs/SPOOL.md, evacuate: 4 one transaction; 5 it is flushed. */
static int
catalog_round(struct evacuator *e, struct order_list *round, int64_t clock_ms, struct err *err)
{
	struct order *o;

	if (catalog_begin(e->catalog, err) == -1)
		return -1;
	STAILQ_FOREACH(o, round, next)
		if (catalog_change(e, o, err) == -1) {
			catalog_abort(e->catalog);
			return -1;
		}
	STEP("evacuate-4");
	if (catalog_commit(e->catalog, clock_ms, err) == -1)
		return -1;
	STEP("evacuate-5");
	return 0;
}

/* docs/SPOOL.md, forget: 1 the record is gone for good; 2 the files are unlinked; 3 that is durable, and the
 * DONE may leave the ring. */
static int
forget_files(struct evacuator *e, struct order_list *round, struct err *err)
{
	struct order *o;

	STAILQ_FOREACH(o, round, next) {
		STEP("forget-1");
		if (spool_remove(&e->spool, o->record.folder, o->record.id, err) == -1 ||
		    (o->record.large && large_remove(e->large, o->record.id, err) == -1))
			return -1;
	}
	STEP("forget-2");
	if (spool_settle(&e->spool, err) == -1)
		return -1;
	STEP("forget-3");
	return 0;
}

/* Files that no transaction has named are nobody's. */
static void
change_round(struct evacuator *e, struct order_list *round, int64_t clock_ms)
{
	struct err err = { 0 };
	struct order *o;
	bool good = false;

	if (STAILQ_EMPTY(round))
		return;
	if (spool_round(e, round, &err) == -1 || note_holds(e, round, &err) == -1)
		evacuator_put_off(e, &err);
	else if (catalog_round(e, round, clock_ms, &err) == -1)
		evacuator_doubt_catalog(e, &err);
	else
		good = true;
	if (!good)
		remove_files(e, round);
	STAILQ_FOREACH(o, round, next) {
		if (good && o->result == ORDER_NONE_YET)
			o->result = ORDER_DONE;
		else if (o->result == ORDER_NONE_YET)
			o->result = ORDER_NOT_DONE;
		if (o->kind == ORDER_SPOOL && o->result != ORDER_DONE)
			idset_remove(&e->lent, o->record.id);
	}
}

/* Apart from the others: on a full disk this is what makes room. Its steps may be repeated. */
static void
forget_round(struct evacuator *e, struct order_list *round, int64_t clock_ms)
{
	struct err err = { 0 };
	struct order *o;
	bool good = false;

	if (STAILQ_EMPTY(round))
		return;
	if (catalog_round(e, round, clock_ms, &err) == -1)
		evacuator_doubt_catalog(e, &err);
	else if (forget_files(e, round, &err) == -1)
		evacuator_put_off(e, &err);
	else
		good = true;
	(void)note_holds(e, round, &err);	/* that one says too much does no harm */
	STAILQ_FOREACH(o, round, next) {
		o->result = good ? ORDER_DONE : ORDER_NOT_DONE;
		if (good)
			idset_remove(&e->lent, o->record.id);
	}
}

void
order_round(struct evacuator *e, struct order_list *orders, int64_t clock_ms)
{
	struct order_list changes = STAILQ_HEAD_INITIALIZER(changes), forgets = STAILQ_HEAD_INITIALIZER(forgets);
	struct order *o;

	while ((o = STAILQ_FIRST(orders)) != NULL) {
		STAILQ_REMOVE_HEAD(orders, next);
		if (o->kind == ORDER_FORGET)
			STAILQ_INSERT_TAIL(&forgets, o, next);
		else
			STAILQ_INSERT_TAIL(&changes, o, next);
	}
	change_round(e, &changes, clock_ms);
	forget_round(e, &forgets, clock_ms);
	STAILQ_CONCAT(orders, &changes);
	STAILQ_CONCAT(orders, &forgets);
}
