#ifndef MDA_HANDOFF_H
#define MDA_HANDOFF_H
/*
 * handoff — one copy's way: to its mailbox' worker, into tmp/,
 * through a shared sync, into new/, through the next one.
 *
 *	WAITING → SENDING → SENT → WRITTEN ==sync==> SYNCED → RENAMED ==sync==> delivered
 *
 * A worker that dies takes nothing with it that it was not told to keep: its copies go to its
 * successor, marked *maybe*, once; the second death delays them. A failed sync has its copies
 * written afresh, once; the second one delays them.
 */
#include "conf/conf.h"
#include "mail/content.h"
#include "mail/outcome.h"
#include "mda/crew.h"

enum delivery_state {
	DELIVERY_NONE, DELIVERY_WAITING, DELIVERY_SENDING, DELIVERY_SENT, DELIVERY_WRITTEN, DELIVERY_SYNCED,
	DELIVERY_RENAMED
};

struct delivery {
	/* Whoever asks sets these, and keeps them alive until done. */
	const struct content	*content;
	int64_t			 seconds;	/* of acceptance */
	uint64_t		 nonce;
	uint32_t		 index;
	struct slice		 reverse_path, recipient;
	bool			 maybe;
	/* Runs once: DELIVERED or DELAYED, the latter also when the content is damaged.
	 * From inside handoff_deliver when the content cannot be read. */
	void			(*done)(void *arg, enum action, struct status, const char *text);
	void			*arg;
	/* The handoff's; `damaged` is read by the asker when done. */
	bool			 damaged;
	struct handoff		*handoff;
	enum delivery_state	 state;
	struct worker		*worker;	/* WAITING .. SYNCED */
	TAILQ_ENTRY(delivery)	 entry;
	struct hash_node	 by_id;
	uint64_t		 id;
	struct content_reader	 reader;	/* what it has read is sent */
	unsigned		 deaths, failed_syncs, moves;
	struct sync_wait	 wait;
	int64_t			 sent_ms;	/* loop_now() when it went to the worker; 0: not yet */
};

struct handoff;

struct handoff	*handoff_new(struct loop *, sync_flush_fn *, struct err *);
void		 handoff_free(struct handoff **);	/* no callback runs any more */
void		 handoff_configure(struct handoff *, const struct conf *);
void		 handoff_wire(struct handoff *, int fd);	/* the spawn wire; takes fd */
void		 handoff_deliver(struct handoff *, struct delivery *, const struct mailbox_answer *);
/* True: it had not gone to a worker, and is forgotten; `done` will not run. */
bool		 handoff_cancel(struct delivery *);
void		 handoff_status(const struct handoff *, struct buf *out);

#endif
