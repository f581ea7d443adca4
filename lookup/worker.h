#ifndef LOOKUP_WORKER_H
#define LOOKUP_WORKER_H
/*
 * worker — the blocking half of lookup: a forked child that takes one question, asks the system,
 * answers, and takes the next.
 *
 * It may hang and it may die; the broker kills it, answers "try later" and forks another. Frames,
 * beside ROUTE, MAILBOX and SENDER and their answers (wire/lookup.h, generation and ttl left 0):
 *
 *	broker → worker	WORKER_CHECK	have any of the passwd-files changed?
 *	worker → broker	WORKER_CHECKED	that is done
 *			WORKER_TABLE	this file was read: u64 stamp, its path
 *			WORKER_SAY	a line for the log: u8 level, its text
 */
#include "conf/conf.h"
#include "wire/lookup.h"

#define WORKER_WIRE	"lookup-worker"
#define WORKER_VERSION	1
#define WORKER_TEXT_MAX	1024

enum worker_frame {
	WORKER_CHECK = LOOKUP_FRAME_COUNT, WORKER_CHECKED, WORKER_TABLE, WORKER_SAY,
	WORKER_STEP, WORKER_STEPPED,	/* lookup/password/checker.h */
	WORKER_FRAME_COUNT
};

/* In the broker: logs what a WORKER_SAY says. -1: a bad frame. */
int	worker_said(struct reader *);
/* Runs until the broker closes its end; the exit status of the child. Takes fd. */
int	worker_run(int fd, const struct conf *);

#endif
