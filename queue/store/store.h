#ifndef STORE_STORE_H
#define STORE_STORE_H
/*
 * store — the disk: what was promised is here and nowhere else. docs/SPOOL.md is its second
 * half.
 *
 * The owner (queue.c) hands over *changes*: groups of records that become durable together or
 * not at all. A committer thread writes everything that waits as one batch, syncs once, and only
 * then are the owner's callbacks run, from the loop. The store keeps no envelope in memory: it
 * remembers where each message's content lies and asks the owner for the current full envelope when
 * a message has to move. Nothing here knows schedules, agents or SMTP.
 *
 * Mail that stays undelivered leaves the ring for the spool (a file) and the catalog (a record in
 * Berkeley DB). From then on the owner may put it to *sleep*: it forgets the message, and wakes it
 * when its plan says that something is to be done. So memory holds what is fresh or being worked at,
 * and a million messages that wait cost none.
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/loop.h"
#include "queue/store/plan.h"

struct store;
struct stored;			/* a message that the owner has in memory; opaque, the store's until its DONE is durable or it is asleep */
struct change;

enum store_class {		/* who may still write when the ring fills, strongest last */
	STORE_NONE,
	STORE_CLIENT,		/* PUT of a client's message: needs more than 4 free segments */
	STORE_STATE,		/* states, expansions: more than 3 */
	STORE_DSN,		/* PUT of a notification: more than 2 */
	STORE_DONE		/* what frees space: more than 1 */
};
#define STORE_CLASS_COUNT	(STORE_DONE + 1)

enum store_result {
	STORE_RESULT_NONE,
	STORE_DURABLE,		/* synced */
	STORE_FULL,		/* not admitted: 452; nothing was written */
	STORE_FAILED		/* disk trouble: 451. It may come back at the next start: the answer was never yes */
};

/* The most that one change may hold, records' heads included; at most 40 bytes a record are the
 * store's. */
#define STORE_CHANGE_MAX	(1024u * 1024 - 16384)
#define STORE_SEGMENTS_MIN	8
#define STORE_SEGMENTS_MAX	1000
#define STORE_SEGMENT_SIZE_MIN	(1024u * 1024)
#define STORE_SEGMENT_SIZE_MAX	(1024u * 1024 * 1024)

struct store_conf {
	const char	*directory;	/* exists, ours, mode 0700 */
	uint32_t	 segments;	/* STORE_SEGMENTS_MIN .. MAX */
	uint64_t	 segment_size;	/* bytes, a multiple of 4096, within the limits above */
};

/* One message as it is put and as it is found again. Slices are borrowed: for a put until the
 * change's callback ran, from `found` only for the call. */
struct store_put {
	uint64_t	id;
	uint32_t	version;	/* of the folded-in state; a new message has 1 whatever is said here */
	struct slice	envelope;	/* the owner's encoding (wire/fields.h), full, with all fates */
	struct slice	content;	/* inline; empty when large */
	bool		large;		/* the content is the file spool/large/<id> */
	bool		maybe;		/* found: made anew without its latest states; what is open may have been delivered */
	bool		held;		/* found: made anew, and an operator kept it or a part of it */
	bool		awake;		/* paged: somebody has it in memory, where its state may be newer */
	uint64_t	large_size;	/* of the content; also of a small one that is paged */
	uint32_t	large_crc;	/* crc32c of the file; checked before the batch that names it */
};

/* What `found` returns for an envelope that cannot be read: at a start the store sets the message
 * aside in corrupt/; one that was to wake stays in the spool, and nobody is asked about it again before the next start. */
#define STORE_UNREADABLE	((void *)(uintptr_t)1)

struct store_ops {
	/* Recovery, before store_open returns: for each message in the ring or with states there,
	 * one `found` and then one `delta` for each later delta, in version order (a gap: a state
	 * is missing). Later: for each message that wakes. What `found` returns is the owner of the
	 * stored; NULL: no memory, open fails, or the message sleeps on. */
	void	*(*found)(void *arg, struct stored *, const struct store_put *);
	/* -1: cannot be read. The owner has forgotten the message; the store sets it aside in
	 * corrupt/. */
	int	 (*delta)(void *arg, void *owner, uint32_t version, struct slice delta);
	/* Before it moves: the full envelope with every delta that was handed to change_state
	 * folded in. */
	void	 (*fold)(void *arg, void *owner, struct buf *out);
	/* This class may write again, or no more. At open each class may, unless store_has_room
	 * says no. */
	void	 (*room)(void *arg, enum store_class, bool yes);
	/* No change can be made durable any more: every commit fails from now on. Told once,
	 * from the loop: the owner stops serving and the process ends; a restart reads the ring
	 * anew. */
	void	 (*broken)(void *arg, const char *why);

	/* Without the next five (plan is NULL) mail stays in the ring and is copied forward. */

	/* When, and for which destination, is it to be woken? (plan.h) now_ms: store_now's time, since
	 * a start may ask before the owner has its store. */
	void	 (*plan)(void *arg, void *owner, int64_t now_ms, struct plan *out);
	/* It has left the ring: stored_sleep may be asked for. */
	void	 (*spooled)(void *arg, void *owner);
	/* What stored_sleep asked for is done. True: the owner has freed its object, the stored is gone.
	 * False: it changed its mind, the message stays awake. */
	bool	 (*asleep)(void *arg, void *owner);
	/* Does the owner have this message? */
	bool	 (*knows)(void *arg, uint64_t id);
	/* Sleeping mail for this destination, before store_open returns and when some was found again
	 * later; none of it is due in less than in_ms. */
	void	 (*destination)(void *arg, struct slice name, uint64_t messages, int64_t in_ms);
};

/* Locks, raises the epoch, recovers. Takes the time that takes; start-up only. -1: err says what
 * is wrong and what would help. */
struct store	*store_open(struct loop *, const struct store_conf *, const struct store_ops *, void *arg, struct err *);
/* Orderly: waits for what is queued, writes the END batch. Callbacks of pending changes run
 * before it returns. */
void		 store_close(struct store **);

uint32_t	 store_epoch(const struct store *);
/* `count` ids never given out before, in a row; raises the epoch when the counter ends. -1: disk
 * trouble. */
int		 store_next_ids(struct store *, uint32_t count, uint64_t *first);
const char	*store_identity(const struct store *);	/* 32 hex digits: the random store id */

/* A change is made, filled, committed; one that is not to be committed is dropped. NULL or -1:
 * no memory, or over STORE_CHANGE_MAX; the change can still be dropped. */
typedef void change_cb(void *arg, enum store_result);
struct change	*change_new(struct store *, enum store_class, change_cb *done, void *arg);
void		 change_drop(struct change **);
/* The stored may not be changed before the put is durable. When it is not durable in the end,
 * the stored dies after the callback. */
struct stored	*change_put(struct change *, const struct store_put *, void *owner);
/* Copies the delta; versions are the store's. A delta that says how things are, rather than what
 * to add, may be applied twice: a fold can be ahead of a change that was refused. */
int		 change_state(struct change *, struct stored *, struct slice delta);
int		 change_done(struct change *, struct stored *);	/* the stored dies when this is durable */
/* Takes the change. `done` runs once, from the loop, never from inside. patience_ms > 0: may
 * wait that long for a batch that somebody else starts (outcomes: 20 ms). Changes become durable
 * in the order of their commits, except that one with a large content comes later. */
void		 store_commit(struct store *, struct change **, int64_t patience_ms);

/* The content (not the envelope) from `offset`; 0 when all `len` bytes were read. For durable
 * messages; large ones, too. Blocks for the page cache only. -1: err; when the bytes fail their
 * checksum the message is set aside in corrupt/ first and never copied forward again: finish it. */
int		 stored_read(struct stored *, uint64_t offset, void *, size_t len, struct err *);
uint64_t	 stored_size(const struct stored *);
uint32_t	 stored_crc(const struct stored *);		/* crc32c of the content, as it was accepted */
bool		 stored_is_large(const struct stored *);
uint64_t	 stored_id(const struct stored *);
/* Read-only descriptor of the content's own file. Whoever reads it compares the checksum: neither this nor stored_read does for
 * large ones. */
int		 stored_open_large(struct stored *, struct err *);
/* Somebody to whom the content was given found that it fails its checksum. A large one is told, counted and set aside in corrupt/,
 * and stays; a small one is compared here, and only if it is damaged on the disk the same happens as in stored_read. */
void		 stored_suspect(struct stored *);

/* A file for a large content that smtpd will fill: create, give the descriptor away, then a PUT
 * with `large` names it (the store checks size and checksum and syncs file and directory before
 * the batch) or large_drop forgets it. A refused or failed PUT leaves the file for large_drop. */
int		 store_large_create(struct store *, uint64_t id, struct err *);	/* write-only descriptor, or -1 */
void		 store_large_drop(struct store *, uint64_t id);

/* The clock of plans: ms since 1970 as the wall clock said when the store was opened, steady since
 * then and never behind what an earlier start wrote. Who turns the wall clock wakes nobody. */
int64_t		 store_now(const struct store *);
bool		 stored_is_spooled(const struct stored *);
/* The owner wants to forget it for now: nothing of it is on its way, its plan says when it is needed
 * again. ops.asleep tells. -1: not now; ask again when something has changed, or in a minute. */
int		 stored_sleep(struct stored *);

struct store_woken {
	uint32_t	 count;		/* so many were shown to ops.found */
	int64_t		 next_ms;	/* due, look: when the next one will be; PLAN_NEVER: none is left asleep.
					 * Messages that fell asleep since it was asked may not be counted */
	uint64_t	 last;		/* page: go on above this id; 0: that was all */
	bool		 failed;	/* ask again in a while */
};
/* `done` runs once, from the loop, behind the `found` of each message. -1: no memory, nothing will run. */
typedef void	 store_woken_cb(void *arg, const struct store_woken *);
int		 store_wake_due(struct store *, struct slice destination, uint32_t count, store_woken_cb *, void *arg);
int		 store_wake_look(struct store *, uint32_t count, store_woken_cb *, void *arg);	/* plan_look's time has come */
int		 store_wake(struct store *, uint64_t id, store_woken_cb *, void *arg);
int		 store_wake_page(struct store *, struct slice domain, uint64_t after, uint32_t count, store_woken_cb *, void *arg);
/* Shows records of spooled messages without waking them: at most `count`, ascending ids above `after`,
 * of one domain or (empty) of all. *done gets the id to go on above; 0: that was all. */
typedef void	 store_paged_cb(void *arg, uint64_t last, bool failed);
int		 store_page(struct store *, struct slice domain, uint64_t after, uint32_t count,
		    void (*each)(void *arg, const struct store_put *), store_paged_cb *done, void *arg);

/* For a backup (docs/SPOOL.md, pin): what lies on the disk stands still while the ring goes on taking
 * mail. No segment is wiped, no file of the spool or content of a message is made or removed, the
 * catalog is flushed and not written. What becomes due meanwhile is done when the pin ends. */
struct store_segment {
	uint32_t	 number;	/* of the file in journal/ */
	uint32_t	 size;		/* of the file, bytes */
	uint32_t	 length;	/* of it, what is durable; what follows may be half a batch */
};
struct store_pinned {
	const char	*directory;
	uint32_t	 count;
	const struct store_segment *segments;	/* those that hold mail; all of it borrowed for the call */
};
/* Runs once, from the loop; NULL: it cannot be, and why. */
typedef void	 store_pinned_cb(void *arg, const struct store_pinned *, const char *why);
/* -1: it is pinned already, or no memory; `done` will not run. When the ring runs short of free segments
 * the store breaks the pin, before any client notices. */
int		 store_pin(struct store *, store_pinned_cb *done, void *arg);
bool		 store_unpin(struct store *);	/* did it hold until now? */

bool		 store_has_room(const struct store *, enum store_class);
struct store_figures {
	uint64_t batches, records, bytes, syncs, copied;	/* since start; bytes as written, copied in messages */
	uint32_t segments, free_segments;
	uint64_t live, live_bytes;				/* messages in the ring; bytes of their contents */
	uint64_t spooled, spooled_bytes;			/* messages in spool and catalog; bytes of their contents */
	uint64_t evacuated;					/* since start */
	/* what recovery found */
	uint64_t recovered, damaged, salvaged, torn;		/* messages; places set aside; records saved there; torn tails dropped */
};
void		 store_figures(const struct store *, struct store_figures *);

#endif
