#ifndef PASSWORD_CHECKER_H
#define PASSWORD_CHECKER_H
/*
 * checker — the blocking half of logging in: a forked child that takes one step of one attempt, answers, and takes the next. A hash
 * may take a tenth of a second, and that is nobody's time but its own. The frames, on a worker's wire (lookup/worker.h):
 *
 *	broker → checker	WORKER_STEP	all that the client has said so far
 *	checker → broker	WORKER_STEPPED	what sasl_step says to it
 *				WORKER_SAY	a line for the log
 */
#include "conf/conf.h"
#include "ipc/reader.h"
#include "ipc/writer.h"
#include "lookup/password/sasl.h"

struct check_answer {		/* of hostile bytes: a checker has read what strangers say */
	enum sasl_result	result;
	struct slice		challenge, login, why;
};

void	check_ask_put(struct buf *, const struct sasl_said *);
int	check_ask_get(struct reader *, struct sasl_said *);		/* slices borrowed from the frame, as below */
void	check_answer_put(struct buf *, const struct check_answer *);
int	check_answer_get(struct reader *, struct check_answer *);

/* Runs until the broker closes its end; the exit status of the child. Takes fd. */
int	checker_run(int fd, const struct sasl_users *);
/* The same with the users of a file of hashes. */
int	checker_run_file(int fd, const char *path, const unsigned char secret[SCRAM_KEY]);

#endif
