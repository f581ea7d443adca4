#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H
/*
 * reload — a new configuration in two phases: everybody accepts it, or nobody changes.
 *
 *	1 the files are read in a child; what only a restart can change must be as it was
 *	2 new ports are bound, a new log file is tried, certificates and keys are opened
 *	3 PREPARE to every serving child that is not simply replaced; each says yes or no within 5 s
 *	4 COMMIT to all, or "forget it" to all
 *
 * A child that dies in between counts as a no. Wishes that arrive meanwhile are joined into one more reload.
 */
#include "control/supervisor/child.h"
#include "control/supervisor/listeners.h"
#include "control/supervisor/tls_files.h"

#define RELOAD_PATIENCE_MS	5000
#define RELOAD_SPACING_MS	1000	/* a storm of signals is one reload a second */

struct reload_ops {
	/* Takes `next` and its files. The children that were asked have COMMIT in their wires already. */
	void	(*committed)(void *, struct conf *next, struct tls_files *);
	void	(*told)(void *, bool ok, const char *text);	/* the end of every reload, for the log and for tools */
};

struct reload {
	struct stage		*stage;
	struct child_list	*children;
	struct listeners	*listeners;
	const char		*path;
	const struct reload_ops	*ops;
	void			*arg;
	struct conf		*next;		/* not NULL: phase 3 */
	struct tls_files	 files;		/* of `next` */
	uint64_t		 generation;	/* last given out */
	struct timer		 patience;
	struct timer		 soon;
	int64_t			 last;		/* when one ended */
	bool			 again;
};

int	reload_init(struct reload *);		/* the first six members are set by the owner. -1: no memory */
void	reload_fini(struct reload *);
void	reload_wish(struct reload *);		/* soon, once */
bool	reload_running(const struct reload *);
void	reload_answer(struct reload *, struct child *, const struct control_conf *);
void	reload_lost(struct reload *, const struct child *);	/* it died */
/* What stands against changing from one to the other while running; 0 or -1 with err. Pure. */
int	reload_fits(const struct conf *now, const struct conf *next, struct err *);

#endif
