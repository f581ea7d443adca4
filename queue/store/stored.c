/*
 * stored — a live message's place: where its newest PUT lies, and reading the content from there.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/queue_id.h"
#include "queue/store/corrupt.h"
#include "queue/store/inside.h"

_Static_assert(sizeof(struct stored) <= 104, "the price of a message in memory");

struct stored *
stored_new(struct store *store)
{
	struct stored *s;
	struct slab *slab;

	if (TAILQ_EMPTY(&store->idle_stored)) {
		if ((slab = mem_zalloc(sizeof(*slab))) == NULL)
			return NULL;
		slab->next = store->slabs;
		store->slabs = slab;
		for (size_t i = 0; i < sizeof(slab->v) / sizeof(slab->v[0]); i++)
			TAILQ_INSERT_TAIL(&store->idle_stored, &slab->v[i], in_segment);
	}
	s = TAILQ_FIRST(&store->idle_stored);
	TAILQ_REMOVE(&store->idle_stored, s, in_segment);
	*s = (struct stored){ .store = store };
	return s;
}

void
stored_free(struct store *store, struct stored *s)
{
	stored_leave(store, s);
	if ((s->flags & (STORED_DURABLE | STORED_SPOOLED)) == STORED_DURABLE)
		stored_uncount(s);
	*s = (struct stored){ 0 };
	TAILQ_INSERT_HEAD(&store->idle_stored, s, in_segment);
}

void
stored_leave(struct store *store, struct stored *s)
{
	if (s->segment == NULL)
		return;
	TAILQ_REMOVE(&s->segment->live, s, in_segment);
	s->segment->live_bytes -= s->bytes;
	store->live_bytes -= s->bytes;
	s->segment = NULL;
}

void
stored_join(struct stored *s, struct segment *seg)
{
	s->segment = seg;
	TAILQ_INSERT_TAIL(&seg->live, s, in_segment);
	seg->live_bytes += s->bytes;
	s->store->live_bytes += s->bytes;
}

void
stored_uncount(struct stored *s)
{
	s->store->live--;
	s->store->live_contents -= s->size;
}

/* `offset` is where the record begins in the segment. */
void
stored_settle(struct store *store, struct stored *s, struct segment *seg, const struct record *r, uint32_t offset)
{
	stored_leave(store, s);
	s->size = r->content_size;
	if (!(s->flags & STORED_DURABLE)) {
		store->live++;
		store->live_contents += s->size;
	}
	s->flags |= (uint16_t)(STORED_DURABLE | (r->large ? STORED_LARGE : 0));

	s->crc = r->content_crc;
	s->bytes = (uint32_t)record_size(r);
	s->place = offset + (uint32_t)(RECORD_PUT_HEAD + r->envelope.len);
	stored_join(s, seg);
}

uint64_t
stored_size(const struct stored *s)
{
	return s->size;
}

uint32_t
stored_crc(const struct stored *s)
{
	return s->crc;
}

uint64_t
stored_id(const struct stored *s)
{
	return s->id;
}

bool
stored_is_large(const struct stored *s)
{
	return (s->flags & STORED_LARGE) != 0;
}

/* Sets the damaged content aside. In the ring it leaves its segment, which may then be wiped without it. */
static int
content_damaged(struct store *store, struct stored *s, const void *content, struct err *err)
{
	char name[64], id[QUEUE_ID_LEN + 1];
	struct err trouble;

	snprintf(name, sizeof(name), "content-%s", queue_id_print(s->id, id));
	log_error("message %s: its content (%s, offset %u) fails its checksum; what is there goes to corrupt/%s", id,
	    s->flags & STORED_SPOOLED ? "spool" : "journal", s->place, name);
	if (corrupt_set_aside(store->dir, name, slice_of(content, s->size),
	    "the content of this message fails its checksum", &trouble) == -1)
		log_error("%s", trouble.text);
	else if (!(s->flags & STORED_SPOOLED))
		stored_leave(store, s);
	s->flags |= STORED_LOST;
	store->figures.damaged++;
	return err_set(err, "message %s: the content fails its checksum", id);
}

/* The file stays where the message looks for it: only a person can tell whether it is beyond help. */
static void
large_damaged(struct store *store, struct stored *s)
{
	char name[64], id[QUEUE_ID_LEN + 1];
	struct err trouble;

	snprintf(name, sizeof(name), "content-%s", queue_id_print(s->id, id));
	log_error("message %s: its content (spool/large/%s) fails its checksum; its file is kept as corrupt/%s, too", id, id, name);
	if (corrupt_link(store->dir, name, store->large.dir, id, s->size,
	    "the content of this message fails its checksum; this is the file of spool/large/ under a second name", &trouble) == -1)
		log_error("%s", trouble.text);
	store->figures.damaged++;
}

int
stored_check(struct store *store, struct stored *s, const void *content, struct err *err)
{
	if (crc32c(0, content, s->size) != s->crc)
		return content_damaged(store, s, content, err);
	s->flags |= STORED_CHECKED;
	return 0;
}

/* From wherever it lies. */
static int
read_content(struct stored *s, uint64_t offset, void *p, size_t len, struct err *err)
{
	int fd, rc;

	if (!(s->flags & (STORED_LARGE | STORED_SPOOLED)))
		return disk_read(s->segment->fd, p, len, s->place + offset, err);
	fd = s->flags & STORED_LARGE ? stored_open_large(s, err) :
	    spool_read_open(&s->store->evacuator.spool, s->folder, s->id, err);
	if (fd == -1)
		return -1;
	rc = disk_read(fd, p, len, offset + (s->flags & STORED_LARGE ? 0 : s->place), err);
	fd_close(&fd);
	return rc;
}

/* Before a part of it is shown, the whole content is read once and its checksum compared. */
static int
check_whole(struct stored *s, struct err *err)
{
	void *content;
	int rc;

	if (s->flags & STORED_CHECKED)
		return 0;
	if ((content = mem_alloc(s->size > 0 ? s->size : 1)) == NULL)
		return err_memory(err, "no memory");
	rc = read_content(s, 0, content, s->size, err);
	if (rc == 0)
		rc = stored_check(s->store, s, content, err);
	mem_free(content);
	return rc;
}

static bool
is_on_disk(const struct stored *s)
{
	return (s->flags & (STORED_DURABLE | STORED_LOST)) == STORED_DURABLE;
}

void
stored_suspect(struct stored *s)
{
	struct err err;

	if (!is_on_disk(s))
		return;
	if (s->flags & STORED_LARGE) {
		large_damaged(s->store, s);
		return;
	}
	s->flags &= (uint16_t)~STORED_CHECKED;
	(void)check_whole(s, &err);	/* what it finds it sets aside and says */
}

int
stored_read(struct stored *s, uint64_t offset, void *p, size_t len, struct err *err)
{
	bool whole = offset == 0 && len == s->size;

	if (!is_on_disk(s))
		return err_set(err, "the content is %s", s->flags & STORED_LOST ? "damaged" : "not on disk yet");
	if (offset > s->size || len > s->size - offset)
		return err_set(err, "the content has no bytes there");
	if (s->flags & STORED_LARGE)
		return read_content(s, offset, p, len, err);
	if (!whole && check_whole(s, err) == -1)
		return -1;
	if (read_content(s, offset, p, len, err) == -1)
		return -1;
	return whole ? stored_check(s->store, s, p, err) : 0;
}

int
stored_open_large(struct stored *s, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];

	if (!is_on_disk(s) || !(s->flags & STORED_LARGE))
		return err_set(err, "no large content");
	return disk_open(s->store->large.dir, queue_id_print(s->id, name), O_RDONLY, err);
}
