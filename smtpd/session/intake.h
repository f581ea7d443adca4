#ifndef SMTPD_INTAKE_H
#define SMTPD_INTAKE_H
/*
 * intake — the submit wire from smtpd's side: ids on lease, messages handed in, promises awaited.
 *
 * A promise is answered exactly once: with queue's verdict, or, when the wire is lost, with VERDICT_TRY_LATER (queue may have
 * the message all the same: then it comes twice, and is never lost). Callbacks come from the loop, never from inside a call.
 */
#include "base/hash.h"
#include "event/loop.h"
#include "mail/queue_id.h"
#include "wire/submit.h"

struct intake;

/* An id out of the lease of one life of queue. Zeroed: none. */
struct ticket {
	queue_id	id;
	uint32_t	life;
};

/* A message that was handed in, or a question; lives inside its transaction or session. Zeroed: none. */
struct promise {
	struct hash_node	 node;
	uint64_t		 serial;	/* 0: not in flight */
	void			(*fn)(void *arg, const struct submit_verdict_of *);	/* borrowed for the call */
	void			*arg;
};

/* A file that was asked for. Zeroed: none. */
struct file_wish {
	struct hash_node	 node;
	queue_id		 id;		/* 0: not in flight */
	void			(*fn)(void *arg, int fd);	/* the fd is the callee's; -1: there is none */
	void			*arg;
};

struct intake	*intake_new(struct loop *, struct err *);
void		 intake_free(struct intake **);		/* nothing may be in flight */
void		 intake_wire(struct intake *, int fd);	/* takes it; replaces an older wire */
bool		 intake_wired(const struct intake *);	/* there is a wire */
bool		 intake_up(const struct intake *);	/* there is a wire and a lease */
bool		 intake_has_room(const struct intake *, bool large);	/* queue has space for new mail; `large`: that needs a file */
bool		 intake_is_slow(const struct intake *);	/* so much waits to be read by queue that no new mail should begin */

int		 intake_take_id(struct intake *, struct ticket *);	/* -1: no wire, or the lease is used up */
/* An id that no frame has named may serve again. */
void		 intake_give_id(struct intake *, struct ticket *);
bool		 intake_knows(const struct intake *, const struct ticket *);	/* false: queue has been replaced since */

/* Spends message->id; fills in its serial. -1: no wire, the id is of another life, or far too much waits: then nothing was sent. */
int		 intake_submit(struct intake *, const struct ticket *, struct submit_message *, struct promise *,
		    void (*fn)(void *, const struct submit_verdict_of *), void *arg);
/* Asks for the mail of a domain to be tried now. -1: no wire. */
int		 intake_flush(struct intake *, const struct auth_token *, struct slice domain, struct promise *,
		    void (*fn)(void *, const struct submit_verdict_of *), void *arg);
void		 intake_forget(struct intake *, struct promise *);	/* the client is gone; not in flight: nothing */

int		 intake_open_file(struct intake *, const struct ticket *, struct file_wish *, void (*fn)(void *, int), void *arg);
/* Forgets the wish, if any, and tells queue to drop the file of that id. */
void		 intake_drop_file(struct intake *, const struct ticket *, struct file_wish *);

#endif
