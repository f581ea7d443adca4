#ifndef TEST_SMTPD_SESSION_MODEL_H
#define TEST_SMTPD_SESSION_MODEL_H
/*
 * session_model — what RFC 5321 and RFC 3030 let a server say, and which messages it then has: a reference for the sessions of smtpd.
 *
 * Written from the documents and from what posthorn promises beside them (limits, line ends), not from its code, and knows nothing of
 * time, input buffers or processes. A command is a row of model_rows; a new one (STARTTLS, AUTH) is a new row.
 */
#include <stdbool.h>
#include <stddef.h>

#define MODEL_CONTENT	4096
#define MODEL_CODES	256
#define MODEL_MESSAGES	64

struct model_rules {
	bool		may_relay;	/* mail for other domains is taken */
	bool		login_wanted;	/* MAIL is for those who have logged in, and nobody can */
	unsigned	max_errors, max_junk;		/* 0: as many as you like */
	unsigned	recipients;	/* of one message */
	size_t		message_size;
};

struct model_message {
	char		sender[64], recipients[512];	/* recipients: each followed by a newline */
	char		content[MODEL_CONTENT];
	size_t		len;
	bool		no_tls_required;	/* its header says so */
};

struct model {
	const struct model_rules *rules;
	/* the session's */
	bool		hello, over;
	bool		wants_content;	/* DATA was answered 354 */
	bool		full;		/* the queue has no room for new mail */
	unsigned	errors, junk;
	/* the transaction's */
	bool		mail, chunked;
	bool		stale;		/* the queue that its id came from is gone */
	unsigned	count;		/* of recipients */
	struct model_message now;
	/* what is to be heard, and to be found in the queue, since model_next */
	unsigned	codes[MODEL_CODES], code_count;
	struct model_message *messages;	/* MODEL_MESSAGES of them; the owner's */
	unsigned	message_count;
};

/* How the queue answers a message that is handed in. */
enum model_verdict { MODEL_TAKEN = 250, MODEL_TOO_MUCH = 450, MODEL_LATER = 451, MODEL_NO_SPACE = 452, MODEL_REFUSED = 550, MODEL_NEVER = 554 };

struct model_row {
	const char	*say;		/* with its line end */
	unsigned	(*fn)(struct model *, const struct model_row *);	/* the reply's code; moves the model on */
	unsigned	 code;		/* what the argument is worth, when the command is allowed */
	unsigned	 trusted_code;	/* the same to those who may relay, of rows that make a difference */
	const char	*address;	/* canonical, of MAIL and RCPT */
	bool		 junk;		/* brings no mail any further */
	bool		 last;		/* the client has to wait for the reply */
	bool		 closes;	/* the server hangs up behind the reply */
};

extern const struct model_row	model_rows[];
extern const size_t		model_row_count;

void	model_begin(struct model *, const struct model_rules *, struct model_message *room);	/* greeted */
void	model_next(struct model *);			/* forgets codes and messages */
void	model_queue_lost(struct model *);		/* replaced by another one */
/* early: the client has sent on where it had to wait. */
void	model_command(struct model *, const struct model_row *, bool early);
/* The bytes between 354 and the final dot, unstuffed; bare: with a CR or LF that stands alone. */
void	model_content(struct model *, const char *content, size_t len, bool bare, enum model_verdict);

enum model_chunk { MODEL_CHUNK_GOOD, MODEL_CHUNK_ODD, MODEL_CHUNK_LOST };	/* as in smtp/chunk.h */

void	model_bdat(struct model *, enum model_chunk, const char *bytes, size_t size, bool last, enum model_verdict);
/* A chunk of a size that nobody waits for. */
void	model_bdat_huge(struct model *);
/* Bytes of the header, its empty line (closed) not counted. */
size_t	model_header(const struct model_message *, bool *closed);

#endif
