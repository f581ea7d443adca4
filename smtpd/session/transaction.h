#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H
/*
 * transaction — from MAIL to the end of data: envelope, recipients that wait for lookup, content.
 *
 * All of it dies in one place, transaction_end, whatever ended it (queued, refused, RSET, HELO, the client gone): state that
 * outlives a failed command has been a whole class of holes. Ended ones wait in a pool, so that a busy worker allocates nothing per
 * message and an idle session holds nothing.
 */
#include "event/timer.h"
#include "mail/header.h"
#include "smtp/dot.h"
#include "smtpd/routes.h"
#include "smtpd/session/intake.h"

#define ENVELOPE_BYTES_MAX	(240 * 1024)	/* fits one frame; content that does not fit beside it goes by file */
#define ENVELOPE_EACH		24		/* what a recipient costs on the wire beside its text, at most */
#define PENDING_MAX		ROUTE_ADDRESSES_MAX

/* What is wrong with the content; the first thing wins and is said when the data ends. */
enum content_fault {
	CONTENT_FINE, CONTENT_TOO_BIG, CONTENT_HEADER_TOO_LONG, CONTENT_LOOPS, CONTENT_NO_MEMORY, CONTENT_NO_SPACE, CONTENT_NO_FILE,
	CONTENT_BARE, CONTENT_FAULT_COUNT
};

enum file_state { FILE_NONE, FILE_ASKED, FILE_OPEN };

/* The mailboxes of From, of which the sender of a submission may have to own each. */
struct sender_claim {
	const char	*wrong;		/* why the field cannot be relied on; NULL: it can */
	uint32_t	count;		/* 0: there is no From */
	struct slice	addresses[SENDER_ADDRESSES_MAX];
};

/* A RCPT whose reply waits. */
struct pending {
	struct slice		address, original, orcpt;
	uint32_t		notify;		/* NOTIFY_ */
	enum route_verdict	known;		/* from the cache; ROUTE_NONE: asked */
	const char		*refusal;	/* a reply that needs no lookup and only waits for its turn; else NULL */
};

struct transaction {
	struct transaction	*next;		/* in the pool */
	struct arena		 arena;
	int64_t			 until;		/* loop time at which patience with the whole of it ends */
	struct slice		 reverse_path;	/* canonical; empty: <> */
	enum body_type		 body;
	bool			 smtputf8;	/* said in MAIL: addresses and header may be outside ASCII */
	bool			 requiretls;	/* said in MAIL */
	enum ret		 ret;
	struct slice		 envid;		/* decoded; empty: not said */
	struct recipient	*recipients;	/* not in the arena: it grows */
	uint32_t		 count, room;
	size_t			 envelope_bytes;
	uint32_t		 refused;	/* RCPTs */
	uint32_t		 excess;	/* RCPTs beyond the limit */
	struct ticket		 ticket;	/* since the first accepted RCPT */
	bool			 ticket_spent;	/* a frame has named it */

	struct pending		 pending[PENDING_MAX];
	uint32_t		 pending_count;
	struct routes_ask	 ask;

	/* content */
	struct dot_reader	 dots;
	struct header_scan	 scan;
	struct slice		 message_id;
	bool			 tls_no;	/* a field of the header says "TLS-Required: No" */
	struct sender_claim	 from;		/* read when senders are watched */
	bool			 completes;	/* a submission: what its header lacks is added where it ends ... */
	bool			 complete;	/* ... and has been */
	size_t			 trace_size;	/* bytes of our trace header in front of what the client sent */
	enum content_fault	 fault;
	bool			 chunked;	/* BDAT has begun */
	bool			 ended;		/* the final dot, or the last chunk, has been seen */
	int64_t			 data_began;
	uint64_t		 received;	/* bytes of content from the client */
	uint64_t		 size;		/* bytes of content in all, trace header included */
	struct buf		 content;	/* all of it, or what the file does not have yet */
	size_t			 counted;	/* of it, in home->content_bytes */
	enum file_state		 file;
	int			 fd;
	uint64_t		 written;
	uint32_t		 crc;
	struct file_wish	 wish;
	struct timer		 turn;		/* more is to be written in the next round */
	struct promise		 promise;
};

struct transaction_pool {
	struct transaction	*first;
	size_t			 count;
};

void			 transaction_pool_fini(struct transaction_pool *);
struct transaction	*transaction_begin(struct transaction_pool *);		/* NULL: no memory */
/* Cancels what is in flight, gives an unspent id back, drops the file unless it was handed in. NULL is fine. */
void			 transaction_end(struct transaction **, struct transaction_pool *, struct intake *, struct routes *);

bool			 transaction_has(const struct transaction *, struct slice address);
/* So many RCPTs that not even their names fit any more. */
bool			 transaction_is_full(const struct transaction *);
/* Slices live in the arena. -1: memory, or ENVELOPE_BYTES_MAX. */
int			 transaction_add(struct transaction *, const struct recipient *);
/* The content is too large to travel in the frame. */
bool			 transaction_is_large(const struct transaction *);
void			 transaction_envelope(const struct transaction *, struct envelope *out);

#endif
