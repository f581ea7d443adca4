/*
 * crew — lives of workers: WANTED, STARTING, OPENING,
 * SERVING, ENDING, and WANTED again while there is mail.
 */
#include "mda/crew.h"

#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/spawn.h"

#define START_MS	30000	/* until the mailbox is open */
#define SILENCE_MS	60000	/* a worker that owes an answer: its disk hangs */
#define END_MS		10000	/* from closing its socket to its reaping; then SIGKILL, and again */

struct crew {
	struct loop		*loop;
	struct sync		*sync;
	struct crew_ops		 ops;
	struct channel		*spawn;
	struct hash		 by_path;
	TAILQ_HEAD(workers, worker) workers;	/* the longest unused first */
	unsigned		 living, most, wanted;
	int64_t			 idle_ms;
	uint64_t		 number;
	struct hook		 start_hook;
	char			*host;
};

static void	worker_due(void *);
static void	crew_start_soon(struct crew *);

/* --- the spawn wire --------------------------------------------------------------------------- */

static void
spawn_stop(struct crew *crew, const struct worker *w)
{
	struct spawn_event event = { .worker = w->number };

	if (crew->spawn == NULL)
		return;
	spawn_event_put(channel_begin(crew->spawn, SPAWN_STOP), &event);
	(void)channel_end(crew->spawn);
}

static struct worker *
worker_numbered(const struct crew *crew, uint64_t number)
{
	struct worker *w;

	TAILQ_FOREACH(w, &crew->workers, all)
		if (w->number == number && w->state != WORKER_WANTED)
			return w;
	return NULL;
}

/* --- one life --------------------------------------------------------------------------------- */

static bool
worker_used(const struct worker *w)
{
	return !TAILQ_EMPTY(&w->waiting) || !TAILQ_EMPTY(&w->sent);
}

static void
worker_free(struct worker *w)
{
	struct crew *crew = w->crew;

	hash_remove(&crew->by_path, &w->by_path);
	TAILQ_REMOVE(&crew->workers, w, all);
	timer_fini(&w->timer);
	channel_close(&w->channel);
	sync_device_give(&w->device);
	mem_free(w);
}

static void
worker_want(struct worker *w)
{
	w->state = WORKER_WANTED;
	w->crew->wanted++;
	timer_stop(&w->timer);
	crew_start_soon(w->crew);
}

/* Not running any more: begin again if there is mail, else
 * go; copies that only wait for a sync need no process. */
static void
worker_reaped(struct worker *w)
{
	w->crew->living--;
	w->state = WORKER_NONE;
	timer_stop(&w->timer);
	if (!TAILQ_EMPTY(&w->waiting))
		worker_want(w);
	crew_start_soon(w->crew);	/* its place is free */
	if (!worker_used(w))
		worker_free(w);
}

/* Lets go of everything but the number; what was sent is the handoff's to decide about. */
static void
worker_let_go(struct worker *w, bool hopeless, struct status status, const char *text)
{
	struct crew *crew = w->crew;

	channel_close(&w->channel);
	w->streaming = NULL;
	w->owed = 0;
	crew->ops.lost(crew->ops.arg, w, hopeless, status, text);
	sync_device_give(&w->device);
}

/* Its socket is closed, so it ends by itself; ENDED tells when it has been reaped. */
static void
worker_end(struct worker *w, bool hopeless, struct status status, const char *text)
{
	w->state = WORKER_ENDING;
	timer_set(&w->timer, END_MS);
	worker_let_go(w, hopeless, status, text);
	crew_start_soon(w->crew);
}

static void
worker_due(void *arg)
{
	struct worker *w = arg;

	switch (w->state) {
	case WORKER_STARTING:
	case WORKER_OPENING:
		spawn_stop(w->crew, w);
		worker_end(w, true, STATUS(4, 3, 0), "no delivery worker was ready in time");
		break;
	case WORKER_SERVING:
		if (w->owed > 0) {
			log_warn("the worker of %s did not answer for %d s", w->maildir, SILENCE_MS / 1000);
			spawn_stop(w->crew, w);
			worker_end(w, false, STATUS(4, 3, 0), "the mailbox did not answer in time");
		} else if (!worker_used(w)) {
			worker_end(w, false, STATUS(4, 3, 0), "idle");
		}
		break;
	case WORKER_ENDING:
		spawn_stop(w->crew, w);
		timer_set(&w->timer, END_MS);
		break;
	default:
		break;
	}
}

/* --- frames of a worker ----------------------------------------------------------------------- */

static int
on_opened(void *arg, struct reader *in, int fd)
{
	struct worker *w = arg;
	struct crew *crew = w->crew;
	struct err err;

	if (w->state != WORKER_OPENING || fd == -1 || reader_end(in) == -1) {
		fd_close(&fd);
		return -1;
	}
	if (!sync_serves(fd))
		fd_close(&fd);
	else if ((w->device = sync_device_take(crew->sync, fd, &err)) == NULL)
		log_warn("%s: the worker of %s syncs by itself", err.text, w->maildir);
	w->state = WORKER_SERVING;
	crew->ops.ready(crew->ops.arg, w);
	worker_touched(w);
	return 0;
}

static int
on_refused(void *arg, struct reader *in, int fd)
{
	struct worker *w = arg;
	struct mailbox_refused refused;
	struct reader whole = *in;
	char text[MAILBOX_TEXT_MAX + 1];

	(void)fd;
	if (mailbox_refused_get(in, &refused) == -1)
		return -1;
	if (refused.id != 0)
		return w->state == WORKER_SERVING ? w->crew->ops.frame(w->crew->ops.arg, w, MAILBOX_REFUSED, &whole) : -1;
	if (w->state != WORKER_OPENING)
		return -1;
	memcpy(text, refused.text.p, refused.text.len);
	text[refused.text.len] = '\0';
	worker_end(w, true, refused.status, text);
	return 0;
}

static int
on_ids(struct worker *w, uint16_t type, struct reader *in)
{
	if (w->state != WORKER_SERVING)
		return -1;
	return w->crew->ops.frame(w->crew->ops.arg, w, type, in);
}

static int
on_written(void *arg, struct reader *in, int fd)
{
	(void)fd;
	return on_ids(arg, MAILBOX_WRITTEN, in);
}

static int
on_renamed(void *arg, struct reader *in, int fd)
{
	(void)fd;
	return on_ids(arg, MAILBOX_RENAMED, in);
}

static int
on_stored(void *arg, struct reader *in, int fd)
{
	(void)fd;
	return on_ids(arg, MAILBOX_STORED, in);
}

static void
on_worker_end(void *arg, const char *why)
{
	struct worker *w = arg;
	bool young = w->state == WORKER_OPENING;

	log_warn("the worker of %s is lost: %s", w->maildir, why);
	spawn_stop(w->crew, w);
	/* One that ended before it opened its mailbox would do so again, and again. */
	worker_end(w, young, STATUS(4, 3, 0), "the delivery worker ended early");
}

static void
on_worker_drained(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_SERVING)
		w->crew->ops.drained(w->crew->ops.arg, w);
}

static const struct frame_handler worker_handlers[MAILBOX_FRAME_COUNT] = {
	[MAILBOX_OPENED]  = { "OPENED", on_opened, true },
	[MAILBOX_WRITTEN] = { "WRITTEN", on_written, false },
	[MAILBOX_RENAMED] = { "RENAMED", on_renamed, false },
	[MAILBOX_STORED]  = { "STORED", on_stored, false },
	[MAILBOX_REFUSED] = { "REFUSED", on_refused, false },
};

static const struct channel_ops worker_ops = {
	.wire = MAILBOX_WIRE, .version = MAILBOX_VERSION, .handlers = worker_handlers, .handler_count = MAILBOX_FRAME_COUNT,
	.on_end = on_worker_end, .on_drained = on_worker_drained,
};

/* --- frames of the supervisor ----------------------------------------------------------------- */

static void
worker_open(struct worker *w, int fd)
{
	struct mailbox_open open = { slice_str(w->home), slice_str(w->maildir), slice_str(w->crew->host) };
	struct err err;

	if ((w->channel = channel_open(w->crew->loop, fd, &worker_ops, w, &err)) == NULL) {
		log_error("%s", err.text);
		spawn_stop(w->crew, w);
		worker_end(w, true, STATUS(4, 3, 0), "no memory for a delivery worker");
		return;
	}
	w->state = WORKER_OPENING;
	mailbox_open_put(channel_begin(w->channel, MAILBOX_OPEN), &open);
	(void)channel_end(w->channel);
}

static int
on_started(void *arg, struct reader *in, int fd)
{
	struct crew *crew = arg;
	struct spawn_event event;
	struct worker *w;

	if (spawn_event_get(in, &event) == -1 || fd == -1) {
		fd_close(&fd);
		return -1;
	}
	w = worker_numbered(crew, event.worker);
	if (w == NULL || w->state != WORKER_STARTING) {
		fd_close(&fd);		/* we gave it up meanwhile; closing ends it */
		return 0;
	}
	worker_open(w, fd);
	return 0;
}

static int
on_spawn_refused(void *arg, struct reader *in, int fd)
{
	struct crew *crew = arg;
	char text[SPAWN_TEXT_MAX + 1];
	struct spawn_event event;
	struct worker *w;

	(void)fd;
	if (spawn_event_get(in, &event) == -1)
		return -1;
	if ((w = worker_numbered(crew, event.worker)) == NULL)
		return 0;
	memcpy(text, event.text.p, event.text.len);
	text[event.text.len] = '\0';
	worker_let_go(w, true, STATUS(4, 3, 0), text);
	worker_reaped(w);
	return 0;
}

static int
on_ended(void *arg, struct reader *in, int fd)
{
	struct crew *crew = arg;
	struct spawn_event event;
	struct worker *w;

	(void)fd;
	if (spawn_event_get(in, &event) == -1)
		return -1;
	if ((w = worker_numbered(crew, event.worker)) == NULL)
		return 0;
	/* Its last frames may still be unread; what they would have said is asked again. */
	if (w->state != WORKER_ENDING)
		worker_end(w, w->state != WORKER_SERVING, STATUS(4, 3, 0), "the delivery worker ended early");
	worker_reaped(w);
	return 0;
}

static void
on_spawn_end(void *arg, const char *why)
{
	struct crew *crew = arg;
	struct worker *w, *next;

	log_warn("the wire to the supervisor ended: %s", why);
	channel_close(&crew->spawn);
	/* Nobody tells of their end any more: their sockets do. */
	for (w = TAILQ_FIRST(&crew->workers); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->state == WORKER_STARTING)
			worker_let_go(w, true, STATUS(4, 3, 0), "no supervisor to start a delivery worker");
		if (w->state == WORKER_STARTING || w->state == WORKER_ENDING)
			worker_reaped(w);
	}
}

static const struct frame_handler spawn_handlers[SPAWN_FRAME_COUNT] = {
	[SPAWN_STARTED] = { "STARTED", on_started, true },
	[SPAWN_REFUSED] = { "REFUSED", on_spawn_refused, false },
	[SPAWN_ENDED]   = { "ENDED", on_ended, false },
};

static const struct channel_ops spawn_ops = {
	.wire = "spawn", .version = SPAWN_VERSION, .handlers = spawn_handlers, .handler_count = SPAWN_FRAME_COUNT,
	.on_end = on_spawn_end,
};

void
crew_wire(struct crew *crew, int fd)
{
	struct err err;

	channel_close(&crew->spawn);
	if ((crew->spawn = channel_open(crew->loop, fd, &spawn_ops, crew, &err)) == NULL)
		log_error("%s", err.text);
	crew_start_soon(crew);
}

/* --- places ----------------------------------------------------------------------------------- */

static void
worker_start(struct worker *w)
{
	struct crew *crew = w->crew;
	struct spawn_start start = { ++crew->number, w->uid, w->gid, slice_str(w->user) };

	w->number = crew->number;
	w->state = WORKER_STARTING;
	crew->wanted--;
	crew->living++;
	timer_set(&w->timer, START_MS);
	spawn_start_put(channel_begin(crew->spawn, SPAWN_START), &start);
	(void)channel_end(crew->spawn);
}

/* The idle worker that was unused longest makes room. */
static void
crew_make_room(struct crew *crew)
{
	struct worker *w;

	TAILQ_FOREACH(w, &crew->workers, all)
		if (w->state == WORKER_ENDING)
			return;		/* room is on its way */
	TAILQ_FOREACH(w, &crew->workers, all)
		if (w->state == WORKER_SERVING && !worker_used(w)) {
			worker_end(w, false, STATUS(4, 3, 0), "idle");
			return;
		}
}

static void
crew_start(void *arg)
{
	struct crew *crew = arg;
	struct worker *w;

	if (crew->spawn == NULL || crew->wanted == 0)
		return;
	TAILQ_FOREACH(w, &crew->workers, all)
		if (w->state == WORKER_WANTED && crew->living < crew->most)
			worker_start(w);
	if (crew->wanted > 0)
		crew_make_room(crew);
}

static void
crew_start_soon(struct crew *crew)
{
	loop_at_end(crew->loop, &crew->start_hook, crew_start, crew);
}

static uint64_t
path_hash(struct slice maildir, uint32_t uid)
{
	return hash_slice(maildir) + uid;
}

static struct worker *
worker_find(const struct crew *crew, const struct mailbox_answer *mailbox)
{
	struct hash_node *node = hash_first(&crew->by_path, path_hash(mailbox->maildir, mailbox->uid));

	for (; node != NULL; node = hash_next(node)) {
		struct worker *w = CONTAINER_OF(node, struct worker, by_path);

		if (w->uid == mailbox->uid && w->gid == mailbox->gid && slice_eq(slice_str(w->maildir), mailbox->maildir) &&
		    slice_eq(slice_str(w->home), mailbox->home))
			return w;
	}
	return NULL;
}

static char *
keep_string(char **at, struct slice s)
{
	char *kept = *at;

	memcpy(kept, s.p, s.len);
	kept[s.len] = '\0';
	*at += s.len + 1;
	return kept;
}

static struct worker *
worker_new(struct crew *crew, const struct mailbox_answer *mailbox)
{
	struct worker *w = mem_zalloc(sizeof(*w) + mailbox->user.len + mailbox->home.len + mailbox->maildir.len + 3);
	char *at;

	if (w == NULL || timer_init(&w->timer, crew->loop, worker_due, w) == -1) {
		mem_free(w);
		return NULL;
	}
	at = w->strings;
	w->crew = crew;
	w->uid = mailbox->uid;
	w->gid = mailbox->gid;
	w->user = keep_string(&at, mailbox->user);
	w->home = keep_string(&at, mailbox->home);
	w->maildir = keep_string(&at, mailbox->maildir);
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->sent);
	hash_insert(&crew->by_path, &w->by_path, path_hash(mailbox->maildir, mailbox->uid));
	TAILQ_INSERT_TAIL(&crew->workers, w, all);
	return w;
}

struct worker *
crew_worker(struct crew *crew, const struct mailbox_answer *mailbox)
{
	struct worker *w = worker_find(crew, mailbox);

	if (w == NULL)
		return worker_new(crew, mailbox);
	if (w->state == WORKER_SERVING && w != TAILQ_LAST(&crew->workers, workers)) {
		TAILQ_REMOVE(&crew->workers, w, all);
		TAILQ_INSERT_TAIL(&crew->workers, w, all);
	}
	return w;
}

void
worker_wanted(struct worker *w)
{
	if (w->state == WORKER_NONE)
		worker_want(w);
}

void
worker_touched(struct worker *w)
{
	if (w->state == WORKER_SERVING) {
		if (w->owed > 0)
			timer_set(&w->timer, SILENCE_MS);
		else if (!worker_used(w))
			timer_set(&w->timer, w->crew->idle_ms);
		else
			timer_stop(&w->timer);		/* it waits for a sync, not for the worker */
		if (!worker_used(w) && w->crew->wanted > 0)
			crew_start_soon(w->crew);
	} else if ((w->state == WORKER_WANTED || w->state == WORKER_NONE) && !worker_used(w)) {
		if (w->state == WORKER_WANTED)
			w->crew->wanted--;
		worker_free(w);
	}
}

void
worker_retire(struct worker *w)
{
	if (w->state == WORKER_SERVING)
		worker_end(w, false, STATUS(4, 3, 0), "the mailbox was moved");
}

size_t
crew_living(const struct crew *crew)
{
	return crew->living;
}

/* --- life ------------------------------------------------------------------------------------- */

struct crew *
crew_new(struct loop *loop, struct sync *sync, const struct crew_ops *ops, struct err *err)
{
	struct crew *crew = mem_zalloc(sizeof(*crew));

	if (crew == NULL) {
		err_set(err, "no memory for delivery workers");
		return NULL;
	}
	crew->loop = loop;
	crew->sync = sync;
	crew->ops = *ops;
	hash_init(&crew->by_path);
	TAILQ_INIT(&crew->workers);
	return crew;
}

void
crew_configure(struct crew *crew, unsigned most, int64_t idle_ms, const char *host)
{
	char *copy = slice_dup(slice_str(host));

	crew->most = most > 0 ? most : 1;
	crew->idle_ms = idle_ms;
	if (copy != NULL) {
		mem_free(crew->host);
		crew->host = copy;
	}
	crew_start_soon(crew);
}

void
crew_free(struct crew **crewp)
{
	struct crew *crew = *crewp;

	if (crew == NULL)
		return;
	while (!TAILQ_EMPTY(&crew->workers))
		worker_free(TAILQ_FIRST(&crew->workers));
	loop_hook_cancel(crew->loop, &crew->start_hook);
	channel_close(&crew->spawn);
	hash_fini(&crew->by_path);
	mem_free(crew->host);
	mem_free(crew);
	*crewp = NULL;
}
