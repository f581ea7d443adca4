#ifndef RELAY_JOB_H
#define RELAY_JOB_H
/*
 * job — recipients of one message on their way to one next hop: from the frame that queue sent to an outcome for each of them.
 */
#include "base/hash.h"
#include "conf/conf.h"
#include "relay/client/client.h"
#include "relay/nexthop/route.h"
#include "relay/pool/pool.h"
#include "wire/deliver.h"

struct job;

struct job_world {			/* what all jobs of a process share; borrowed */
	struct loop		*loop;
	const struct conf	*conf;
	struct resolver		*resolver;
	struct health		*health;
	struct pool		*pool;
	struct client_house	*house;
	bool			(*is_own)(void *arg, const struct sockaddress *);
	void			*is_own_arg;
	void			(*done)(void *arg, struct job *);	/* once for each job, from the loop */
	void			*done_arg;
};

/* Copies what it needs. Takes fd (-1: content is inline), also on failure. NULL: no memory. */
struct job	*job_new(const struct job_world *, const struct deliver_job *, int fd);
void		 job_start(struct job *);
/* Gives the job up if no word about it has been sent to anybody yet; `done` then follows, and there are no results. */
void		 job_cancel(struct job *);
/* What became of it, or what it holds: arrays live as long as the job. */
void		 job_results(struct job *, struct deliver_results *out);
void		 job_lease(struct job *, struct lease *out);
bool		 job_finished(const struct job *);
bool		 job_given_up(const struct job *);		/* job_cancel came in time */
uint64_t	 job_number(const struct job *);			/* its lease */
void		 job_free(struct job **);			/* in whatever state; `done` will not run */

/* For the owner's table of jobs; nothing else in a job is its business. */
struct hash_node *job_node(struct job *);
struct job	*job_of_node(struct hash_node *);

#endif
