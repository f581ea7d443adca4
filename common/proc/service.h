#ifndef PROC_SERVICE_H
#define PROC_SERVICE_H
/*
 * service — what every process does alike, so that each main.c is one table.
 *
 * service_main: reads BOOT from descriptor 3, decodes the configuration, opens the log wire, calls `prepare` (still with rights:
 * open what the sandbox will not allow later), limits, changes user or gives up capabilities (root only), enters the sandbox after a forked child has
 * proved that it holds (proc/sandbox.h), calls `start`, says READY, runs the loop, answers PING. Wires and listeners arrive as
 * callbacks at any time; a wire whose peer was replaced arrives again.
 */
#include "conf/conf.h"
#include "event/loop.h"
#include "ipc/channel.h"
#include "proc/files.h"
#include "proc/sandbox.h"
#include "wire/control.h"

struct process {		/* handed to every callback; lives as long as the process */
	struct loop		*loop;
	struct conf		*conf;		/* in force; replaced at COMMIT */
	const struct service	*service;
	char			 name[PROCESS_NAME_MAX];
	enum wire_role		 role;
	uint32_t		 number;	/* process number in this start */
	bool			 paused, root;
	/* Those that the configuration names which prepare, start or check is about; closed when start or check has returned. */
	struct files		 files;
};

struct service {
	const char	*name;		/* "smtpd": also the binary's */
	const char	*user;		/* "posthorn-smtpd"; used when started as root; NULL: root without capabilities */
	enum sandbox	 sandbox;
	/* All return 0, or -1 with err: start-up then fails with that sentence. NULL where there is nothing to do. */
	int	(*prepare)(struct process *, struct err *);	/* before the sandbox */
	int	(*start)(struct process *, struct err *);	/* inside it */
	/* The fd is the callback's, open and non-blocking. */
	void	(*wire)(struct process *, const struct control_wire *, int fd);
	void	(*listener)(struct process *, const struct control_wire *, int fd);
	/* Keys for the tickets of TLS sessions, from READY on and again with each new one. */
	void	(*tickets)(struct process *, const struct control_tickets *);
	/* A new configuration: 0 to accept; -1 and err to refuse (nothing changes anywhere). Then `reloaded` after COMMIT, with
	 * process->conf already the new one; `old` is freed when it returns. */
	int	(*check)(struct process *, const struct conf *next, struct err *);
	void	(*reloaded)(struct process *, const struct conf *old);
	/* Finish what is running, then call process_stopped; after within_ms the process is ended anyway. NULL: at once. */
	void	(*stop)(struct process *, int64_t within_ms);
	void	(*status)(struct process *, struct buf *out);	/* "name value" lines */
	/* The wires that it cannot work without are all there. A wire that ends while both processes live, by a bad frame, is not made
	 * again: a process that has waited 90 s for one ends, and the next one gets all wires anew. NULL: it waits for ever. */
	bool	(*whole)(const struct process *);
};

/* The whole main(): never returns before the process is done; the result is the exit status. */
int	service_main(const struct service *, int argc, char **argv);
void	process_stopped(struct process *);		/* the loop ends after this round */

#endif
