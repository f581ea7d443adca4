#ifndef WIRE_SPAWN_H
#define WIRE_SPAWN_H
/*
 * spawn — mda asks the supervisor for a worker that runs as a user.
 *
 *	mda → supervisor	START	uid, gid, login name; never uid 0, never below the configured first-uid
 *				STOP	kill this worker
 *	supervisor → mda	STARTED + fd	mda's end of a socket pair with the worker
 *				REFUSED	and why
 *				ENDED	the worker is reaped; its number is free again
 */
#include "ipc/reader.h"
#include "ipc/writer.h"

#define SPAWN_VERSION	1
#define SPAWN_USER_MAX	256
#define SPAWN_TEXT_MAX	400

enum spawn_frame { SPAWN_NONE, SPAWN_START, SPAWN_STOP, SPAWN_STARTED, SPAWN_REFUSED, SPAWN_ENDED, SPAWN_FRAME_COUNT };

struct spawn_start {
	uint64_t	worker;		/* mda's number for it */
	uint32_t	uid, gid;
	struct slice	user;		/* for initgroups; may be empty (a virtual user: no other groups) */
};

struct spawn_event {			/* STOP, STARTED, REFUSED, ENDED */
	uint64_t	worker;
	int32_t		status;		/* ENDED: as waitpid gave it */
	struct slice	text;		/* REFUSED */
};

void	spawn_start_put(struct buf *, const struct spawn_start *);
int	spawn_start_get(struct reader *, struct spawn_start *);
void	spawn_event_put(struct buf *, const struct spawn_event *);
int	spawn_event_get(struct reader *, struct spawn_event *);

#endif
