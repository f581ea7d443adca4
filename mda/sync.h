#ifndef MDA_SYNC_H
#define MDA_SYNC_H
/*
 * sync — one sync of a file system serves everybody who waits for it.
 *
 * Each device has a thread and one round at a time; rounds follow each other without a pause while
 * anybody waits. A wait is served only by a round that *began* after sync_ask: bytes written before
 * the call are then durable when it is told so. If the round fails, every wait of it hears the
 * error: what it stands for has to be written anew, because the kernel forgets failed pages and a
 * second sync of them would lie.
 */
#include <sys/types.h>
#include <bsd/sys/queue.h>

#include "event/loop.h"

struct sync;
struct sync_device;

TAILQ_HEAD(sync_waits, sync_wait);
struct sync_wait {			/* lives inside who waits; zero it before first use */
	TAILQ_ENTRY(sync_wait)	 entry;
	struct sync_waits	*list;	/* NULL: does not wait */
	void			(*done)(void *arg, int error);	/* 0, or errno; from the loop */
	void			*arg;
};

/* Makes everything on fd's file system durable: 0 or errno. Runs in a thread. */
typedef int sync_flush_fn(int fd);
int		 sync_flush_fs(int fd);		/* syncfs */

struct sync	*sync_new(struct loop *, sync_flush_fn *, struct err *);
/* Waits for rounds that are running; no callback runs any more. Devices still taken are gone with it. */
void		 sync_free(struct sync **);

/* Does syncfs mean there what we need: a local file system that
 * tells errors (ext4, xfs, btrfs)? fd must be a directory. */
bool		 sync_serves(int fd);
/* The device that fd lies on; takes fd, and keeps the
 * first of each device. NULL: err, use no shared sync. */
struct sync_device *sync_device_take(struct sync *, int fd, struct err *);
/* When the last one is given back its thread ends and it is closed, as soon as no wait is left on it. */
void		 sync_device_give(struct sync_device **);

void		 sync_ask(struct sync_device *, struct sync_wait *);
void		 sync_forget(struct sync_wait *);	/* does not wait: nothing */
uint64_t	 sync_rounds(const struct sync *);
uint64_t	 sync_served(const struct sync *);

#endif
