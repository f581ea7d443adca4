#ifndef MDA_JOB_H
#define MDA_JOB_H
/*
 * job — one message for one mailbox, from queue's JOB frame to the fate of each of its recipients.
 *
 * Most jobs have one recipient; user+a and user+b of one message are two recipients of one job,
 * each with a copy of its own.
 */
#include "base/hash.h"
#include "mda/handoff.h"
#include "mda/mailboxes.h"
#include "wire/deliver.h"

#define JOB_TEXT_MAX	320

struct job;

struct job_rules {		/* what a job asks of its surroundings */
	struct mailboxes	*mailboxes;
	struct handoff		*handoff;
	int64_t			 first_uid;
	bool			 root;		/* workers can become other users */
	uint32_t		 uid;		/* and if not: the only one there is */
};

/* Once, from the loop: every recipient has its outcome. */
typedef void job_done_fn(void *arg, struct job *);

/* Takes fd (-1: the content is in the frame, and is copied). NULL: no memory. */
struct job	*job_new(const struct deliver_job *, int fd, job_done_fn *done, void *arg);
void		 job_free(struct job **);	/* only when done or cancelled, or when everything beneath it is gone */
/* May end the job before it returns. */
void		 job_start(struct job *, struct loop *, const struct job_rules *);
/* True: nothing of it had gone to a worker, and nothing will; `done` does not run. */
bool		 job_cancel(struct job *);

uint64_t	 job_lease(const struct job *);
void		 job_show_lease(const struct job *, struct lease *out);		/* indexes borrowed from the job */
/* The results, borrowed from the job; done jobs only. `results` has room for all its recipients. */
void		 job_show_results(const struct job *, struct deliver_result *results, struct deliver_results *out);
uint32_t	 job_count(const struct job *);

#endif
