/*
 * ring — see ring.h.
 */
#include "queue/store/ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compare.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

/* Which numbers journal/ has; files that are no segments stay untouched. */
static int
ring_list(struct ring *ring, bool there[STORE_SEGMENTS_MAX], struct err *err)
{
	int fd = dup(ring->dir);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char name[16];
	unsigned n;

	if (dir == NULL) {
		fd_close(&fd);
		return err_sys(err, "journal");
	}
	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL) {
		n = (unsigned)strtoul(entry->d_name, NULL, 10);
		if (n >= STORE_SEGMENTS_MAX)
			continue;
		segment_name(name, sizeof(name), n);
		there[n] = there[n] || strcmp(name, entry->d_name) == 0;

	}
	closedir(dir);
	return 0;
}

/* A segment that the configuration does not want: gone when empty, else kept until it is. True:
 * keep. */
static bool
keep_surplus(struct ring *ring, struct segment *seg, struct ring_found *found)
{
	bool empty = found->verdict == SEGMENT_HEAD_BLANK ||
	    (found->verdict == SEGMENT_HEAD_WHOLE && found->head.use == SEGMENT_USE_FREE);
	struct err err;
	char name[16];

	segment_name(name, sizeof(name), seg->number);
	seg->surplus = true;
	if (!empty) {
		log_info("journal/%s is more than the configuration asks for; it goes when its mail has left", name);
		return true;
	}
	fd_close(&seg->fd);
	STEP("ring-4");
	if (disk_unlink(ring->dir, name, &err) == -1)
		log_warn("journal: %s", err.text);
	else
		log_info("journal/%s removed: more than the configuration asks for", name);
	return false;
}

/* Opens one; a new one that cannot be made is an error only in a store that never was. */
static int
ring_add(struct ring *ring, uint32_t number, const struct store_conf *conf, bool make, bool must,
    struct ring_found *found, struct err *err)
{
	struct segment *seg = &ring->v[ring->n];
	struct ring_found *f = &found[ring->n];

	seg->ring = ring;
	if (segment_open(seg, ring->dir, number, (uint32_t)conf->segment_size, make ? SEGMENT_MAKE : SEGMENT_KEEP, &f->head, &f->verdict, err) == -1) {
		if (must)
			return -1;
		log_error("the ring stays smaller than configured: %s", err->text);
		return 0;
	}
	if (f->verdict == SEGMENT_HEAD_NEWER)
		return err_set(err, "journal/%03u.seg was written by a newer posthorn: start that one", number);
	if (f->verdict == SEGMENT_HEAD_WHOLE && memcmp(f->head.store, ring->store_id, 16) != 0)
		return err_set(err, "journal/%03u.seg belongs to another store: move it away, or bring back its STORE", number);
	if (!make && !keep_surplus(ring, seg, f))
		return 0;
	if (make && seg->state == SEGMENT_NONE && f->head.use == SEGMENT_USE_MAIL && seg->size != conf->segment_size)
		log_info("journal/%03u.seg keeps its size of %u bytes until its mail has left", number, seg->size);
	ring->bytes += seg->size;
	if (seg->size >= STORE_SEGMENT_SIZE_MIN && (ring->least == 0 || seg->size < ring->least))
		ring->least = seg->size;
	ring->n++;
	return 0;
}

static int
ring_add_all(struct ring *ring, const struct store_conf *conf, bool fresh, struct ring_found *found, struct err *err)
{
	bool there[STORE_SEGMENTS_MAX] = { false };

	if (ring_list(ring, there, err) == -1)
		return -1;
	for (uint32_t i = 0; i < STORE_SEGMENTS_MAX; i++)
		if ((i < conf->segments || there[i]) &&
		    ring_add(ring, i, conf, i < conf->segments, fresh || there[i], found, err) == -1)
			return -1;
	if (ring->n < STORE_SEGMENTS_MIN)
		return err_set(err, "fewer than %d journal segments: no room on the disk?", STORE_SEGMENTS_MIN);
	STEP("ring-3");
	return disk_sync(ring->dir, err);
}

static int
ring_begin(struct ring *ring, int queue_dir, const unsigned char id[16], struct ring_found **found, struct err *err)
{
	*ring = (struct ring){ .dir = -1, .next_sequence = 1, .next_batch = 1, .secret = random_u64() };
	pthread_mutex_init(&ring->lock, NULL);
	memcpy(ring->store_id, id, sizeof(ring->store_id));
	*found = NULL;
	if ((ring->dir = disk_open(queue_dir, "journal", O_RDONLY | O_DIRECTORY, err)) == -1)
		return -1;
	ring->v = mem_array(STORE_SEGMENTS_MAX, sizeof(*ring->v));
	*found = mem_array(STORE_SEGMENTS_MAX, sizeof(**found));
	if (ring->v == NULL || *found == NULL)
		return err_memory(err, "no memory");
	for (uint32_t i = 0; i < STORE_SEGMENTS_MAX; i++)
		ring->v[i].fd = -1;
	return 0;
}

/* Of all heads that can be read; the counter may wrap. */
static uint32_t
latest_commits(const struct ring_found *found, uint32_t n)
{
	uint32_t latest = 0;
	bool any = false;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t commits = found[i].head.commits;

		if (found[i].verdict == SEGMENT_HEAD_WHOLE && (!any || compare_is_later(commits, latest))) {
			latest = commits;
			any = true;
		}
	}
	return latest;
}

int
ring_open(struct ring *ring, int queue_dir, const struct store_conf *conf, const unsigned char id[16], bool fresh,
    struct ring_found **found, struct err *err)
{
	if (ring_begin(ring, queue_dir, id, found, err) == -1 || ring_add_all(ring, conf, fresh, *found, err) == -1)
		return -1;
	for (uint32_t i = 0; i < ring->n; i++)
		ring->free += ring->v[i].state == SEGMENT_FREE;
	ring->commits = latest_commits(*found, ring->n);

	return 0;
}

/* One that is there; what is no segment of this store is an error, as at a start. */
static int
ring_look_at(struct ring *ring, uint32_t number, struct ring_found *f, struct err *err)
{
	struct segment *seg = &ring->v[ring->n];

	seg->ring = ring;
	if (segment_open(seg, ring->dir, number, 0, SEGMENT_LOOK, &f->head, &f->verdict, err) == -1)
		return -1;
	if (f->verdict == SEGMENT_HEAD_NEWER || (f->verdict == SEGMENT_HEAD_WHOLE && memcmp(f->head.store, ring->store_id, 16) != 0))
		return err_set(err, "journal/%03u.seg was written by a newer posthorn, or belongs to another store", number);
	ring->n++;
	return 0;
}

int
ring_look(struct ring *ring, int queue_dir, const unsigned char id[16], struct ring_found **found, struct err *err)
{
	bool there[STORE_SEGMENTS_MAX] = { false };

	if (ring_begin(ring, queue_dir, id, found, err) == -1 || ring_list(ring, there, err) == -1)
		return -1;
	for (uint32_t i = 0; i < STORE_SEGMENTS_MAX; i++)
		if (there[i] && ring_look_at(ring, i, &(*found)[ring->n], err) == -1)
			return -1;
	return 0;
}

void
ring_close(struct ring *ring)
{
	for (uint32_t i = 0; ring->v != NULL && i < STORE_SEGMENTS_MAX; i++)
		fd_close(&ring->v[i].fd);
	mem_free(ring->v);
	ring->v = NULL;
	ring->n = 0;
	fd_close(&ring->dir);
	pthread_mutex_destroy(&ring->lock);
}

uint32_t
ring_free_count(struct ring *ring)
{
	uint32_t n;

	pthread_mutex_lock(&ring->lock);
	n = ring->free;
	pthread_mutex_unlock(&ring->lock);
	return n;
}

struct segment *
ring_oldest(struct ring *ring, bool sealed_only)
{
	struct segment *oldest = NULL, *seg;

	pthread_mutex_lock(&ring->lock);
	for (uint32_t i = 0; i < ring->n; i++) {
		seg = &ring->v[i];
		if ((seg->state == SEGMENT_SEALED || seg->state == SEGMENT_ACTIVE) &&
		    (oldest == NULL || seg->sequence < oldest->sequence))
			oldest = seg;
	}
	if (oldest != NULL && sealed_only && oldest->state != SEGMENT_SEALED)
		oldest = NULL;
	pthread_mutex_unlock(&ring->lock);
	return oldest;
}

uint64_t
ring_oldest_sequence(struct ring *ring)
{
	struct segment *oldest = ring_oldest(ring, false);

	return oldest == NULL ? ring->next_sequence : oldest->sequence;
}

uint64_t
ring_active_sequence(struct ring *ring)
{
	uint64_t sequence;

	pthread_mutex_lock(&ring->lock);
	sequence = ring->active != NULL ? ring->active->sequence : ring->next_sequence;
	pthread_mutex_unlock(&ring->lock);
	return sequence;
}

/* Not to be guessed by who writes mail, and drawn without base/random, which belongs to the
 * loop's thread. */
static uint64_t
ring_nonce(const struct ring *ring, uint64_t sequence)
{
	uint64_t z = ring->secret + sequence * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

struct segment *
ring_advance(struct ring *ring)
{
	struct segment *next = NULL;

	pthread_mutex_lock(&ring->lock);
	for (uint32_t i = 0; i < ring->n && next == NULL; i++)
		if (ring->v[i].state == SEGMENT_FREE)
			next = &ring->v[i];
	if (next != NULL) {
		if (ring->active != NULL && ring->active->state == SEGMENT_ACTIVE)
			ring->active->state = SEGMENT_SEALED;
		next->state = SEGMENT_ACTIVE;
		next->sequence = ring->next_sequence++;
		next->nonce = ring_nonce(ring, next->sequence);
		next->end = SEGMENT_HEAD;
		ring->free--;
		ring->active = next;
	}
	pthread_mutex_unlock(&ring->lock);
	return next;
}

void
ring_set_state(struct ring *ring, struct segment *seg, enum segment_state state)
{
	pthread_mutex_lock(&ring->lock);
	if (state == SEGMENT_FREE && seg->surplus)
		state = SEGMENT_OUT;
	ring->free += state == SEGMENT_FREE;
	ring->free -= seg->state == SEGMENT_FREE;
	seg->state = state;
	pthread_mutex_unlock(&ring->lock);
}

void
ring_fail(struct ring *ring, struct segment *seg)
{
	pthread_mutex_lock(&ring->lock);
	seg->failed = true;
	if (seg->state == SEGMENT_ACTIVE)
		seg->state = SEGMENT_SEALED;
	if (ring->active == seg)
		ring->active = NULL;
	pthread_mutex_unlock(&ring->lock);
}

bool
ring_failed(struct ring *ring, struct segment *seg)
{
	bool failed;

	pthread_mutex_lock(&ring->lock);
	failed = seg->failed;
	pthread_mutex_unlock(&ring->lock);
	return failed;
}
