#ifndef RELAY_ATTEMPT_H
#define RELAY_ATTEMPT_H
/* attempt — the inside of a job, which this folder's files share beneath job.h, and the doors of its way to the next hop. */
#include "relay/job/job.h"

#include "net/connect.h"

struct job {
	struct hash_node	 node;
	const struct job_world	*world;
	struct arena		 arena;		/* everything below that is not content */
	uint64_t		 lease, id;
	struct slice		 nexthop;
	struct slice		 reverse_path;
	enum body_type		 body;
	bool			 smtputf8;
	enum tls_tag		 tls;
	enum ret		 ret;
	struct slice		 envid;
	struct content		 content;
	uint32_t		 count;
	uint32_t		*indexes;
	struct tx_recipient	*recipients;
	struct tx_recipient	**pending;
	struct deliver_result	*results;
	bool			 started, sending, finished, given_up, damaged;
	bool			 plain;		/* the target in hand, once more, in clear */
	bool			 unheard;	/* of one of its targets it is not known whether it is fit for the message */
	/* where it goes */
	struct route		*route;
	uint16_t		 next_target;
	uint32_t		 sessions;
	struct connecting	 connecting;
	struct client		*client;
	struct transaction	 tx;
	struct outcome		 trouble;	/* for those whom nobody decides */
	int64_t			 began, ready, ended;	/* loop_now() */
	struct hook		 hook;
};

void	attempt_start(struct job *);
void	attempt_cancel(struct job *);	/* as job_cancel */
void	attempt_end(struct job *);	/* whatever is under way, and the content; what is known of recipients stays */

#endif
