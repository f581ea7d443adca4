#ifndef STORE_COMMITTER_H
#define STORE_COMMITTER_H
/*
 * committer — the thread that turns what waits into one batch and one sync, and the only writer
 * of the ring.
 *
 * There is no timer: while one sync runs, the next batch gathers. Batch k+1 is written only
 * after the sync of batch k returned 0. Where changes come one by one and the disk is quick nothing
 * gathers, and the loop does the committer's work itself: two wake-ups less for a message. A sync that failed is never asked for again on that
 * file: the same batch goes to the next segment; when that fails, too, nothing is durable any
 * more and every change is told so.
 */
#include <bsd/sys/queue.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/store/batch.h"
#include "queue/store/post.h"

struct ring;
struct segment;
struct change;

struct committer_figures {
	uint64_t batches, records, bytes, syncs;
};

struct committer {
	struct ring		*ring;
	struct post		*post;
	pthread_t		 thread;
	bool			 started;
	pthread_mutex_t		 lock;
	pthread_cond_t		 wake;
	struct post_list	 waiting;	/* under lock */
	int64_t			 due;		/* under lock: earliest of the waiting; 0: now */
	bool			 asleep, closing;	/* under lock */
	bool			 lent;		/* under lock: the loop does the thread's work, and has what is the thread's own */
	int64_t			 quick_ms;	/* a write and sync that take no longer are quick; a test has all the time in the world */
	uint32_t		 calm;		/* under lock: so many batches in a row were one change and a quick sync */
	struct committer_figures figures;	/* under lock */
	bool			 broken;	/* under lock: no change can be made durable any more */
	char			 why[256];	/* under lock */
	/* the thread's own */
	struct post_list	 taken;
	struct batch		 batch;
	uint32_t		 urgent;	/* changes in it that would not wait */
	unsigned char		 segment_head[4096];
};

void	committer_init(struct committer *, struct ring *, struct post *);
void	committer_fini(struct committer *);
int	committer_start(struct committer *, struct err *);
void	committer_stop(struct committer *);	/* waits for all that was given; then writes the END batch */
void	committer_give(struct committer *, struct post_list *);	/* any thread; empties the list */
/* The loop: a single urgent change that comes to a committer with nothing to do is committed before this returns, and
 * posted; true. Else nothing is done. */
bool	committer_try(struct committer *, struct post_list *);
bool	committer_is_broken(struct committer *, char why[256]);
void	committer_figures(struct committer *, struct committer_figures *);
/* Without the thread, in recovery: one batch that may take the last free segment. -1: not
 * durable. */
int	committer_write_now(struct committer *, struct post_list *, struct err *);
void	committer_wipe_now(struct committer *, struct segment *);

#endif
