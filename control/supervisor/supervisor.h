#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H
/*
 * supervisor — owns the children: start order, restarts, reload, orderly stop. The only code that runs as root; it reads
 * no byte that came from the network and no mail.
 */
#include "base/err.h"
#include "conf/conf.h"

struct supervisor_options {
	const char	*conf_path;
	const char	*libexec;
	bool		 paused;		/* queue starts no delivery */
	void		(*started)(void *);	/* everybody serves for the first time */
	void		*arg;
};

/* Runs until told to stop. Takes the configuration. The result is the exit status: 0, or 78 when start-up failed. */
int	supervisor_run(struct conf *, const struct supervisor_options *);

#endif
