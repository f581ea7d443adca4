/*
 * sync — a thread per device that does nothing but sync when
 * told to, and an eventfd by which it says that it has.
 *
 * Lists of waits belong to the loop's thread alone. Under the lock there are three truths of a
 * device: go (a round is wanted), finished (its result is there), quit.
 */
#include "mda/sync.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"

#define DEVICES_MAX	32

struct sync_device {
	LIST_ENTRY(sync_device)	 all;
	struct sync		*sync;
	dev_t			 dev;
	int			 fd;
	unsigned		 users;
	struct sync_waits	 next, running, served;
	bool			 busy;		/* a round runs, as the loop knows */
	pthread_t		 thread;
	pthread_cond_t		 wake;
	bool			 go, finished, quit;	/* under the lock */
	int			 result;
};

struct sync {
	struct loop		*loop;
	sync_flush_fn		*flush;
	int			 event_fd;
	struct watch		 watch;
	pthread_mutex_t		 lock;
	LIST_HEAD(, sync_device) devices;
	unsigned		 count;
	uint64_t		 rounds, served;
};

int
sync_flush_fs(int fd)
{
	int plan = fault_at("mda-syncfs");

	if (plan != 0)
		return plan == FAULT_SKIP ? 0 : plan;
	return syncfs(fd) == -1 ? errno : 0;
}

bool
sync_serves(int fd)
{
	static const uint32_t magics[] = {
		0xEF53,		/* ext4 and its ancestors */
		0x58465342,	/* xfs */
		0x9123683E,	/* btrfs */
	};
	int flags = fcntl(fd, F_GETFL);
	struct statfs fs;
	struct stat st;

	/* A descriptor that only names a place (O_PATH) cannot be
	 * synced, and this one may come to serve other users, too. */
	if (flags == -1 || (flags & O_PATH) != 0)
		return false;
	if (fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode) || fstatfs(fd, &fs) == -1)
		return false;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if ((uint32_t)fs.f_type == magics[i])
			return true;
	return false;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *
device_thread(void *arg)
{
	struct sync_device *device = arg;
	struct sync *sync = device->sync;
	uint64_t one = 1;

	(void)pthread_mutex_lock(&sync->lock);
	while (!device->quit) {
		int result;

		if (!device->go) {
			(void)pthread_cond_wait(&device->wake, &sync->lock);
			continue;
		}
		device->go = false;
		(void)pthread_mutex_unlock(&sync->lock);
		result = sync->flush(device->fd);
		(void)pthread_mutex_lock(&sync->lock);
		device->result = result;
		device->finished = true;
		(void)!write(sync->event_fd, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&sync->lock);
	return NULL;
}

/* --- the loop's side -------------------------------------------------------------------------- */

static void
move_all(struct sync_waits *from, struct sync_waits *to)
{
	struct sync_wait *wait;

	TAILQ_FOREACH(wait, from, entry)
		wait->list = to;
	TAILQ_CONCAT(to, from, entry);
}

/* Everybody who waits by now is served by the round that begins here. */
static void
device_begin(struct sync_device *device)
{
	if (device->busy || TAILQ_EMPTY(&device->next))
		return;
	device->busy = true;
	device->sync->rounds++;
	move_all(&device->next, &device->running);
	(void)pthread_mutex_lock(&device->sync->lock);
	device->go = true;
	(void)pthread_cond_signal(&device->wake);
	(void)pthread_mutex_unlock(&device->sync->lock);
}

static void	device_end(struct sync_device *);

/* A device that nobody has taken ends; a round that runs is waited for by the loop, not here. */
static void
device_end_if_unused(struct sync_device *device)
{
	if (device->users == 0 && !device->busy)
		device_end(device);
}

/* Once told, a wait may ask again, forget others, or give its device back. */
static void
device_tell(struct sync_device *device, int result)
{
	struct sync_wait *wait;

	device->users++;	/* it must not go beneath us */
	device->busy = false;
	move_all(&device->running, &device->served);
	device_begin(device);
	while ((wait = TAILQ_FIRST(&device->served)) != NULL) {
		TAILQ_REMOVE(&device->served, wait, entry);
		wait->list = NULL;
		device->sync->served++;
		wait->done(wait->arg, result);
	}
	device->users--;
	device_end_if_unused(device);
}

static bool
device_finished(struct sync_device *device, int *result)
{
	bool finished;

	(void)pthread_mutex_lock(&device->sync->lock);
	finished = device->finished;
	device->finished = false;
	*result = device->result;
	(void)pthread_mutex_unlock(&device->sync->lock);
	return finished;
}

static struct sync_device *
first_finished(struct sync *sync, int *result)
{
	struct sync_device *device;

	LIST_FOREACH(device, &sync->devices, all)
		if (device_finished(device, result))
			break;
	return device;
}

static void
on_event(void *arg, int what)
{
	struct sync *sync = arg;
	struct sync_device *device;
	uint64_t count;
	int result;

	(void)what;
	(void)!read(sync->event_fd, &count, sizeof(count));
	/* Looked for from the front each time: telling may end any device. */
	while ((device = first_finished(sync, &result)) != NULL)
		device_tell(device, result);
}

struct sync *
sync_new(struct loop *loop, sync_flush_fn *flush, struct err *err)
{
	struct sync *sync = mem_zalloc(sizeof(*sync));

	if (sync == NULL) {
		err_set(err, "no memory for the shared sync");
		return NULL;
	}
	sync->loop = loop;
	sync->flush = flush;
	LIST_INIT(&sync->devices);
	(void)pthread_mutex_init(&sync->lock, NULL);
	sync->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sync->event_fd == -1 || watch_start(&sync->watch, loop, sync->event_fd, WATCH_READ, on_event, sync) == -1) {
		err_sys(err, "an event for the shared sync");
		fd_close(&sync->event_fd);
		mem_free(sync);
		return NULL;
	}
	return sync;
}

/* Joins the thread; a round that still runs (sync_free only) is waited for: its descriptor is in use. */
static void
device_end(struct sync_device *device)
{
	struct sync *sync = device->sync;

	(void)pthread_mutex_lock(&sync->lock);
	device->quit = true;
	(void)pthread_cond_signal(&device->wake);
	(void)pthread_mutex_unlock(&sync->lock);
	(void)pthread_join(device->thread, NULL);
	(void)pthread_cond_destroy(&device->wake);
	LIST_REMOVE(device, all);
	sync->count--;
	fd_close(&device->fd);
	mem_free(device);
}

void
sync_free(struct sync **syncp)
{
	struct sync *sync = *syncp;

	if (sync == NULL)
		return;
	while (!LIST_EMPTY(&sync->devices))
		device_end(LIST_FIRST(&sync->devices));
	watch_stop(&sync->watch);
	fd_close(&sync->event_fd);
	(void)pthread_mutex_destroy(&sync->lock);
	mem_free(sync);
	*syncp = NULL;
}

/* Signals are the loop's: the thread takes none. */
static int
device_start(struct sync_device *device)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&device->thread, NULL, device_thread, device);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error == 0 ? 0 : -1;
}

static struct sync_device *
device_new(struct sync *sync, dev_t dev, int fd)
{
	struct sync_device *device = sync->count < DEVICES_MAX ? mem_zalloc(sizeof(*device)) : NULL;

	if (device == NULL)
		return NULL;
	device->sync = sync;
	device->dev = dev;
	device->fd = fd;
	TAILQ_INIT(&device->next);
	TAILQ_INIT(&device->running);
	TAILQ_INIT(&device->served);
	(void)pthread_cond_init(&device->wake, NULL);
	if (device_start(device) == -1) {
		(void)pthread_cond_destroy(&device->wake);
		mem_free(device);
		return NULL;
	}
	LIST_INSERT_HEAD(&sync->devices, device, all);
	sync->count++;
	return device;
}

struct sync_device *
sync_device_take(struct sync *sync, int fd, struct err *err)
{
	struct sync_device *device = NULL;
	struct stat st;

	if (fstat(fd, &st) == -1) {
		err_sys(err, "the directory of a worker");
		fd_close(&fd);
		return NULL;
	}
	LIST_FOREACH(device, &sync->devices, all)
		if (device->dev == st.st_dev)
			break;
	if (device != NULL)
		fd_close(&fd);
	else if ((device = device_new(sync, st.st_dev, fd)) == NULL) {
		err_set(err, "no thread or memory for another device");
		fd_close(&fd);
		return NULL;
	}
	device->users++;
	return device;
}

void
sync_device_give(struct sync_device **devicep)
{
	struct sync_device *device = *devicep;

	*devicep = NULL;
	if (device == NULL)
		return;
	device->users--;
	device_end_if_unused(device);
}

void
sync_ask(struct sync_device *device, struct sync_wait *wait)
{
	assert(wait->list == NULL);
	wait->list = &device->next;
	TAILQ_INSERT_TAIL(&device->next, wait, entry);
	device_begin(device);
}

void
sync_forget(struct sync_wait *wait)
{
	if (wait->list == NULL)
		return;
	TAILQ_REMOVE(wait->list, wait, entry);
	wait->list = NULL;
}

uint64_t
sync_rounds(const struct sync *sync)
{
	return sync->rounds;
}

uint64_t
sync_served(const struct sync *sync)
{
	return sync->served;
}
