#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H
/*
 * loop — one process, one loop: descriptors, and what happens once per round.
 *
 * A thin face on libevent's core, so that nothing else includes libevent. A *round* is: wait, run what is
 * ready, run the round's end (hooks flush what the round has queued, so that one system call serves
 * many messages), free what was thrown away. A callback may stop or throw away anything, itself included:
 * memory handed to loop_discard is freed only when the round is over.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;

struct loop	*loop_new(struct err *);		/* make it after fork */
void		 loop_free(struct loop *);
int		 loop_run(struct loop *);		/* until loop_stop; 0, or -1 when waiting itself fails */
void		 loop_stop(struct loop *);		/* leave loop_run at the end of this round */
int64_t		 loop_now(const struct loop *);		/* monotonic ms, read once per round */
uint64_t	 loop_round(const struct loop *);	/* another number in each round */

/* free_fn(ptr) when the round is over. Cannot fail. The node lives inside the object. */
struct discard {
	struct discard	*next;
	void		(*free_fn)(void *);
	void		*ptr;
};
void		 loop_discard(struct loop *, struct discard *, void (*free_fn)(void *), void *ptr);

/* Runs once at the end of this round (or of the next, when asked for while hooks run); asking twice
 * counts once. Zero it before first use. hook_cancel before its memory goes. */
struct hook {
	struct hook	*next;
	void		(*fn)(void *);
	void		*arg;
	bool		 queued;
};
void		 loop_at_end(struct loop *, struct hook *, void (*fn)(void *), void *arg);
void		 loop_hook_cancel(struct loop *, struct hook *);
/* A hook that runs at the end of every round, behind all others (the log's flush). One per loop. */
void		 loop_every_round(struct loop *, void (*fn)(void *), void *arg);

/* watch — tells when a descriptor can be read or written
 * (level-triggered). Does not own the descriptor. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct event;
struct watch {
	struct loop	*loop;
	struct event	*event;
	int		 fd;
	int		 wants;		/* WATCH_ bits in force */
	void		(*fn)(void *arg, int what);
	void		*arg;
};
int		 watch_start(struct watch *, struct loop *, int fd, int wants,
		    void (*fn)(void *arg, int what), void *arg);	/* -1: no memory */
void		 watch_want(struct watch *, int wants);			/* 0: rests, costs nothing */
void		 watch_stop(struct watch *);				/* before close(fd); twice is fine */

/* A read buffer that all streams of a loop share: what
 * is in it must be used or copied before returning. */
#define LOOP_SCRATCH	65536
char		*loop_scratch(struct loop *);

#endif
