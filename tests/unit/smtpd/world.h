#ifndef TEST_SMTPD_WORLD_H
#define TEST_SMTPD_WORLD_H
/*
 * world — a receiver with everything around it in one process: a client, a queue, a lookup and a log, over socket pairs.
 *
 * Addresses at example.net are local: user*, postmaster and tag* exist, later* is trouble, odd* is invalid, anything else is unknown. Other
 * domains are remote. A login may write as the local-part that it is, of any domain; later* is trouble there, too.
 */
#include "base/buf.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "smtpd/smtpd.h"
#include "wire/log.h"
#include "wire/lookup.h"
#include "wire/submit.h"

#define MESSAGES_MAX	64

struct stored {			/* what the queue was given */
	queue_id	id;
	uint64_t	serial;
	bool		large;
	uint32_t	size, crc;
	struct auth_token token;
	enum body_type	body;
	enum ret	ret;
	bool		smtputf8;
	enum tls_tag	tls;
	char		dsn[600];	/* envelope id; then NOTIFY and ORCPT of each recipient */
	struct buf	sender, recipients, content;	/* recipients: each followed by a newline */
};

struct world {
	struct conf		 conf;
	struct network		 trusted;
	struct loop		*loop;
	struct smtpd		*smtpd;
	struct timer		 guard;		/* no test hangs */
	bool			 stopped;	/* smtpd said so */

	int			 client;	/* -1: closed by us */
	bool			 closed;	/* by smtpd */
	struct buf		 got;		/* what the client has read and not used */
	const char		*waiting_for;
	bool			 found;

	struct channel		*queue;
	uint32_t		 epoch, leased;	/* the last id given out is leased of this epoch */
	enum submit_verdict	 verdict;	/* for what comes in; VERDICT_NONE: hold it back */
	uint32_t		 wait_s;	/* of verdicts */
	bool			 no_file;	/* LARGE_OPEN gets none */
	bool			 hold_file;
	int			 file;		/* the last one given, or -1 */
	queue_id		 file_asked;
	struct stored		 stored[MESSAGES_MAX];
	size_t			 stored_count;
	unsigned		 drops;		/* LARGE_DROP */
	unsigned		 flushes;	/* ETRN: later* is trouble, not* may not, hold* gets no answer */
	char			 flushed[300];	/* the last one's domain */

	struct channel		*lookup;
	bool			 hold_answers;
	unsigned		 questions, asked;	/* frames; addresses */
	unsigned		 senders_asked;		/* addresses that somebody wants to write as */
	uint64_t		 held_serial;
	struct route		 held_routes[ROUTE_ADDRESSES_MAX];
	uint32_t		 held_count;
	uint64_t		 generation;
	uint32_t		 ttl_ms;

	int			 log;
	unsigned		 events[EVENT_COUNT];
	struct buf		 texts;		/* of all events, one per line: "EVENT key=value ..." */
};

/* Everything on, nobody connected. The peer's address decides about trust: 10.x is a trusted network. */
void	world_open(struct world *, enum wire_role);
void	world_close(struct world *);
void	world_reopen(struct world *);			/* smtpd anew, with what is in world->conf now */
void	world_connect(struct world *, const char *ip);	/* a client; its greeting has not been read */
void	world_hang_up(struct world *);
void	world_send(struct world *, const char *bytes, size_t len);
void	world_say(struct world *, const char *text);	/* the same for a string */
/* Runs until a line comes; it is used up. What was wanted is for the words of a failure. */
void	world_line(struct world *, const char *wanted, char *line, size_t size);
/* Runs until a line comes and checks how it begins; the line is used up. */
void	world_expect(struct world *, const char *prefix);
/* Sends, and expects one line. */
void	world_talk(struct world *, const char *text, const char *prefix);
void	world_expect_close(struct world *);		/* runs until smtpd has closed; unread lines are a failure */
/* Runs until *flag is not 0. */
void	world_until(struct world *, const unsigned *counter, unsigned least);
void	world_run_round(struct world *);		/* what is ready now, and no waiting */
/* Says EHLO; what it offers, each keyword and its words with a space in front and one behind, lives until the next call. */
const char *world_ehlo(struct world *);
void	world_hello(struct world *, const char *ip);	/* connected, greeted, EHLO done */
void	world_queue(struct world *);			/* a new life of queue: new wire, new ids */
void	world_lookup(struct world *);
int	world_queue_end(struct world *);		/* the same for an smtpd elsewhere: gives its end of the wire */
int	world_lookup_end(struct world *);
void	world_answer(struct world *);			/* the answer that was held back */
void	world_give_verdict(struct world *, size_t message, enum submit_verdict);
void	world_log(struct world *);			/* reads what was logged into texts */
bool	world_logged(struct world *, const char *text);

#endif
