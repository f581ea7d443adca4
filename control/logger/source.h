#ifndef LOGGER_SOURCE_H
#define LOGGER_SOURCE_H
/*
 * source — the reading end of one process's log socket. Who
 * it is says the supervisor; which process id, the kernel.
 */
#include <bsd/sys/queue.h>

#include "control/logger/lines.h"
#include "event/loop.h"

#define SOURCE_AT_ONCE	8	/* datagrams in one system call */

/* Memory to receive into, shared by all sources. */
struct inbox;
struct inbox	*inbox_new(void);		/* NULL: no memory */
void		 inbox_free(struct inbox **);

struct source;
LIST_HEAD(source_list, source);

struct source_ops {
	void	(*datagram)(void *, const struct line_source *, struct slice);
	void	(*ended)(void *, struct source *);	/* its process is gone and all of it was read: close it */
};

struct source {
	LIST_ENTRY(source)	 entry;
	struct line_source	 who;
	int			 fd;
	struct watch		 watch;
	struct inbox		*inbox;
	const struct source_ops	*ops;
	void			*arg;
};

/* Takes the descriptor, also on failure. */
struct source	*source_open(struct loop *, struct inbox *, int fd, enum wire_role, uint32_t number, const struct source_ops *,
		    void *arg);
void		 source_read(struct source *);		/* what waits there now; may end it */
void		 source_close(struct source **);

#endif
