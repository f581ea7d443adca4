#ifndef LOOKUP_LOOKUP_H
#define LOOKUP_LOOKUP_H
/*
 * lookup — the broker: questions from many wires in, answers out, and no wait of its own.
 *
 * What the configuration alone can say and what the cache knows is answered at
 * once; the rest goes, one question at a time, to the pool's workers, taking
 * turns among the wires. A question that cannot wait (too many do already), or
 * that has waited the whole answer time, is answered "try later".
 */
#include "conf/conf.h"
#include "event/loop.h"
#include "wire/control.h"

struct lookup;

/* The blocking part, run in a forked child; worker_run except in tests. */
typedef int lookup_child_fn(int fd, const struct conf *);

/* Borrows conf until lookup_reload gives another. NULL: err. */
struct lookup	*lookup_new(struct loop *, const struct conf *, lookup_child_fn *, struct err *);
void		 lookup_free(struct lookup **);
/* A wire of a process in this role; takes fd. */
void		 lookup_wire(struct lookup *, enum wire_role, int fd);
/* New domains, new workers, a new generation. -1: err, and nothing can be answered any more. */
int		 lookup_reload(struct lookup *, const struct conf *, struct err *);
bool		 lookup_is_whole(const struct lookup *);	/* queue can ask */
void		 lookup_status(const struct lookup *, struct buf *out);

#endif
