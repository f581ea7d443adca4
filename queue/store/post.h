#ifndef STORE_POST_H
#define STORE_POST_H
/*
 * post — what the threads have finished, brought to the loop: one eventfd read for many changes.
 */
#include <bsd/sys/queue.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/log.h"
#include "event/loop.h"

struct change;
STAILQ_HEAD(post_list, change);

/* Words of a thread for the log: threads do not log themselves. */
struct notice {
	STAILQ_ENTRY(notice) next;
	enum log_level	level;
	char		text[320];
};
STAILQ_HEAD(notice_list, notice);

struct post {
	int			fd;		/* eventfd */
	pthread_mutex_t		lock;
	struct post_list	finished;	/* under lock */
	struct notice_list	notices;	/* under lock */
	bool			rung;		/* under lock: the eventfd is set already */
	struct watch		watch;
	bool			watching;
};

int	post_open(struct post *, struct err *);
int	post_watch(struct post *, struct loop *, void (*fn)(void *, int), void *arg, struct err *);
void	post_close(struct post *);
void	post_give(struct post *, struct post_list *);	/* any thread; empties the list */
void	post_leave(struct post *, struct post_list *);	/* the loop, which takes it next: no bell */
void	post_ring(struct post *);				/* any thread: the loop has something to fetch elsewhere */
void	post_say(struct post *, enum log_level, const char *, ...) __attribute__((format(printf, 3, 4)));
void	post_take(struct post *, struct post_list *);	/* the loop; logs the notices */

#endif
