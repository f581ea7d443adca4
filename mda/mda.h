#ifndef MDA_MDA_H
#define MDA_MDA_H
/*
 * mda — the agent for local mailboxes: takes jobs from
 * queue, keeps every outcome until queue has committed it.
 *
 * When queue is replaced, the new wire begins with every lease that is still held here, running or
 * finished, so that a new queue starts nothing twice.
 */
#include "conf/conf.h"
#include "mda/sync.h"

struct mda;

/* Borrows conf until mda_reload. root: the supervisor can become other users. */
struct mda	*mda_new(struct loop *, const struct conf *, bool root, sync_flush_fn *, struct err *);
void		 mda_free(struct mda **);
void		 mda_reload(struct mda *, const struct conf *);
void		 mda_wire_deliver(struct mda *, int fd);	/* each takes fd */
void		 mda_wire_lookup(struct mda *, int fd);
void		 mda_wire_spawn(struct mda *, int fd);
/* Takes no more jobs; `stopped` runs once nothing is running (maybe at once). */
void		 mda_stop(struct mda *, void (*stopped)(void *), void *arg);
bool	mda_is_whole(const struct mda *);	/* its wires are there, or there is something to keep for queue */
void		 mda_status(const struct mda *, struct buf *out);

#endif
