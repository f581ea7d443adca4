#ifndef SUPERVISOR_OPERATOR_H
#define SUPERVISOR_OPERATOR_H
/*
 * operator — RUNDIR/control: tools ask for status, reload and stop.
 *
 * Anybody on the machine may ask for the status; reload and stop take root or the uid that posthornd runs as. The kernel says
 * who is asking (SO_PEERCRED).
 */
#include <bsd/sys/queue.h>

#include "event/loop.h"
#include "wire/control.h"

#define OPERATOR_SESSIONS	16
#define OPERATOR_STRANGERS	8	/* of them: the others are for those who may stop and reload */

/* Each is asked for at most once until the answer was given; the answer goes to all who wait for it. */
struct operator_ops {
	void	(*status)(void *);
	void	(*reload)(void *);
	void	(*stop)(void *);
};

struct session;
TAILQ_HEAD(session_list, session);

struct operator {
	struct loop			*loop;
	const struct operator_ops	*ops;
	void				*arg;
	int				 fd;
	struct watch			 watch;
	struct session_list		 sessions;
	unsigned			 count, strangers;
};

int	operator_open(struct operator *, struct loop *, const char *directory, const struct operator_ops *, void *arg, struct err *);
void	operator_close(struct operator *);
/* The answers. `text`: the plain form; `json`: the same for those who asked for JSON. */
void	operator_tell_status(struct operator *, struct slice text, struct slice json);
void	operator_tell_reload(struct operator *, bool ok, const char *text);

#endif
