#ifndef WIRE_SUBMIT_H
#define WIRE_SUBMIT_H
/*
 * submit — smtpd hands a message to queue, and is told when it is durable.
 *
 *	queue → smtpd	IDS first count		a lease on queue ids; more come before they run out
 *			ROOM which		for what there is space; MAIL for anything else is answered with 452
 *			VERDICT			about one serial: say 250 now, or not
 *			LARGE_FILE + fd		where to write a content above CONTENT_INLINE_MAX
 *	smtpd → queue	MESSAGE			envelope and content, or envelope and "it is in the large file"
 *			LARGE_OPEN		give me a file for this id
 *			LARGE_DROP		the client went away; forget that file
 *			FLUSH			a client asks for the mail of its domain (ETRN); answered by a VERDICT
 *			WANT_IDS		few ids are left (given-up transactions used some); no body
 *
 * queue knows from the supervisor, not from the peer,
 * what this wire may claim (enum wire_role in control.h).
 */
#include "wire/fields.h"

#define SUBMIT_VERSION		4
#define SUBMIT_TEXT_MAX		400
#define SUBMIT_IDS_MAX		65536
#define SUBMIT_WAIT_MAX		3600	/* s */

enum submit_frame {
	SUBMIT_NONE, SUBMIT_IDS, SUBMIT_ROOM, SUBMIT_VERDICT, SUBMIT_LARGE_FILE,
	SUBMIT_MESSAGE, SUBMIT_LARGE_OPEN, SUBMIT_LARGE_DROP, SUBMIT_WANT_IDS, SUBMIT_FLUSH, SUBMIT_FRAME_COUNT
};

enum submit_room {
	ROOM_NONE,
	ROOM_SMALL,		/* what needs no file of its own */
	ROOM_ALL,
	ROOM_COUNT
};

enum submit_verdict {
	VERDICT_NONE,
	VERDICT_DURABLE,	/* on disk, synced: say 250 */
	VERDICT_TRY_LATER,	/* 451: our trouble */
	VERDICT_NO_SPACE,	/* 452 4.3.1 */
	VERDICT_REFUSED,	/* 550: this wire may not claim that */
	VERDICT_STARTED,	/* a FLUSH: its mail is being tried */
	VERDICT_TOO_MUCH_MAIL,	/* 450 4.7.1: so many messages this login may not send now */
	VERDICT_TOO_MANY_NAMES,	/* 450 4.7.1: nor name so many recipients */
	VERDICT_NEVER,		/* 554 5.7.1: nor ever so many in one message */
	VERDICT_COUNT
};

struct submit_ids {
	uint64_t	first;
	uint32_t	count;		/* 1 .. SUBMIT_IDS_MAX; first + count never wraps */
};

struct submit_message {
	uint64_t	serial;		/* smtpd's own number; comes back in the verdict */
	uint64_t	id;		/* out of a lease; spent by this frame, whatever the answer */
	struct auth_token token;	/* of a login; zero: nobody's */
	struct envelope	envelope;	/* at least one recipient; fates zero; arrival, nonce set by queue */
	bool		large;		/* the content is in the file of this id */
	uint32_t	crc;		/* crc32c of the large content */
	struct slice	content;	/* inline, envelope.size bytes: Received, then what came, not dot-stuffed */
};

struct submit_flush {
	uint64_t		serial;
	struct auth_token	token;		/* of a login; zero: nobody's */
	struct slice		domain;		/* 1 to DOMAIN_MAX bytes */
};

struct submit_verdict_of {
	uint64_t		serial;
	enum submit_verdict	verdict;
	uint32_t		wait_s;		/* TOO_...: until it would be taken, if nothing else comes; 0: not known */
	struct slice		text;		/* for the log; may be empty */
};

struct submit_large {		/* LARGE_OPEN, LARGE_DROP, LARGE_FILE */
	uint64_t	id;
	bool		ok;		/* LARGE_FILE: false: no file (no space, disk trouble), and no fd */
};

void	submit_ids_put(struct buf *, const struct submit_ids *);
int	submit_ids_get(struct reader *, struct submit_ids *);
void	submit_room_put(struct buf *, enum submit_room);
int	submit_room_get(struct reader *, enum submit_room *);
/* The frame must fit FRAME_MAX: when envelope_size() + content.len come near it, the content goes by file
 * although it is small. */
void	submit_message_put(struct buf *, const struct submit_message *);
/* The content is borrowed from the frame, the envelope lives in the arena. */
int	submit_message_get(struct reader *, struct arena *, struct submit_message *);
void	submit_flush_put(struct buf *, const struct submit_flush *);
int	submit_flush_get(struct reader *, struct submit_flush *);
void	submit_verdict_put(struct buf *, const struct submit_verdict_of *);
int	submit_verdict_get(struct reader *, struct submit_verdict_of *);
void	submit_large_put(struct buf *, const struct submit_large *);
int	submit_large_get(struct reader *, struct submit_large *);

#endif
