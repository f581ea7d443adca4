#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H
/*
 * spool — a plain file for each message that has left the ring undelivered: its record, as the ring
 * had it, then the content as it is, so that an editor shows the mail.
 *
 * Files lie in folders named by the epoch that made them and a number: spool/0000002a.0001/ID. A
 * folder of an earlier epoch never gets another file, so a hunt through it meets nobody. The record
 * of a large message is spool/large/ID.env, beside its content (folder 0).
 *
 * Used by one thread; spool_read_open by any.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "queue/store/record.h"

#define SPOOL_LARGE	UINT64_C(0)	/* the folder of large messages' records */
#define SPOOL_ROUND	128u		/* files written between two syncs, at most */
#define SPOOL_CACHE	16u

struct spool_file {
	uint64_t	id, folder;
	uint32_t	place;		/* where the content begins */
	int		fd;		/* until it is synced; -1 */
};

struct spool_folder {
	uint64_t	number;
	int		fd;		/* -1: this place is free */
	bool		changed;	/* names came or went since its last sync */
};

struct spool {
	int		 dir;			/* spool/ */
	uint32_t	 epoch, next;		/* of the next folder */
	uint64_t	 current;		/* folder that takes new files; 0: none yet */
	uint32_t	 in_current;
	bool		 changed;		/* spool/ has a new folder */
	bool		 alone;			/* the queue has a file system of its own: one syncfs serves all */
	struct spool_folder folders[SPOOL_CACHE];
	uint32_t	 turn;			/* the place in `folders` that goes next */
};

int	spool_open(struct spool *, int queue_dir, uint32_t epoch, struct err *);
void	spool_close(struct spool *);

/* docs/SPOOL.md, evacuate: 1 the file, 2 its sync, 3 its folder's. Nothing may name a file before
 * spool_sync has returned 0. After -1 spool_write has left nothing behind. */
int	spool_write(struct spool *, const struct record *, struct spool_file *, struct err *);
int	spool_sync(struct spool *, struct spool_file *, uint32_t count, struct err *);
/* Removes; one that is not there is fine. Durable after spool_settle. */
int	spool_remove(struct spool *, uint64_t folder, uint64_t id, struct err *);
int	spool_settle(struct spool *, struct err *);

/* For reading content at `place`; the content of a large one is large.h's. */
int	spool_read_open(const struct spool *, uint64_t folder, uint64_t id, struct err *);
bool	spool_holds(const struct spool *, uint64_t folder, uint64_t id);
/* The whole file, checked. Slices point into `bytes`. 1: it is no whole record of this id. */
int	spool_read(const struct spool *, uint64_t folder, uint64_t id, struct buf *bytes, struct record *, struct err *);

/* Each file of earlier epochs. `each`: anything but 0 ends the walk, -1 as an error; it may remove
 * what it is shown. */
typedef int spool_each(void *arg, uint64_t folder, uint64_t id, struct err *);
int	spool_walk(struct spool *, spool_each *, void *arg, struct err *);

#endif
