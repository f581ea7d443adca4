#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H
/*
 * catalog — Berkeley DB: envelope, state and schedule of every message that lies in the spool.
 *
 * It is a checkpoint of the ring, never the truth alone: it holds states that are durable in the
 * ring, as of some version, and can be made anew from spool and ring (hunt.c). One thread uses it
 * at a time; nobody else ever opens its files (DB_PRIVATE). Pages of 4 KiB with checksums: larger
 * ones tear at a power cut. No content is in it.
 *
 * Three indexes lead to a record: by destination, priority and due time; by the time at which
 * somebody has to look at the message (to warn, to give up); by recipient domain.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/store/plan.h"

struct catalog;

#define CATALOG_NEVER	INT64_MAX
#define CATALOG_CACHE	(24u * 1024 * 1024)	/* bytes of pages kept in memory */

struct catalog_record {
	uint64_t	id;
	uint32_t	version;	/* of the state that the envelope shows */
	bool		large;		/* the content is spool/large/<id> */
	bool		maybe;		/* made anew from a file: what came after it is not known */
	bool		held;		/* made anew, and an operator kept it (holds.h) */
	uint64_t	folder;		/* spool/<folder>/<id> */
	uint32_t	place;		/* where the content begins in that file */
	uint32_t	crc;		/* crc32c of the content */
	uint64_t	size;		/* of the content */
	struct slice	envelope;
};

struct catalog_destination {
	struct slice	name;
	uint64_t	messages;	/* rows that name it */
	int64_t		earliest_ms;	/* no message of it is due before */
};

struct catalog_totals {
	uint64_t	messages, bytes;
	int64_t		clock_ms;	/* the latest time that was written (store.h, store_now) */
	uint32_t	commits;	/* ever; may wrap */
};

enum catalog_found { CATALOG_NONE, CATALOG_FOUND, CATALOG_ABSENT, CATALOG_FAILED };

/* `path` is the environment's directory, which exists. One that is empty, or was never made whole, has a clock of 0. -1: it
 * cannot be used; what would help is to set it aside and make it anew. */
int		 catalog_open(struct catalog **, const char *path, struct err *);
void		 catalog_close(struct catalog **);
/* libdb takes damage in its log for the log's end. The ring knows of so many commits: false, if this catalog has fewer, and what
 * is missing has left the ring. A fresh one goes on counting from there. */
bool		 catalog_is_current(struct catalog *, uint32_t commits);

/* A transaction: begin, put and forget, commit. After a failure it is aborted and nothing of it
 * is there. Commit returns when the log is flushed. */
int		 catalog_begin(struct catalog *, struct err *);
int		 catalog_put(struct catalog *, const struct catalog_record *, struct slice plan, struct err *);	/* replaces */
int		 catalog_forget(struct catalog *, uint64_t id, struct err *);	/* one that is not there is fine */
int		 catalog_commit(struct catalog *, int64_t clock_ms, struct err *);
void		 catalog_abort(struct catalog *);
/* A sync failed: what the environment believes to be on disk may not be. */
bool		 catalog_is_distrusted(const struct catalog *);

/* The record's slices live until the next call. CATALOG_FAILED also for one whose checksum fails. */
enum catalog_found catalog_get(struct catalog *, uint64_t id, struct catalog_record *, struct err *);
struct catalog_totals catalog_totals(const struct catalog *);
void		 catalog_each_destination(struct catalog *, void (*each)(void *, const struct catalog_destination *), void *arg);

/* Ids in the order of an index, at most *count; those that `skip` names are passed over. *count
 * says how many there are. */
typedef bool catalog_skip(void *arg, uint64_t id);
struct catalog_ids {
	uint64_t	*ids;
	uint32_t	 count;
	catalog_skip	*skip;
	void		*arg;
};
/* Due for this destination until then, and messages that have to be looked at. *next: the time of
 * the first one behind those that were taken, or CATALOG_NEVER. */
int		 catalog_due(struct catalog *, struct slice destination, int64_t until_ms, struct catalog_ids *,
		    int64_t *next, struct err *);
int		 catalog_look(struct catalog *, int64_t until_ms, struct catalog_ids *, int64_t *next, struct err *);
/* Ascending ids above `after`; of one domain, or (empty) of all. */
int		 catalog_walk(struct catalog *, struct slice domain, uint64_t after, struct catalog_ids *, struct err *);
/* All of it is on disk, and its files stay as they are until it is changed again. */
int		 catalog_flush(struct catalog *, struct err *);
/* Gives free pages back, a part at a time; when idle. */
int		 catalog_compact(struct catalog *, struct err *);

#endif
