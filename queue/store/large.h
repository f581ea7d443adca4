#ifndef STORE_LARGE_H
#define STORE_LARGE_H
/*
 * large — contents that have a file of their own, and the thread that makes them durable before
 * the batch that names them.
 *
 * The descriptor that the content is written through is the receiver's; the store keeps one of
 * its own from the creation on, so that no failed write-back goes unseen. A file whose sync
 * failed is removed: nobody may ask again.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "queue/store/post.h"

struct committer;
struct unlink_job;

struct large {
	int			 dir;		/* spool/large/ */
	struct committer	*committer;
	struct post		*post;
	struct hash		 files;		/* the loop's: created, not yet put */
	pthread_t		 thread;
	bool			 started;
	pthread_mutex_t		 lock;
	pthread_cond_t		 wake;
	struct post_list	 waiting;	/* under lock */
	struct unlink_job	*unlinks;	/* under lock */
	bool			 closing;	/* under lock */
	bool			 pinned;	/* under lock: what is finished stays for now */
	bool			 failed;	/* the thread's: the directory could not be synced */
};

int	large_open(struct large *, int queue_dir, struct committer *, struct post *, struct err *);
int	large_start(struct large *, struct err *);
void	large_stop(struct large *);		/* waits for all that was given */
void	large_close(struct large *);
int	large_create(struct large *, uint64_t id, struct err *);
void	large_forget(struct large *, uint64_t id);
void	large_claim(struct large *, struct change *);	/* the change takes its files' descriptors */
void	large_give(struct large *, struct post_list *);	/* empties the list; then they go to the committer */
void	large_unlink(struct large *, uint64_t id);
int	large_remove(struct large *, uint64_t id, struct err *);	/* at once and durably; any thread; one that is not there is fine */
void	large_pin(struct large *, bool);		/* nothing is unlinked from now on; or again */
void	large_drop_unlinks(struct large *);	/* after large_stop: what nobody will do any more */
int	large_size(struct large *, uint64_t id, uint64_t *size, struct err *);	/* of the file as it is */
/* At start: removes what no live message names. */
int	large_hunt(struct large *, bool (*lives)(void *arg, uint64_t id), void *arg, struct err *);

#endif
