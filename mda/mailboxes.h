#ifndef MDA_MAILBOXES_H
#define MDA_MAILBOXES_H
/*
 * mailboxes — whose is an address, asked of `lookup` once for
 * everybody who wants to know, and remembered for a while.
 *
 * Trouble of any kind (no wire, no answer in time, no memory) is the answer TRY_LATER, never "unknown".
 */
#include <bsd/sys/queue.h>

#include "event/loop.h"
#include "wire/lookup.h"

struct mailboxes;

struct mailbox_wait {			/* lives inside who asks; zero it before first use */
	TAILQ_ENTRY(mailbox_wait)	 entry;
	struct mailbox_waits		*list;		/* NULL: does not wait */
	/* The answer lives until the function returns. May be called from inside mailboxes_ask. */
	void				(*done)(void *arg, const struct mailbox_answer *);
	void				*arg;
};
TAILQ_HEAD(mailbox_waits, mailbox_wait);

struct mailboxes	*mailboxes_new(struct loop *, int64_t ttl_ms, struct err *);
void			 mailboxes_free(struct mailboxes **);		/* no callback runs any more */
/* A new configuration: what is known is forgotten. */
void			 mailboxes_ttl(struct mailboxes *, int64_t ttl_ms);
/* A wire to lookup; what is open is asked again there. Takes fd. */
void			 mailboxes_wire(struct mailboxes *, int fd);
bool			 mailboxes_wired(const struct mailboxes *);	/* there is one */
void			 mailboxes_ask(struct mailboxes *, struct slice address, struct mailbox_wait *);
void			 mailboxes_forget(struct mailbox_wait *);

#endif
