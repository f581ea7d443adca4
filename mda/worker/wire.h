#ifndef MDA_WORKER_WIRE_H
#define MDA_WORKER_WIRE_H
/*
 * wire — the conversation of mda with one worker: one mailbox, many deliveries at once.
 *
 *	mda → worker	OPEN		first: whose mailbox
 *			DELIVER		one copy for one recipient, with the first piece of its content
 *			CONTENT		the next piece; pieces of one copy come without others between them
 *			ABANDON		forget this copy: its content will not come, or its sync failed
 *			SYNCED		what WRITTEN named is on disk: rename it into new/
 *	worker → mda	OPENED + fd	the Maildir, opened before anything was written into it (for the shared sync)
 *			WRITTEN		these lie in tmp/, not synced
 *			RENAMED		these are in new/, the rename not synced
 *			STORED		these are in the mailbox, durably: the worker has synced them itself
 *			REFUSED		this one is not, and why (id 0: the whole mailbox)
 *
 * Order of a delivery: DELIVER, WRITTEN, a shared sync begun after that, SYNCED, RENAMED, a
 * shared sync begun after that, delivered. With DELIVER_OWN_SYNC: DELIVER, STORED.
 *
 * Both sides treat the other as hostile: a worker runs with the rights of its user, who may have found a way into it.
 */
#include "ipc/reader.h"
#include "ipc/writer.h"
#include "mail/status.h"

#define MAILBOX_WIRE		"mailbox"
#define MAILBOX_VERSION		1
#define MAILBOX_IDS_MAX		256
#define MAILBOX_PATH_MAX	1024
#define MAILBOX_HOST_MAX	255
#define MAILBOX_TEXT_MAX	300
#define MAILBOX_ADDRESS_MAX	512
#define MAILBOX_PIECE_MAX	(256 * 1024)

enum mailbox_frame {
	MAILBOX_NONE,
	MAILBOX_OPEN, MAILBOX_DELIVER, MAILBOX_CONTENT, MAILBOX_ABANDON, MAILBOX_SYNCED,
	MAILBOX_OPENED, MAILBOX_WRITTEN, MAILBOX_RENAMED, MAILBOX_STORED, MAILBOX_REFUSED,
	MAILBOX_FRAME_COUNT
};

enum {
	DELIVER_MAYBE    = 1 << 0,	/* an earlier attempt may have got through: look first */
	DELIVER_OWN_SYNC = 1 << 1,	/* no shared sync here: the worker syncs file and directory */
	DELIVER_FLAGS_ALL = DELIVER_MAYBE | DELIVER_OWN_SYNC
};

struct mailbox_open {
	struct slice	home, maildir;	/* absolute */
	struct slice	host;		/* for names of files */
};

struct mailbox_deliver {
	uint64_t	id;		/* mda's number of this copy; never 0 */
	uint32_t	flags;		/* DELIVER_ */
	int64_t		seconds;	/* of acceptance, wall clock */
	uint64_t	nonce;
	uint32_t	index;
	struct slice	reverse_path;	/* empty: <> */
	struct slice	recipient;
	uint32_t	size;		/* of the whole content */
	struct slice	content;	/* its first bytes; all of them when it is short */
};

struct mailbox_content {
	uint64_t	id;
	struct slice	content;	/* never empty */
};

struct mailbox_ids {			/* ABANDON (one), SYNCED, WRITTEN, RENAMED, STORED */
	uint32_t	count;		/* 1 .. MAILBOX_IDS_MAX */
	uint64_t	ids[MAILBOX_IDS_MAX];
};

struct mailbox_refused {
	uint64_t	id;
	bool		again;		/* this worker cannot, another one may: the mailbox was moved */
	struct status	status;		/* class 4 */
	struct slice	text;
};

void	mailbox_open_put(struct buf *, const struct mailbox_open *);
int	mailbox_open_get(struct reader *, struct mailbox_open *);
void	mailbox_deliver_put(struct buf *, const struct mailbox_deliver *);
int	mailbox_deliver_get(struct reader *, struct mailbox_deliver *);
void	mailbox_content_put(struct buf *, const struct mailbox_content *);
int	mailbox_content_get(struct reader *, struct mailbox_content *);
void	mailbox_ids_put(struct buf *, const struct mailbox_ids *);
int	mailbox_ids_get(struct reader *, struct mailbox_ids *);
void	mailbox_refused_put(struct buf *, const struct mailbox_refused *);
int	mailbox_refused_get(struct reader *, struct mailbox_refused *);

#endif
