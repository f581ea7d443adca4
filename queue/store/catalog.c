/*
 * catalog — see catalog.h.
 *
 * Keys are big-endian, so that the order of bytes is the order of numbers:
 *
 *	records		id (8)					-> record
 *	index		'd' destination (4) priority (1) due (8) id (8)
 *			'l' time (8) id (8)
 *			'm' domain NUL id (8)
 *	destinations	number (4)				-> messages (8) earliest (8) name
 *	meta		"totals"				-> messages (8) bytes (8) clock (8) commits (4)
 *
 * A record keeps its plan, so that its rows are found again when it is replaced or forgotten.
 */
#include "queue/store/catalog.h"

#include "base/compare.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/store/bytes.h"
#include "queue/store/places.h"

#define RECORD_HEAD_SIZE	48u	/* at rest; crc32c of the rest comes last of it */
#define RECORD_VERSION		1
#define RECORD_BYTES_MAX	(16u * 1024 * 1024)
#define TOTALS_SIZE		28u
#define INDEX_KEY_MAX		(1 + PLAN_NAME_MAX + 1 + 8)

enum { RECORD_LARGE = 1, RECORD_MAYBE = 2, RECORD_HELD = 4 };

struct catalog {
	struct database	 db;
	DBT		 got;		/* the last record that was read */
	struct buf	 scratch;
	struct places	 places;
	struct catalog_totals totals;
	uint32_t	 floor;		/* commits of the catalog before this one */
	bool		 stale;		/* an abort could not read them again: nothing may be numbered or counted before */
};

/* As the disk has it: at the start, and after a transaction that came to nothing. */
static int
load(struct catalog *c, struct err *err)
{
	const unsigned char *v;
	int rc;

	c->totals = (struct catalog_totals){ 0 };
	if (places_load(&c->places, err) == -1 ||
	    (rc = database_get(&c->db, TABLE_META, SLICE_LIT("totals"), &c->got, err)) == -1)
		return -1;
	if (rc == 0 && c->got.size == TOTALS_SIZE) {
		v = c->got.data;
		c->totals = (struct catalog_totals){ .messages = bytes_get_big(v, 8), .bytes = bytes_get_big(v + 8, 8),
		    .clock_ms = (int64_t)(bytes_get_big(v + 16, 8) & INT64_MAX), .commits = (uint32_t)bytes_get_big(v + 24, 4) };
	}
	return 0;
}

/* --- opening ------------------------------------------------------------------------------------ */

int
catalog_open(struct catalog **cp, const char *path, struct err *err)
{
	struct catalog *c = mem_zalloc(sizeof(*c));

	*cp = NULL;
	if (c == NULL)
		return err_memory(err, "no memory for the catalog");
	places_init(&c->places, &c->db);
	buf_init(&c->scratch, RECORD_BYTES_MAX);
	if (database_open(&c->db, path, CATALOG_CACHE, err) == -1 || load(c, err) == -1) {
		catalog_close(&c);
		return -1;
	}
	*cp = c;
	return 0;
}

void
catalog_close(struct catalog **cp)
{
	struct catalog *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	places_fini(&c->places);
	database_free(&c->got);
	database_close(&c->db);
	buf_fini(&c->scratch);
	mem_free(c);
}

bool
catalog_is_current(struct catalog *c, uint32_t commits)
{
	bool behind = compare_is_later(commits, c->totals.commits);

	if (behind)
		c->floor = commits;
	return !behind || c->totals.clock_ms == 0;
}

/* --- a record at rest --------------------------------------------------------------------------- */

static struct slice
record_key(unsigned char out[8], uint64_t id)
{
	bytes_put_big(out, id, 8);
	return slice_of(out, 8);
}

static int
record_encode(struct catalog *c, const struct catalog_record *r, struct slice plan, struct err *err)
{
	unsigned char head[RECORD_HEAD_SIZE] = { RECORD_VERSION };
	struct buf *b = &c->scratch;
	unsigned char *bytes;

	head[1] = (unsigned char)((r->large ? RECORD_LARGE : 0) | (r->maybe ? RECORD_MAYBE : 0) | (r->held ? RECORD_HELD : 0));
	bytes_put32(head + 4, r->version);
	bytes_put64(head + 8, r->folder);
	bytes_put64(head + 16, r->size);
	bytes_put32(head + 24, r->place);
	bytes_put32(head + 28, r->crc);
	bytes_put32(head + 32, (uint32_t)plan.len);
	bytes_put32(head + 36, (uint32_t)r->envelope.len);
	buf_reset(b);
	(void)buf_append(b, head, sizeof(head));
	(void)buf_put_slice(b, plan);
	(void)buf_put_slice(b, r->envelope);
	if (b->failed)
		return err_memory(err, "no memory for a record of the catalog");
	bytes = (unsigned char *)(uintptr_t)buf_slice(b).p;
	bytes_put32(bytes + 44, crc32c(crc32c(0, bytes, 44), bytes + RECORD_HEAD_SIZE, buf_len(b) - RECORD_HEAD_SIZE));
	return 0;
}

static int
record_decode(uint64_t id, struct slice in, struct catalog_record *r, struct slice *plan)
{
	const unsigned char *p = (const unsigned char *)in.p;
	uint64_t plan_len, envelope_len;

	if (in.len < RECORD_HEAD_SIZE || p[0] != RECORD_VERSION)
		return -1;
	plan_len = bytes_get32(p + 32);
	envelope_len = bytes_get32(p + 36);
	if (RECORD_HEAD_SIZE + plan_len + envelope_len != in.len ||
	    bytes_get32(p + 44) != crc32c(crc32c(0, p, 44), p + RECORD_HEAD_SIZE, in.len - RECORD_HEAD_SIZE))
		return -1;
	*r = (struct catalog_record){ .id = id, .version = bytes_get32(p + 4), .large = (p[1] & RECORD_LARGE) != 0,
	    .maybe = (p[1] & RECORD_MAYBE) != 0, .held = (p[1] & RECORD_HELD) != 0,
	    .folder = bytes_get64(p + 8), .size = bytes_get64(p + 16), .place = bytes_get32(p + 24),
	    .crc = bytes_get32(p + 28), .envelope = slice_of(in.p + RECORD_HEAD_SIZE + plan_len, envelope_len) };
	*plan = slice_of(in.p + RECORD_HEAD_SIZE, plan_len);
	return 0;
}

static enum catalog_found
record_get(struct catalog *c, uint64_t id, struct catalog_record *r, struct slice *plan, struct err *err)
{
	unsigned char key[8];
	int rc = database_get(&c->db, TABLE_RECORDS, record_key(key, id), &c->got, err);

	if (rc != 0)
		return rc == 1 ? CATALOG_ABSENT : CATALOG_FAILED;
	if (record_decode(id, slice_of(c->got.data, c->got.size), r, plan) == 0)
		return CATALOG_FOUND;
	(void)err_set(err, "a record of the catalog fails its checksum");
	return CATALOG_FAILED;
}

enum catalog_found
catalog_get(struct catalog *c, uint64_t id, struct catalog_record *r, struct err *err)
{
	struct slice plan;

	return record_get(c, id, r, &plan, err);
}

/* --- its rows in the index ---------------------------------------------------------------------- */

static struct slice
due_key(unsigned char out[INDEX_KEY_MAX], uint32_t number, enum plan_priority priority, int64_t due_ms, uint64_t id)
{
	out[0] = 'd';
	bytes_put_big(out + 1, number, 4);
	out[5] = (unsigned char)priority;
	bytes_put_big(out + 6, (uint64_t)due_ms, 8);
	bytes_put_big(out + 14, id, 8);
	return slice_of(out, 22);
}

static struct slice
look_key(unsigned char out[INDEX_KEY_MAX], int64_t at_ms, uint64_t id)
{
	out[0] = 'l';
	bytes_put_big(out + 1, (uint64_t)at_ms, 8);
	bytes_put_big(out + 9, id, 8);
	return slice_of(out, 17);
}

static struct slice
domain_key(unsigned char out[INDEX_KEY_MAX], struct slice domain, uint64_t id)
{
	size_t len = domain.len < PLAN_NAME_MAX ? domain.len : PLAN_NAME_MAX;

	out[0] = 'm';
	if (len > 0)
		memcpy(out + 1, domain.p, len);
	out[1 + len] = 0;
	bytes_put_big(out + 2 + len, id, 8);
	return slice_of(out, len + 10);
}

static int
add_row(struct catalog *c, const struct plan_item *item, uint64_t id, struct err *err)
{
	unsigned char key[INDEX_KEY_MAX];
	struct place *p = places_make(&c->places, item->name);
	int rc;

	if (p == NULL)
		return err_memory(err, "no memory for a destination");
	places_change(&c->places, p);
	if ((rc = database_add(&c->db, TABLE_INDEX, due_key(key, p->number, item->priority, item->at_ms, id), err)) == -1)
		return -1;
	p->rows += rc == 0;
	if (item->at_ms < p->earliest_ms)
		p->earliest_ms = item->at_ms;
	return 0;
}

static int
drop_row(struct catalog *c, const struct plan_item *item, uint64_t id, struct err *err)
{
	unsigned char key[INDEX_KEY_MAX];
	struct place *p = places_find(&c->places, item->name);
	int rc;

	if (p == NULL)
		return 0;
	places_change(&c->places, p);
	if ((rc = database_del(&c->db, TABLE_INDEX, due_key(key, p->number, item->priority, item->at_ms, id), err)) == -1)
		return -1;
	p->rows -= rc == 0 && p->rows > 0;
	return 0;
}

static int
index_change(struct catalog *c, uint64_t id, struct slice plan, bool add, struct err *err)
{
	unsigned char key[INDEX_KEY_MAX];
	struct plan_item item;
	struct slice k;

	while (plan_take(&plan, &item) != PLAN_END) {
		if (item.part == PLAN_HOLD)
			continue;		/* no index: holds.h */
		if (item.part == PLAN_ROW) {
			if ((add ? add_row(c, &item, id, err) : drop_row(c, &item, id, err)) == -1)
				return -1;
			continue;
		}
		k = item.part == PLAN_LOOK ? look_key(key, item.at_ms, id) : domain_key(key, item.name, id);
		if ((add ? database_add(&c->db, TABLE_INDEX, k, err) : database_del(&c->db, TABLE_INDEX, k, err)) == -1)
			return -1;
	}
	return 0;
}

/* --- transactions ------------------------------------------------------------------------------- */

static int
freshen(struct catalog *c, struct err *err)
{
	if (c->stale && load(c, err) == -1)
		return -1;
	c->stale = false;
	return 0;
}

int
catalog_begin(struct catalog *c, struct err *err)
{
	if (freshen(c, err) == -1)
		return -1;
	return database_begin(&c->db, err);
}

/* The record's rows go, and what it counted. A damaged one has no plan: its rows stay and lead
 * nowhere. */
static int
drop_old(struct catalog *c, uint64_t id, bool *there, struct err *err)
{
	struct catalog_record old;
	struct slice plan;
	enum catalog_found found = record_get(c, id, &old, &plan, err);

	*there = found == CATALOG_FOUND;
	if (found != CATALOG_FOUND)
		return found == CATALOG_ABSENT ? 0 : -1;
	c->totals.messages--;
	c->totals.bytes -= old.size;
	return index_change(c, id, plan, false, err);
}

int
catalog_put(struct catalog *c, const struct catalog_record *r, struct slice plan, struct err *err)
{
	unsigned char key[8];
	bool there;

	if (drop_old(c, r->id, &there, err) == -1 || index_change(c, r->id, plan, true, err) == -1 ||
	    record_encode(c, r, plan, err) == -1)
		return -1;
	c->totals.messages++;
	c->totals.bytes += r->size;
	return database_put(&c->db, TABLE_RECORDS, record_key(key, r->id), buf_slice(&c->scratch), err);
}

int
catalog_forget(struct catalog *c, uint64_t id, struct err *err)
{
	unsigned char key[8];
	bool there;

	if (drop_old(c, id, &there, err) == -1)
		return -1;
	if (!there)
		return 0;
	return database_del(&c->db, TABLE_RECORDS, record_key(key, id), err) == -1 ? -1 : 0;
}

static int
write_totals(struct catalog *c, struct err *err)
{
	unsigned char v[TOTALS_SIZE];

	bytes_put_big(v, c->totals.messages, 8);
	bytes_put_big(v + 8, c->totals.bytes, 8);
	bytes_put_big(v + 16, (uint64_t)c->totals.clock_ms, 8);
	bytes_put_big(v + 24, c->totals.commits, 4);
	return database_put(&c->db, TABLE_META, SLICE_LIT("totals"), slice_of(v, sizeof(v)), err);
}

int
catalog_commit(struct catalog *c, int64_t clock_ms, struct err *err)
{
	if (clock_ms > c->totals.clock_ms)
		c->totals.clock_ms = clock_ms;
	if (compare_is_later(c->floor, c->totals.commits))
		c->totals.commits = c->floor;
	c->totals.commits++;
	if (places_write(&c->places, err) == -1 || write_totals(c, err) == -1 || database_commit(&c->db, err) == -1)
		goto fail;
	places_written(&c->places);
	return 0;
fail:
	catalog_abort(c);
	return -1;
}

void
catalog_abort(struct catalog *c)
{
	struct err err;

	database_abort(&c->db);
	c->stale = load(c, &err) == -1;
}

bool
catalog_is_distrusted(const struct catalog *c)
{
	(void)c;
	return database_is_distrusted();
}

struct telling {
	void	(*each)(void *, const struct catalog_destination *);
	void	*arg;
};

static void
tell(struct place *p, void *arg)
{
	const struct telling *t = arg;

	t->each(t->arg, &(struct catalog_destination){ .name = p->name, .messages = p->rows, .earliest_ms = p->earliest_ms });
}

void
catalog_each_destination(struct catalog *c, void (*each)(void *, const struct catalog_destination *), void *arg)
{
	struct telling t = { each, arg };

	places_each(&c->places, tell, &t);
}

struct catalog_totals
catalog_totals(const struct catalog *c)
{
	return c->totals;
}

/* --- walks -------------------------------------------------------------------------------------- */

struct walk {
	struct catalog_ids	*out;
	uint32_t		 most;
	struct slice		 prefix;	/* of the keys that belong to it */
	size_t			 time_at;	/* where the time stands in the key; 0: there is none */
	int64_t			 until_ms;
	int64_t			 first_ms, next_ms;	/* of all, skipped ones included; behind those taken */
};

static bool
walk_one(void *arg, struct slice key, struct slice value)
{
	struct walk *w = arg;
	int64_t at = 0;
	uint64_t id;

	(void)value;
	if (!slice_starts(key, w->prefix) || key.len < w->prefix.len + 8)
		return false;
	id = bytes_get_big(key.p + key.len - 8, 8);
	if (w->time_at != 0)
		at = (int64_t)(bytes_get_big(key.p + w->time_at, 8) & INT64_MAX);
	if (at < w->first_ms)
		w->first_ms = at;
	if (w->out->skip != NULL && w->out->skip(w->out->arg, id))
		return true;
	if (w->out->count < w->most && at <= w->until_ms) {
		w->out->ids[w->out->count++] = id;
		return true;
	}
	w->next_ms = at;
	return false;
}

static struct walk
walk_of(struct catalog_ids *out, size_t time_at, int64_t until_ms)
{
	struct walk w = { .out = out, .most = out->count, .time_at = time_at, .until_ms = until_ms };

	out->count = 0;
	w.first_ms = w.next_ms = CATALOG_NEVER;
	return w;
}

int
catalog_due(struct catalog *c, struct slice destination, int64_t until_ms, struct catalog_ids *out, int64_t *next,
    struct err *err)
{
	struct place *p;
	unsigned char key[INDEX_KEY_MAX];
	struct walk w = walk_of(out, 6, until_ms);
	int64_t least = CATALOG_NEVER;

	*next = CATALOG_NEVER;
	if (freshen(c, err) == -1)
		return -1;
	p = places_find(&c->places, destination);
	if (p == NULL)
		return 0;
	for (enum plan_priority priority = PLAN_MAIL; priority < PLAN_PRIORITY_COUNT; priority++) {
		w.prefix = slice_of(due_key(key, p->number, priority, 0, 0).p, 6);
		w.next_ms = CATALOG_NEVER;
		if (database_walk(&c->db, TABLE_INDEX, w.prefix, false, walk_one, &w, err) == -1)
			return -1;
		least = w.next_ms < least ? w.next_ms : least;
	}
	*next = least;
	p->earliest_ms = w.first_ms;	/* a restart knows nothing of what is skipped today */
	return 0;
}

int
catalog_look(struct catalog *c, int64_t until_ms, struct catalog_ids *out, int64_t *next, struct err *err)
{
	struct walk w = walk_of(out, 1, until_ms);

	w.prefix = SLICE_LIT("l");
	if (database_walk(&c->db, TABLE_INDEX, w.prefix, false, walk_one, &w, err) == -1)
		return -1;
	*next = w.next_ms;
	return 0;
}

int
catalog_walk(struct catalog *c, struct slice domain, uint64_t after, struct catalog_ids *out, struct err *err)
{
	unsigned char key[INDEX_KEY_MAX];
	struct walk w = walk_of(out, 0, 0);
	char small[PLAN_NAME_MAX];
	struct slice from;

	if (w.most == 0 || after == UINT64_MAX)
		return 0;
	for (size_t i = 0; i < domain.len && i < sizeof(small); i++)
		small[i] = ascii_lower(domain.p[i]);
	domain = slice_of(small, domain.len < sizeof(small) ? domain.len : sizeof(small));
	from = domain.len > 0 ? domain_key(key, domain, after + 1) : record_key(key, after + 1);
	w.prefix = slice_of(from.p, from.len - 8);
	return database_walk(&c->db, domain.len > 0 ? TABLE_INDEX : TABLE_RECORDS, from, false, walk_one, &w, err);
}

int
catalog_flush(struct catalog *c, struct err *err)
{
	return database_checkpoint(&c->db, err);
}

int
catalog_compact(struct catalog *c, struct err *err)
{
	if (database_compact(&c->db, TABLE_RECORDS, 256, err) == -1)
		return -1;
	return database_compact(&c->db, TABLE_INDEX, 256, err);
}
