/*
 * replay — see replay.h. Messages come in the order of their newest PUTs, so that each segment
 * is read once.
 */
#include "queue/store/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/queue_id.h"
#include "queue/store/corrupt.h"
#include "queue/store/inside.h"

bool
entry_is_live(const struct recovery *rec, const struct entry *e)
{
	return !e->done && !e->catalogued && e->segment != NULL && e->segment->sequence >= rec->scan.dead_below;
}

static int
by_place(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	if (x->segment != y->segment)
		return x->segment->sequence < y->segment->sequence ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Cannot be served: kept in corrupt/, and finished in the ring once the committer runs. */
static int
set_message_aside(struct store *store, struct stored *s, struct slice put, const char *reason, struct err *err)
{
	char name[64], id[QUEUE_ID_LEN + 1];

	snprintf(name, sizeof(name), "message-%s", queue_id_print(s->id, id));
	log_error("message %s: %s; it goes to corrupt/%s", id, reason, name);
	store->figures.damaged++;
	s->owner = NULL;
	if (corrupt_set_aside(store->dir, name, put, reason, err) == -1)
		return -1;
	if (store->condemned == NULL && (store->condemned = change_make(store, CHANGE_OWNER, STORE_DONE)) == NULL)
		return err_memory(err, "no memory");
	/* More than one change holds: the rest is set aside again at the next start. */
	(void)change_done(store->condemned, s);
	return 0;
}

/* Is the content's own file there? Only a plain "no such file" is a no: any other error is
 * trouble of today. */
static int
large_trouble(struct store *store, const struct record *r, const char **trouble, struct err *err)
{
	uint64_t size = 0;

	*trouble = NULL;
	if (!r->large)
		return 0;
	if (large_size(&store->large, r->id, &size, err) == 0)
		*trouble = size == r->content_size ? NULL : "the file of its content has another size";
	else if (err->code == ENOENT)
		*trouble = "the file of its content is missing";
	else
		return err_wrap(err, "spool/large");
	return 0;
}

/* The states above a version. 1: the owner cannot read one. */
static int
show_deltas(struct store *store, struct stored *s, const struct entry *e, uint32_t above, struct err *err)
{
	char *bytes;
	int rc = 0;

	for (const struct delta *d = e->deltas; d != NULL && rc == 0; d = d->next) {
		if (d->version <= above)
			continue;
		if ((bytes = mem_alloc(d->length + 1u)) == NULL)
			return err_memory(err, "no memory");
		rc = disk_read(d->segment->fd, bytes, d->length, d->offset, err);
		if (rc == 0 && store->ops->delta(store->arg, s->owner, d->version, slice_of(bytes, d->length)) == -1)
			rc = 1;
		mem_free(bytes);
		s->version = d->version;
	}
	return rc;
}

static int
show_message(struct store *store, struct stored *s, const struct entry *e, const struct record *r, struct slice put,
    struct err *err)
{
	struct store_put found = { .id = r->id, .version = r->version, .envelope = r->envelope, .content = r->content,
	    .large = r->large, .large_size = r->large ? r->content_size : 0, .large_crc = r->large ? r->content_crc : 0 };
	const char *trouble;
	int rc;

	if (large_trouble(store, r, &trouble, err) == -1)
		return -1;
	if (trouble != NULL)
		return set_message_aside(store, s, put, trouble, err);
	if ((s->owner = store->ops->found(store->arg, s, &found)) == NULL)
		return err_memory(err, "no memory for the messages of the ring");
	if (s->owner == STORE_UNREADABLE)
		return set_message_aside(store, s, put, "its envelope cannot be read", err);
	rc = show_deltas(store, s, e, e->version, err);
	if (rc == 1)
		rc = set_message_aside(store, s, put, "a state of it cannot be read", err);
	store->figures.recovered++;
	return rc;
}

static int
replay_entry(struct store *store, struct recovery *rec, const struct entry *e, struct err *err)
{
	struct slice put = slice_of(rec->scan.buffer + e->offset, e->length), bytes = put;
	struct record record;
	struct stored *s;
	bool whole;

	if (record_take(&bytes, &record, false, &whole) == -1 || !whole || record.type != RECORD_PUT || record.id != e->id)
		return err_set(err, "journal/%03u.seg changed while it was read", e->segment->number);
	if ((s = stored_new(store)) == NULL)
		return err_memory(err, "no memory for the messages of the ring");
	s->id = e->id;
	s->version = record.version;
	stored_settle(store, s, e->segment, &record, e->offset);
	return show_message(store, s, e, &record, put, err);
}

static int
replay_in_order(struct store *store, struct recovery *rec, struct entry **v, size_t n, struct err *err)
{
	const struct segment *loaded = NULL;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->segment != loaded && scan_load(&rec->scan, v[i]->segment, err) == -1)
			return -1;
		loaded = v[i]->segment;
		if (replay_entry(store, rec, v[i], err) == -1)
			return -1;
	}
	return 0;
}

/* --- what the catalog has, too ------------------------------------------------------------------ */

static const struct delta *
first_above(const struct entry *e, uint32_t version)
{
	const struct delta *d = e->deltas;

	while (d != NULL && d->version <= version)
		d = d->next;
	return d;
}

/* Awake from the start: it has states that the catalog does not know. */
static int
show_spooled(struct store *store, struct stored *s, const struct entry *e, const struct catalog_record *r, struct err *err)
{
	struct store_put found = { .id = r->id, .version = r->version, .envelope = r->envelope, .content = slice_of("", 0),
	    .large = r->large, .large_size = r->large ? r->size : 0, .large_crc = r->large ? r->crc : 0, .maybe = r->maybe,
	    .held = r->held };
	int rc;

	if ((s->owner = store->ops->found(store->arg, s, &found)) == NULL)
		return err_memory(err, "no memory for the messages of the spool");
	if (s->owner == STORE_UNREADABLE)
		return set_message_aside(store, s, r->envelope, "its envelope cannot be read", err);
	rc = show_deltas(store, s, e, r->version, err);
	if (rc == 1)
		rc = set_message_aside(store, s, r->envelope, "a state of it cannot be read", err);
	store->figures.recovered++;
	return rc;
}

/* Finished, or with newer states: it keeps the segment that says so until the catalog knows. */
static int
resurface(struct store *store, struct entry *e, const struct catalog_record *r, struct err *err)
{
	const struct delta *news = first_above(e, r->version);
	struct stored *s;

	e->catalogued = true;
	if (!e->done && news == NULL)
		return 0;		/* it sleeps on */
	if ((s = evacuation_resurface(store, r)) == NULL || idset_add(&store->evacuator.lent, r->id) == -1)
		return err_memory(err, "no memory for the messages of the spool");
	stored_join(s, e->done ? e->done_in : news->segment);
	if (!e->done)
		return show_spooled(store, s, e, r, err);
	s->flags |= STORED_DEAD;
	return 0;
}

/* A record whose file is not there was never told: the ring's PUT counts, and the record goes. */
static int
drop_record(struct store *store, uint64_t id, struct err *err)
{
	struct catalog *c = store->evacuator.catalog;

	if (catalog_begin(c, err) == -1)
		return -1;
	if (catalog_forget(c, id, err) == 0)
		return catalog_commit(c, 0, err);
	catalog_abort(c);
	return -1;
}

static int
ask_catalog(struct store *store, const struct recovery *rec, struct entry *e, struct err *err)
{
	struct evacuator *v = &store->evacuator;
	struct catalog_record r;

	switch (catalog_get(v->catalog, e->id, &r, err)) {
	case CATALOG_ABSENT:
		return 0;
	case CATALOG_FOUND:
		break;
	default:
		/* Set aside, so that the next start makes it anew instead of failing again. */
		evacuator_doubt_catalog(v, err);
		return -1;
	}
	if (!e->done && e->segment != NULL && e->segment->sequence >= rec->scan.dead_below && !spool_holds(&v->spool, r.folder, r.id))
		return drop_record(store, e->id, err);
	return resurface(store, e, &r, err);
}

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* In the order of ids, as the catalog lies. */
static int
ask_catalog_of_all(struct store *store, struct recovery *rec, struct entry **v, struct err *err)
{
	size_t n = 0;

	if (!store->evacuation.able)
		return 0;
	for (struct entry *e = rec->index.all; e != NULL; e = e->next)
		v[n++] = e;
	qsort(v, n, sizeof(*v), by_id);
	for (size_t i = 0; i < n; i++)
		if (ask_catalog(store, rec, v[i], err) == -1)
			return -1;
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------- */

int
replay(struct store *store, struct recovery *rec, struct err *err)
{
	struct entry **v = mem_array(rec->index.count + 1, sizeof(*v));
	size_t n = 0, orphans = 0;
	int rc;

	if (v == NULL)
		return err_memory(err, "no memory");
	if (ask_catalog_of_all(store, rec, v, err) == -1) {
		mem_free(v);
		return -1;
	}
	for (struct entry *e = rec->index.all; e != NULL; e = e->next) {
		if (entry_is_live(rec, e))
			v[n++] = e;
		else if (!e->done && !e->catalogued && e->segment == NULL)
			orphans++;
	}
	if (orphans > 0) {
		log_error("the ring holds states of %zu messages that nobody holds: they were damaged", orphans);
		store->figures.damaged++;
	}
	qsort(v, n, sizeof(*v), by_place);
	rc = replay_in_order(store, rec, v, n, err);
	mem_free(v);
	return rc;
}
