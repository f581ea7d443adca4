#ifndef RELAY_CONVERSATION_H
#define RELAY_CONVERSATION_H
/* conversation — what this folder's files share beneath client.h: the inside of a client, the doors between its steps. */
#include <bsd/sys/queue.h>

#include "event/stream.h"
#include "event/timer.h"
#include "relay/client/client.h"
#include "relay/client/verdict.h"
#include "smtp/capability.h"
#include "smtp/dot.h"

#define CLIENT_HOST_SIZE	256
#define CLIENT_NAME_SIZE	(CLIENT_HOST_SIZE + SOCKADDRESS_TEXT + 16)
#define BODY_BLOCK		65536
#define DOMAINS_KEPT		32	/* of one session; to a server that takes more of them more sessions come */

enum step_id {
	STEP_NONE, STEP_GREETING, STEP_EHLO, STEP_HELO, STEP_STARTTLS, STEP_TLS, STEP_IDLE, STEP_RSET, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_BODY, STEP_DOT,
	STEP_QUIT, STEP_COUNT
};

/* What to do when the conversation ends in a step. */
enum step_kind {
	KIND_NONE,
	KIND_HELLO,		/* before the first transaction, or between two: the owner hears `gone` */
	KIND_ENVELOPE,		/* nobody has the message: others may try */
	KIND_CONTENT,		/* the message has begun to flow */
	KIND_GOODBYE		/* nobody listens any more */
};

struct step {
	const char	*doing;		/* "lost connection with X while ..." */
	size_t		 patience;	/* offset of an int64_t, ms, in struct conf_relay */
	enum step_kind	 kind;
	void		(*on_reply)(struct client *, const struct reply *);
};

struct client_house {
	struct loop		*loop;
	const struct conf	*conf;
	LIST_HEAD(, client)	 clients;
	uint64_t		 generation;	/* of the configuration */
	uint32_t		 count, quitting;	/* all of them; those that wait for the answer to QUIT */
	struct tls_context	*tls;
	char			 block[BODY_BLOCK];	/* a piece of a file on its way through */
};

struct client {
	LIST_ENTRY(client)	 link;
	struct client_house	*house;
	struct stream		*stream;	/* NULL: closed */
	struct timer		 deadline;	/* of the step; bytes that drip in do not move it */
	enum step_id		 step;
	const struct client_ops	*ops;		/* NULL: nobody listens */
	void			*arg;
	struct reply		 reply;
	struct capabilities	 caps;
	struct sockaddress	 address;
	char			 name[CLIENT_NAME_SIZE];
	char			 host[CLIENT_HOST_SIZE];
	bool			 wants_tls;	/* if it is offered */
	bool			 named;		/* CLIENT_NAMED */
	bool			 tls_failed, tls_impossible;
	bool			 tls_later;	/* STARTTLS was refused for now */
	bool			 has_authorities;	/* the handshake had any to check a certificate with */
	uint64_t		 generation;	/* the house's when it began */
	uint32_t		 transactions;
	/* RFC 9422 */
	uint64_t		 domains[DOMAINS_KEPT];	/* hashes of those that RCPT has named, to a server that limits them */
	uint32_t		 domain_count;
	bool			 spent;		/* nobody of the last transaction fitted in this session any more */
	bool			 dirty;		/* the last transaction ended early: RSET before the next */
	bool			 spoiled;	/* it said more than it was asked: what comes next cannot be matched */
	struct hook		 hook;		/* a transaction that ends before it began */
	struct discard		 discard;
	/* the transaction under way */
	struct transaction	*tx;
	uint32_t		 count;		/* of its recipients, the first ones: who is named in this transaction */
	uint32_t		 heard;		/* RCPT replies so far */
	uint32_t		 accepted;	/* of them taken */
	bool			 pipelined, refused;	/* MAIL was refused: the rest of the replies means nothing */
	bool			 answered;	/* a reply has come in this transaction */
	/* its content */
	bool			 chunked;	/* it goes by BDAT, and through `lines`; else by DATA, and through `dots` */
	struct dot_writer	 dots;
	struct dot_reader	 lines;
	struct content_reader	 reader;
	bool			 body_done;	/* everything, final dot included, is in the stream's hands */
};

extern const struct step client_steps[STEP_COUNT];

/* The one door: sets step and deadline. */
void	client_go(struct client *, enum step_id);
/* The connection is over for this reason; tells the owner what that means in the present step. */
void	client_fail(struct client *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A reply that cannot follow what we said, or none at all: who answers like that cannot be talked to. */
void	client_nonsense(struct client *, const char *what);
/* The same for a reply that ends it (421, a refused greeting). */
void	client_refused(struct client *, const struct reply *);
void	client_shut(struct client *);				/* stream, deadline, hook; the memory goes after the round */

/* The transaction is over, the connection is fine. */
void	client_finish(struct client *);
/* A copy of the outcome, in the transaction's arena; an arena that is full costs the words, never the verdict. */
void	client_decide(struct client *, struct tx_recipient *, const struct outcome *);
/* The same for all without an outcome, but for those that wait for another transaction. */
void	client_decide_rest(struct client *, const struct outcome *);

/* hello.c */
void	hello_say(struct client *);					/* EHLO, the first or after STARTTLS */
void	hello_ready(struct client *);
void	hello_greeting(struct client *, const struct reply *);
void	hello_ehlo(struct client *, const struct reply *);
void	hello_helo(struct client *, const struct reply *);
/* secure.c */
void	secure_ask(struct client *);					/* STARTTLS */
void	secure_reply(struct client *, const struct reply *);
void	secure_opened(void *client);					/* stream_ops.on_open */
void	secure_failed(struct client *);					/* the handshake did not come to its end */
/* envelope.c */
void	envelope_begin(struct client *);
void	envelope_rset(struct client *, const struct reply *);
void	envelope_mail(struct client *, const struct reply *);
void	envelope_rcpt(struct client *, const struct reply *);
void	envelope_data(struct client *, const struct reply *);
/* We ourselves say no to all without an outcome, before a word was sent. The owner hears of it from the loop, as always. */
void	envelope_refuse(struct client *, const struct outcome *);
/* limits.c */
bool	limits_allow_more(const struct client *);	/* a transaction in this session */
/* Moves to the front of the transaction those who may be named in it, and counts them; the others are for another one. */
void	limits_choose(struct client *);
/* utf8.c */
/* This server may have nothing of the transaction, and everybody has been told. False: what is left in it may go. */
bool	utf8_unsuited(struct client *);
/* body.c */
void	body_begin(struct client *);			/* DATA was answered: content may follow */
void	body_chunk(struct client *);			/* BDAT and all of the content */
void	body_pump(struct client *);			/* there is room in the stream */
void	body_drained(struct client *);
void	body_early(struct client *, const struct reply *);	/* a reply before the final dot */
void	body_dot(struct client *, const struct reply *);
/* Whether a byte above 127 is in a content that is good. */
enum content_result	body_is_8bit(struct client *, const struct content *, bool *yes, struct err *);

#endif
