#ifndef MDA_CREW_H
#define MDA_CREW_H
/*
 * crew — the workers: one per mailbox with mail, asked of
 * the supervisor, opened, kept while there is work, ended.
 *
 * At most `most` of them at a time, counting those that have ended but are not reaped yet: two
 * workers of one mailbox never overlap. When all places are taken, an idle worker makes room for
 * the next mailbox that waits.
 *
 * A worker's object lives as long as the handoff has something for it (worker_used) or its process lives.
 */
#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "mda/sync.h"
#include "mda/worker/wire.h"
#include "wire/lookup.h"

enum worker_state {
	WORKER_NONE,
	WORKER_WANTED,		/* no place yet, or no wire to the supervisor */
	WORKER_STARTING,	/* the supervisor was asked */
	WORKER_OPENING,		/* it runs; its mailbox is not open yet */
	WORKER_SERVING,
	WORKER_ENDING		/* its socket is closed; not reaped yet */
};

struct delivery;
TAILQ_HEAD(deliveries, delivery);

struct worker {
	/* For the handoff. */
	struct deliveries	 waiting, sent;
	unsigned		 sent_count;
	unsigned		 owed;		/* answers that the worker owes: then silence ends it */
	struct delivery		*streaming;	/* its content is being sent piece by piece */
	struct channel		*channel;	/* OPENING, SERVING */
	struct sync_device	*device;	/* SERVING; NULL: the worker syncs by itself */
	/* The crew's. */
	struct crew		*crew;
	enum worker_state	 state;
	struct hash_node	 by_path;
	TAILQ_ENTRY(worker)	 all;
	uint64_t		 number;	/* of its present life */
	uint32_t		 uid, gid;
	char			*user, *home, *maildir;
	struct timer		 timer;
	char			 strings[];
};

struct crew_ops {
	void	(*ready)(void *arg, struct worker *);		/* SERVING now */
	/* Its life is over, or never began. `sent` must be emptied; `waiting` stays for its next
	 * life, unless hopeless: then status and text say why, and `waiting` must be emptied, too. */
	void	(*lost)(void *arg, struct worker *, bool hopeless, struct status, const char *text);
	void	(*drained)(void *arg, struct worker *);		/* all that was sent has left */
	/* WRITTEN, RENAMED, STORED or REFUSED of a copy. -1: a bad frame. */
	int	(*frame)(void *arg, struct worker *, uint16_t type, struct reader *);
	void	*arg;
};

struct crew;

struct crew	*crew_new(struct loop *, struct sync *, const struct crew_ops *, struct err *);
void		 crew_free(struct crew **);		/* no callback runs any more */
void		 crew_configure(struct crew *, unsigned most, int64_t idle_ms, const char *host);
void		 crew_wire(struct crew *, int fd);	/* the spawn wire */
/* The mailbox's worker, made if need be; NULL: no memory.
 * Put something into `waiting`, then worker_wanted. */
struct worker	*crew_worker(struct crew *, const struct mailbox_answer *);
void		 worker_wanted(struct worker *);
/* After `sent`, `waiting` or `owed` changed: sets its
 * clock anew, and lets it go when it is of no more use. */
void		 worker_touched(struct worker *);
/* It can take no more (its Maildir was moved): ends it; what waits goes to its next life. */
void		 worker_retire(struct worker *);
size_t		 crew_living(const struct crew *);

#endif
