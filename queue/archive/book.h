#ifndef ARCHIVE_BOOK_H
#define ARCHIVE_BOOK_H
/*
 * book — what is known of each message, from the log and from the disk, and what that comes to.
 *
 * Conservation: every recipient that was accepted is still queued, or delivered, or bounced, or expanded, or was deleted by an
 * operator. Pure bookkeeping; who fills it is audit.c (log) and census.c (disk).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/slice.h"
#include "mail/queue_id.h"

enum share {			/* where a recipient is; what the log says of an end wins over what the disk has */
	SHARE_NONE,		/* nowhere: missing */
	SHARE_QUEUED, SHARE_DELIVERED, SHARE_BOUNCED, SHARE_EXPANDED, SHARE_DELETED,
	SHARE_COUNT
};

enum telling {			/* who knows of a recipient's bounce */
	TELLING_NONE,		/* nobody, and nobody is going to be told */
	TELLING_LOST,		/* its notification was made, and nobody knows more of that */
	TELLING_OWED,		/* the disk says that a notification is still to be made */
	TELLING_DELETED,	/* an operator threw the message away before: nobody is to be told */
	TELLING_UNWANTED,	/* the sender said NOTIFY without FAILURE */
	TELLING_DONE,
	TELLING_COUNT
};

struct holder {			/* one recipient that somebody has named */
	struct holder	*next;
	uint64_t	 name;		/* hash of address and original */
	enum share	 log, disk;
	struct slice	 address;	/* of one that bounced (book_bounced), else empty */
	queue_id	 notice;	/* tells of its bounce; 0: the log has named none */
	bool		 unwanted;	/* nobody wants to be told of its bounce */
	bool		 owed;		/* on the disk: a notification is still to be made */
};

struct leaf {			/* one message */
	struct hash_node node;
	struct leaf	*next;		/* in the order in which they were first heard of */
	queue_id	 id;
	bool		 accepted;	/* the log says so */
	bool		 from_nobody;	/* null reverse-path: postmaster is told instead */
	bool		 deleted, removed, ended;	/* ended: the log has heard of what comes after acceptance */
	bool		 on_disk;
	const char	*damage;	/* on the disk: what is wrong with it; NULL: nothing */
	uint32_t	 recipients;
	int64_t		 came_ms;	/* when it was accepted, as far as is known; -1 */
	struct holder	*holders;
};

struct book {
	struct arena	 arena;
	struct hash	 hash;
	struct leaf	*first, **last;
};

void		 book_init(struct book *);
void		 book_fini(struct book *);
struct leaf	*book_leaf(struct book *, queue_id);	/* found or made; NULL: no memory */
struct leaf	*book_find(const struct book *, queue_id);
/* Both escaped as in the log. NULL: no memory. */
struct holder	*book_holder(struct book *, struct leaf *, struct slice address, struct slice original);
/* It will have to be named should nobody know of its bounce. -1: no memory. */
int		 book_bounced(struct book *, struct holder *, struct slice address);
/* Only of one that bounced. */
enum telling	 book_telling(const struct book *, const struct leaf *, const struct holder *);

/* How many recipients of a message are in each class; [SHARE_NONE] are missing. */
struct sums {
	uint64_t	share[SHARE_COUNT];
	uint64_t	again;		/* of the queued: the log says that they have ended, they will be delivered again */
	uint64_t	telling[TELLING_COUNT];		/* of the bounced */
};
void		 book_sum(const struct book *, const struct leaf *, struct sums *);
enum share	 holder_share(const struct holder *);

#endif
