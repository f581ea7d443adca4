#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H
/*
 * inside — what the rooms of the store share; nobody else includes it.
 *
 * Four threads: the *loop* owns struct store, stored, change and all counts; the *committer* is
 * the only writer of the ring, or the loop in its place (committer_try); *file sync* makes large contents durable; the *evacuator* owns spool
 * and catalog. A change belongs to one of them at a time: loop → (file sync) → committer → loop; an
 * order or a question: loop → evacuator → loop. The ring's states are under the ring's lock.
 */
#include "event/loop.h"
#include "queue/store/admission.h"
#include "queue/store/committer.h"
#include "event/timer.h"
#include "queue/store/copy.h"
#include "queue/store/evacuator.h"
#include "queue/store/ids.h"
#include "queue/store/large.h"
#include "queue/store/pin.h"
#include "queue/store/post.h"
#include "queue/store/record.h"
#include "queue/store/ring.h"
#include "queue/store/store.h"

enum {
	STORED_DURABLE = 1,		/* its PUT is synced */
	STORED_LARGE = 2,
	STORED_FINISHING = 4,		/* a DONE is on its way */
	STORED_COPYING = 8,
	STORED_CHECKED = 16,		/* the content's checksum was seen to hold */
	STORED_LOST = 32,		/* the content is damaged and set aside; not in any segment's list */
	STORED_SPOOLED = 64,		/* it has left the ring: spool and catalog have it */
	STORED_ORDERED = 128,		/* an order about it is with the evacuator */
	STORED_DEAD = 256,		/* its DONE is durable; the catalog still has to forget it */
	STORED_DOZING = 512		/* the owner wants it asleep when the order is done */
};

/*
 * One for each message that the owner has in memory. A segment lists what keeps it from being wiped:
 * the messages whose newest PUT it holds, and of the spooled ones those of which it holds the first
 * STATE or the DONE that the catalog does not know yet.
 */
struct stored {
	void		*owner;
	struct store	*store;
	struct segment	*segment;	/* whose list it is in; NULL: none */
	struct segment	*later;		/* ORDERED: whose list comes next, for what came since the order */
	TAILQ_ENTRY(stored) in_segment;
	uint64_t	 id;
	uint64_t	 folder;	/* SPOOLED: of its file */
	uint64_t	 size;		/* of the content */
	uint32_t	 place;		/* of a small content: in the segment, or SPOOLED in its file */
	uint32_t	 crc;		/* of the content */
	uint32_t	 version;	/* last given out */
	uint32_t	 bytes;		/* of the PUT in the ring, head included; SPOOLED: 0 */
	uint16_t	 flags;
	uint16_t	 pending;	/* changes on their way that hold a STATE of it */
};

/* One record on its way out. */
struct item {
	STAILQ_ENTRY(item) next;
	struct record	 record;
	struct stored	*stored;
	int		 fd;		/* PUT of a large one: its file; -1 */
	void		*owned;		/* memory of a long delta or of a copy */
	unsigned char	 head[RECORD_PUT_HEAD];
	char		 small[144];	/* a short delta */
};
STAILQ_HEAD(item_list, item);

enum change_kind { CHANGE_NONE, CHANGE_OWNER, CHANGE_COPY, CHANGE_WIPE, CHANGE_MARK };

struct change {
	STAILQ_ENTRY(change) next;
	struct store	*store;
	enum change_kind kind;
	enum store_class class;
	enum store_result result;
	change_cb	*done;
	void		*arg;
	struct item_list items;
	size_t		 bytes, pieces;
	bool		 large;		/* passes through file sync first */
	int64_t		 due;		/* clock_mono_ms by which it starts a batch; 0: now */
	int64_t		 held;		/* loop_now when it began to wait (throttle.c) */
	struct segment	*segment;	/* where it is durable; for CHANGE_WIPE: which */
	uint32_t	 offset;	/* of its first record */
};
STAILQ_HEAD(change_list, change);

/* Chunks of stored, all given back at close. */
struct slab {
	struct slab	*next;
	struct stored	 v[512];
};

/* Clients' messages that wait a moment for the space that evacuation is making. */
struct throttle {
	struct change_list	 waiting, returned;	/* returned: had been let through, and go before the others */
	int64_t			 starved;	/* loop_now when one was refused last; 0: never */
	struct timer		 timer;
};

/* The loop's half of moving mail out of the ring. */
struct evacuation {
	bool		 able;			/* the owner can say when a message has to be woken */
	bool		 failing;		/* the last round came to nothing: copy-forward keeps the ring alive */
	int64_t		 again_ms;		/* loop_now: not tried before */
	uint32_t	 ordered;		/* orders out of the ring that are under way */
	uint64_t	 evacuated;		/* messages, since the start */
	struct catalog_totals totals;		/* as of what the loop has heard: nothing counts here and in the ring, too */
	uint64_t	 keep_below;		/* segments that the start found: not wiped until the hunt has ended well */
	int64_t		 base_ms, base_mono_ms;	/* of the store's clock */
	struct timer	 timer;
	struct buf	 envelope;
	struct plan	 plan;
};

struct store {
	struct loop		*loop;
	const struct store_ops	*ops;
	void			*arg;
	int			 dir, lock;
	struct ids		 ids;
	struct ring		 ring;
	struct post		 post;
	struct committer	 committer;
	struct large		 large;
	struct copier		 copier;
	struct evacuator	 evacuator;
	struct evacuation	 evacuation;
	struct pin		 pin;
	struct hook		 hook;
	uint64_t		 lonely_round;	/* of the loop, in which the outbox was flushed last */
	struct change_list	 outbox;	/* committed in this round */
	struct throttle		 throttle;
	struct change_list	 idle_changes;
	struct item_list	 idle_items;
	struct stored_list	 idle_stored;
	struct slab		*slabs;
	struct change		*condemned;	/* set aside by recovery: finished in the first batch */
	uint64_t		 settled;		/* segments of a lower sequence hold nothing that the loop does not know */
	uint64_t		 live, live_bytes, live_contents;	/* in the ring: messages, bytes of their records, of their contents */
	bool			 room[STORE_CLASS_COUNT];
	bool			 broken, told, closing;
	struct store_figures	 figures;	/* the loop's part */
};

/* stored.c */
struct stored	*stored_new(struct store *);
void		 stored_free(struct store *, struct stored *);
void		 stored_settle(struct store *, struct stored *, struct segment *, const struct record *, uint32_t offset);
void		 stored_join(struct stored *, struct segment *);
void		 stored_leave(struct store *, struct stored *);	/* its segment */
void		 stored_uncount(struct stored *);			/* it is no more one of those in the ring */
int		 stored_check(struct store *, struct stored *, const void *content, struct err *);	/* -1: damaged, set aside */

/* change.c */
struct change	*change_make(struct store *, enum change_kind, enum store_class);
struct item	*change_item(struct change *, enum record_type, struct stored *);
void		 item_free(struct store *, struct item *);
int		 change_add(struct change *, struct item *);	/* -1: STORE_CHANGE_MAX; the item is freed */
void		 change_free(struct change **);
void		 change_settle(struct store *, struct change *);	/* durable: the messages are where it lies */
void		 change_undo(struct change *);			/* not durable: as if it had not been filled */
void		 change_finish(struct change *);		/* the loop: what its result means; frees it */
void		 store_flush(struct store *);			/* the outbox to its thread */
void		 store_fetch(struct store *);			/* the loop: takes what the threads have finished, and goes on from there */
void		 store_after(struct store *);			/* rooms, copying, wiping: when anything was finished */
void		 store_fill(struct store *, struct fill *);

/* throttle.c */
int		 throttle_init(struct store *, struct err *);
void		 throttle_fini(struct store *);
bool		 throttle_holds(struct store *, struct change *);	/* takes it: it waits */
bool		 throttle_takes_back(struct store *, struct change *);	/* the same, of one that found no space after all */
void		 throttle_release(struct store *, struct post_list *);	/* those for whom there is space now */
void		 throttle_end(struct store *);		/* all of them are refused */
bool		 throttle_says_full(const struct store *);	/* clients had better come back later */

/* evacuate.c */
int		 evacuation_init(struct store *, struct err *);
void		 evacuation_fini(struct store *);
void		 evacuation_pump(struct store *);	/* what the oldest segment still holds goes to the evacuator */
void		 evacuation_take(struct store *);	/* what the evacuator has finished */
void		 evacuation_state(struct stored *, struct segment *);	/* a STATE of a spooled message is durable there */
void		 evacuation_done(struct stored *, struct segment *);	/* its DONE is */
bool		 evacuation_keeps(const struct store *, const struct segment *);	/* the hunt may still ask what it knew */
bool		 evacuation_knows(const struct stored *);	/* spooled, or about to be: DONE has to be told */
int		 evacuation_doze(struct stored *);
void		 evacuation_release(struct store *, uint64_t id);	/* nobody has it in memory any more */
int		 evacuation_now(struct store *, struct segment *, struct err *);	/* in recovery */
void		 evacuation_begin(struct store *);	/* at the end of recovery, before the thread runs */
struct stored	*evacuation_resurface(struct store *, const struct catalog_record *);	/* awake again; the owner is not told yet */

#endif
