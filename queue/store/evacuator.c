/*
 * evacuator — see evacuator.h; the steps are those of docs/SPOOL.md, evacuate and forget.
 */
#include "queue/store/evacuator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>


#include "base/clock.h"
#include "base/fd.h"
#include "queue/store/corrupt.h"
#include "queue/store/database.h"
#include "queue/store/disk.h"
#include "queue/store/large.h"
#include "queue/store/post.h"
#include "queue/store/thread.h"

#define ROUND_ORDERS	512u		/* one transaction */
#define PATIENCE	INT64_C(100)	/* ms that an order waits for company, unless space is wanted */
#define COMPANY		128u		/* orders that need not wait */
#define IDLE_COMPACT	INT64_C(30000)	/* ms without work before the catalog is compacted */
#define BALLAST		(INT64_C(64) * 1024 * 1024)
#define BALLAST_FREE	(UINT64_C(2) << 30)	/* on a disk with less free space there is none */
#define SCRATCH_MAX	(2u * 1024 * 1024)
#define OPENING		"opening"	/* in db/: a byte for each start that began to open the catalog and has not ended that */
#define OPENINGS_MOST	3u

/* --- given and taken ---------------------------------------------------------------------------- */

static void
call_thread(struct evacuator *e)
{
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->lock);
}

void
evacuator_order(struct evacuator *e, struct order *o, int64_t clock_ms)
{
	int64_t due = o->urgent ? 0 : clock_mono_ms() + PATIENCE;

	pthread_mutex_lock(&e->lock);
	if (STAILQ_EMPTY(&e->orders) || due < e->due)
		e->due = due;
	STAILQ_INSERT_TAIL(&e->orders, o, next);
	e->clock_ms = clock_ms;
	if (++e->waiting >= COMPANY)
		e->due = 0;
	call_thread(e);
}

/* Under the lock. */
static void
ask(struct evacuator *e, struct question *q)
{
	if (e->closing) {
		q->failed = true;		/* nobody answers any more */
		STAILQ_INSERT_TAIL(&e->answered, q, next);
	} else {
		STAILQ_INSERT_TAIL(&e->questions, q, next);
	}
}

void
evacuator_ask(struct evacuator *e, struct question *q)
{
	pthread_mutex_lock(&e->lock);
	ask(e, q);
	call_thread(e);
}

/* Whoever takes this question sees `pinned`, too, and takes no orders beside it. */
void
evacuator_pin(struct evacuator *e, struct question *q)
{
	pthread_mutex_lock(&e->lock);
	e->pinned = true;
	ask(e, q);
	call_thread(e);
}

void
evacuator_unpin(struct evacuator *e)
{
	pthread_mutex_lock(&e->lock);
	e->pinned = false;
	call_thread(e);
}

uint32_t
evacuator_take(struct evacuator *e, struct order_list *orders, struct question_list *questions, bool *hunted,
    struct catalog_totals *totals)
{
	uint32_t adopted;

	STAILQ_INIT(orders);
	STAILQ_INIT(questions);
	pthread_mutex_lock(&e->lock);
	STAILQ_CONCAT(orders, &e->orders_done);
	STAILQ_CONCAT(questions, &e->answered);
	adopted = e->adopted;
	*hunted = e->hunted;
	*totals = e->totals;
	e->adopted = 0;
	pthread_mutex_unlock(&e->lock);
	return adopted;
}

bool
evacuator_has_news(struct evacuator *e)
{
	bool has;

	pthread_mutex_lock(&e->lock);
	has = !STAILQ_EMPTY(&e->orders_done) || !STAILQ_EMPTY(&e->answered);
	pthread_mutex_unlock(&e->lock);
	return has;
}

bool
evacuator_is_condemned(struct evacuator *e, char why[256])
{
	bool condemned;

	pthread_mutex_lock(&e->lock);
	condemned = e->condemned;
	memcpy(why, e->why, sizeof(e->why));
	pthread_mutex_unlock(&e->lock);
	return condemned;
}

struct catalog_totals
evacuator_totals(struct evacuator *e)
{
	struct catalog_totals totals;

	pthread_mutex_lock(&e->lock);
	totals = e->totals;
	pthread_mutex_unlock(&e->lock);
	return totals;
}

/* --- trouble ------------------------------------------------------------------------------------ */

/* docs/SPOOL.md, condemn: 1 the catalog goes to corrupt/, whole; 2 both directories are synced; the next start makes it anew. */
static int
set_aside(int queue_dir, uint32_t epoch, const char *reason, struct err *err)
{
	char to[64], name[40];
	int rc = -1;

	STEP("condemn-1");
	/* More than one may be set aside in one epoch. */
	for (int nth = 1; nth < 10 && rc == -1; nth++) {
		snprintf(name, sizeof(name), "catalog-of-epoch-%" PRIu32 "-%d", epoch, nth);
		snprintf(to, sizeof(to), "corrupt/%s-files", name);
		rc = disk_rename(queue_dir, "db", to, err);
		if (rc == -1 && err->code != ENOTEMPTY && err->code != EEXIST)
			return -1;
	}
	if (rc == -1)
		return -1;
	database_forgive();
	STEP("condemn-2");
	if (disk_sync(queue_dir, err) == -1)
		return -1;
	return corrupt_set_aside(queue_dir, name, slice_of("", 0), reason, err);
}

void
evacuator_condemn(struct evacuator *e, const struct err *why)
{
	struct err err;

	if (set_aside(e->queue_dir, e->spool.epoch, why->text, &err) == -1)
		post_say(e->post, LOG_LEVEL_ERROR, "the catalog cannot be set aside: %s", err.text);
	pthread_mutex_lock(&e->lock);
	if (!e->condemned)
		snprintf(e->why, sizeof(e->why), "%.200s; it is made anew from the spool", why->text);
	e->condemned = true;
	pthread_mutex_unlock(&e->lock);
}

/* Space and memory come back by themselves. */
static bool
passes(const struct err *err)
{
	return err->code == ENOSPC || err->code == EDQUOT || err->code == ENOMEM || err->code == EAGAIN ||
	    err->code == EMFILE || err->code == ENFILE;
}

void
evacuator_put_off(struct evacuator *e, const struct err *err)
{
	post_say(e->post, LOG_LEVEL_WARN, "mail cannot leave the ring for now: %s", err->text);
}

/* The catalog failed. Unless that passes, it is not asked again. */
void
evacuator_doubt_catalog(struct evacuator *e, const struct err *err)
{
	if (passes(err) && !catalog_is_distrusted(e->catalog))
		evacuator_put_off(e, err);
	else
		evacuator_condemn(e, err);
}

/* --- the thread --------------------------------------------------------------------------------- */

/* Under the lock: is there an order that may be begun, now or when it is due? */
static bool
has_orders(const struct evacuator *e)
{
	return !STAILQ_EMPTY(&e->orders) && (e->closing || !e->pinned);
}

static bool
orders_ready(const struct evacuator *e)
{
	return has_orders(e) && (e->closing || e->due == 0 || e->due <= clock_mono_ms());
}

/* Under the lock: a pin has stopped it. */
static bool
hunt_waits(const struct evacuator *e)
{
	return e->hunt.stopped && !e->hunted && !e->pinned && !e->condemned;
}

static void
take_orders(struct evacuator *e, struct order_list *round)
{
	struct order *o;

	for (uint32_t n = 0; n < ROUND_ORDERS && (o = STAILQ_FIRST(&e->orders)) != NULL; n++) {
		STAILQ_REMOVE_HEAD(&e->orders, next);
		STAILQ_INSERT_TAIL(round, o, next);
		e->waiting--;
	}
}

/* All that is there to do, once. Condemned: nothing is, and everybody hears so. */
static void
serve(void *arg)
{
	struct evacuator *e = arg;
	struct order_list round = STAILQ_HEAD_INITIALIZER(round);
	struct question_list asked = STAILQ_HEAD_INITIALIZER(asked);
	struct question *q;
	int64_t clock_ms;
	bool any;

	pthread_mutex_lock(&e->lock);
	STAILQ_CONCAT(&asked, &e->questions);
	if (orders_ready(e))
		take_orders(e, &round);
	clock_ms = e->clock_ms;
	pthread_mutex_unlock(&e->lock);
	any = !STAILQ_EMPTY(&asked) || !STAILQ_EMPTY(&round);
	STAILQ_FOREACH(q, &asked, next) {
		q->failed = e->condemned;
		if (!e->condemned)
			question_answer(e, q);
	}
	if (!STAILQ_EMPTY(&round) && !e->condemned)
		order_round(e, &round, clock_ms);
	pthread_mutex_lock(&e->lock);
	STAILQ_CONCAT(&e->orders_done, &round);
	STAILQ_CONCAT(&e->answered, &asked);
	e->totals = catalog_totals(e->catalog);
	pthread_mutex_unlock(&e->lock);
	if (any)
		post_ring(e->post);
}

void
evacuator_serve_all(struct evacuator *e)
{
	e->due = 0;
	while (!STAILQ_EMPTY(&e->orders))
		serve(e);
}

/* Sleeps until there is something to do. False: it closes and all is done. `quiet`: for a long time nothing was. */
static bool
wait_for_work(struct evacuator *e, bool *quiet)
{
	int64_t now, since = clock_mono_ms();
	bool more;

	pthread_mutex_lock(&e->lock);
	*quiet = false;
	while (STAILQ_EMPTY(&e->questions) && !orders_ready(e) && !e->closing && !hunt_waits(e) && !*quiet) {
		now = clock_mono_ms();
		if (e->pinned)
			pthread_cond_wait(&e->wake, &e->lock);
		else
			thread_wait(&e->wake, &e->lock, has_orders(e) ? e->due - now : since + IDLE_COMPACT - now);
		*quiet = !e->pinned && STAILQ_EMPTY(&e->orders) && clock_mono_ms() - since >= IDLE_COMPACT;
	}
	*quiet = *quiet || hunt_waits(e);
	more = !STAILQ_EMPTY(&e->questions) || !STAILQ_EMPTY(&e->orders) || !e->closing;
	pthread_mutex_unlock(&e->lock);
	return more;
}

static bool
has_to_stop(struct evacuator *e)
{
	bool stop;

	pthread_mutex_lock(&e->lock);
	stop = e->closing || e->pinned || e->condemned;
	pthread_mutex_unlock(&e->lock);
	return stop;
}

static bool
between_files(void *arg)
{
	struct evacuator *e = arg;

	if (has_to_stop(e))
		return false;		/* what waits is served when the hunt has let go of the catalog */
	serve(e);
	return !has_to_stop(e);
}

static void
hunt(struct evacuator *e)
{
	struct err err = { 0 };

	bool good, hunted;

	e->hunt.between = between_files;
	e->hunt.arg = e;
	good = hunt_run(&e->hunt, &err) == 0;
	if (!good && e->hunt.catalog_failed)
		evacuator_doubt_catalog(e, &err);
	else if (!good)
		post_say(e->post, LOG_LEVEL_WARN, "the hunt for leftover files came to nothing: %s", err.text);
	pthread_mutex_lock(&e->lock);
	e->adopted += e->hunt.adopted;
	/* After an error that stays the ring is not kept for it: a leftover may become a second copy, a ring that stands still would
	 * stop all mail. */
	hunted = e->hunted = !e->hunt.stopped && (good || !passes(&err));
	e->totals = catalog_totals(e->catalog);
	pthread_mutex_unlock(&e->lock);
	if (hunted)
		hunt_fini(&e->hunt);
	post_ring(e->post);
}

static void *
evacuator_main(void *arg)
{
	struct evacuator *e = arg;
	struct err err;
	bool quiet;

	if (!e->hunted)
		hunt(e);
	while (wait_for_work(e, &quiet)) {
		serve(e);
		/* Once pinned, and served: not a byte more. */
		if (!quiet || has_to_stop(e))
			continue;
		if (!e->hunted)
			hunt(e);
		else if (catalog_compact(e->catalog, &err) == -1)
			evacuator_doubt_catalog(e, &err);
	}
	return NULL;
}

/* --- opening and closing ------------------------------------------------------------------------ */

static int
remake_catalog(struct evacuator *e, const char *why, struct err *err)
{
	post_say(e->post, LOG_LEVEL_ERROR, "%s; the catalog is made anew from the spool", why);
	if (e->catalog != NULL)
		catalog_close(&e->catalog);
	if (set_aside(e->queue_dir, e->spool.epoch, why, err) == -1 || disk_mkdir(e->queue_dir, "db", err) == -1)
		return -1;
	return catalog_open(&e->catalog, e->path, err);
}

/* A full disk: the ballast is there to be thrown out. Anything else: made anew. */
static int
open_catalog(struct evacuator *e, struct err *err)
{
	struct err why = { 0 };

	if (catalog_open(&e->catalog, e->path, &why) == 0)
		return 0;
	post_say(e->post, LOG_LEVEL_ERROR, "%s", why.text);
	(void)disk_unlink(e->queue_dir, "ballast", NULL);
	if (!database_is_distrusted() && catalog_open(&e->catalog, e->path, &why) == 0)
		return 0;
	if (passes(&why) || why.code == EACCES || why.code == EPERM || why.code == EROFS) {
		*err = why;
		return -1;
	}
	return remake_catalog(e, why.text, err);
}

/* One more start begins to open the catalog. Returns how many before it did not come back from that. No sync: it is for processes
 * that die, not for power cuts. */
static uint32_t
begin_opening(int queue_dir)
{
	struct stat st = { 0 };
	int fd = disk_open(queue_dir, "db/" OPENING, O_WRONLY | O_CREAT | O_APPEND, NULL);

	if (fd == -1 || fstat(fd, &st) == -1 || write(fd, "\n", 1) != 1)
		st.st_size = 0;
	fd_close(&fd);
	return (uint32_t)st.st_size;
}

/* Berkeley DB dies of some damage to its files (a wrong length in a log, for one), where it should say so. */
static int
open_warily(struct evacuator *e, struct err *err)
{
	bool deadly = begin_opening(e->queue_dir) >= OPENINGS_MOST;
	int rc = deadly ? remake_catalog(e, "several starts in a row died of opening the catalog", err) : open_catalog(e, err);

	(void)disk_unlink(e->queue_dir, "db/" OPENING, NULL);
	return rc;
}

/* docs/SPOOL.md: reserved, so that there is something to throw out. Not on a small disk, which needs the room more. */
static void
make_ballast(int queue_dir)
{
	struct statvfs v;
	struct err err;
	int fd;

	if (fstatvfs(queue_dir, &v) == -1 || (uint64_t)v.f_bavail * v.f_frsize < BALLAST_FREE ||
	    (fd = disk_open(queue_dir, "ballast", O_WRONLY | O_CREAT, &err)) == -1)
		return;
	if (posix_fallocate(fd, 0, BALLAST) != 0)
		(void)disk_unlink(queue_dir, "ballast", NULL);
	fd_close(&fd);
}

int
evacuator_open(struct evacuator *e, const char *queue_path, int queue_dir, uint32_t epoch, struct large *large,
    struct post *post, struct err *err)
{
	*e = (struct evacuator){ .holds = { .dir = -1, .fd = -1 }, .large = large, .post = post, .queue_dir = queue_dir };
	pthread_mutex_init(&e->lock, NULL);
	thread_cond_init(&e->wake);
	STAILQ_INIT(&e->orders);
	STAILQ_INIT(&e->orders_done);
	STAILQ_INIT(&e->questions);
	STAILQ_INIT(&e->answered);
	idset_init(&e->lent);
	buf_init(&e->scratch, SCRATCH_MAX);
	if (snprintf(e->path, sizeof(e->path), "%s/db", queue_path) >= (int)sizeof(e->path))
		return err_set(err, "the queue directory has too long a name");
	if (spool_open(&e->spool, queue_dir, epoch, err) == -1 || holds_open(&e->holds, queue_dir, err) == -1 ||
	    open_warily(e, err) == -1)
		return -1;
	if (e->holds.bad > 0)
		post_say(post, LOG_LEVEL_ERROR, "holds/list: %" PRIu64 " lines cannot be read. That matters only if the catalog is lost as"
		    " well: then as many messages that were held may leave", e->holds.bad);
	make_ballast(queue_dir);
	hunt_init(&e->hunt, e->catalog, &e->spool, &e->holds, post, queue_dir);
	e->totals = catalog_totals(e->catalog);
	return 0;
}

int
evacuator_rebuild(struct evacuator *e, const struct ring_word *ring, int64_t clock_ms, struct err *err)
{
	e->hunt.ids = ring->ids;
	e->hunt.count = ring->count;
	if (!catalog_is_current(e->catalog, ring->commits)) {
		if (remake_catalog(e, "the catalog has lost changes that it had confirmed", err) == -1)
			return -1;
		(void)catalog_is_current(e->catalog, ring->commits);
		e->hunt.catalog = e->catalog;
		e->totals = catalog_totals(e->catalog);
	}
	if (e->totals.clock_ms != 0)
		return 0;
	STEP("rebuild-1");
	if (evacuator_hunt_now(e, err) == -1 || catalog_begin(e->catalog, err) == -1 ||
	    catalog_commit(e->catalog, clock_ms, err) == -1)
		return -1;
	STEP("rebuild-2");
	e->totals = catalog_totals(e->catalog);
	return 0;
}

int
evacuator_hunt_now(struct evacuator *e, struct err *err)
{
	if (e->hunted)
		return 0;
	if (hunt_run(&e->hunt, err) == -1)
		return -1;
	e->hunted = true;
	e->adopted += e->hunt.adopted;
	e->totals = catalog_totals(e->catalog);
	return 0;
}

int
evacuator_start(struct evacuator *e, struct err *err)
{
	if (thread_start(&e->thread, evacuator_main, e, "start the evacuator", err) == -1)
		return -1;
	e->started = true;
	return 0;
}

/* Whoever asked hears that nobody answers any more. */
static void
fail_questions(struct evacuator *e)
{
	struct question *q;

	STAILQ_FOREACH(q, &e->questions, next)
		q->failed = true;
	STAILQ_CONCAT(&e->answered, &e->questions);
}

void
evacuator_stop(struct evacuator *e)
{
	if (!e->started)
		return;
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	call_thread(e);
	pthread_join(e->thread, NULL);
	e->started = false;
	fail_questions(e);
}

void
evacuator_close(struct evacuator *e)
{
	struct order *o;
	struct question *q;

	STAILQ_CONCAT(&e->orders_done, &e->orders);
	while ((o = STAILQ_FIRST(&e->orders_done)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->orders_done, next);
		order_free(o);
	}
	while ((q = STAILQ_FIRST(&e->answered)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->answered, next);
		question_free(q);
	}
	hunt_fini(&e->hunt);
	catalog_close(&e->catalog);
	holds_close(&e->holds);
	spool_close(&e->spool);
	idset_fini(&e->lent);
	buf_fini(&e->scratch);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->lock);
}
