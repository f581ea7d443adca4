#ifndef LOGGER_SINK_H
#define LOGGER_SINK_H
/*
 * sink — where lines go: syslog, stderr, a file. Never waits.
 *
 * Lines gather in a buffer and leave in one write at the end of a round. What a stuck target does
 * not take stays there up to SINK_KEEP bytes; then lines are dropped and counted, and the count is
 * told when it flows again.
 */
#include "base/buf.h"
#include "event/timer.h"
#include "proc/privdrop.h"

#define SINK_KEEP	(4 * 1024 * 1024)

struct sink {
	int			 kind;		/* sink.c's */
	int			 fd;
	struct buf		 lines;
	uint64_t		 dropped;	/* since it last flowed */
	uint64_t		 dropped_ever;
	struct loop		*loop;
	struct watch		 watch;		/* waits for room while stuck */
	struct timer		 again;		/* tries again after an error */
	bool			 stuck;
	void			(*flows)(void *, uint64_t dropped);	/* it flows again; say so */
	void			*arg;
};

/*
 * "syslog", "stderr", "file:/path". Before the sandbox: nothing is opened later (but syslog's
 * socket, which may be new). `as`: we are root, and this user's rights open a file (who can write
 * to the folder may have put a link there); only in a folder of root's alone is it made for the
 * user. NULL: with the rights that we have.
 */
int	sink_open(struct sink *, const char *target, const struct account *as, struct err *);
bool	sink_is_syslog(const struct sink *);
/* -1: no memory. */
int	sink_start(struct sink *, struct loop *, void (*flows)(void *, uint64_t dropped), void *arg);
void	sink_dropped(struct sink *);		/* a line found no room in `lines` */
void	sink_flush(struct sink *);
void	sink_close(struct sink *);		/* one last try, without waiting */

#endif
