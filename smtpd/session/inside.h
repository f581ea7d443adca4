#ifndef SMTPD_INSIDE_H
#define SMTPD_INSIDE_H
/*
 * inside — a session as the files of this room see it; nobody else includes this.
 *
 * A session is always in one phase. session_go is the one door between them: it sets the deadline and leaves a trace.
 */
#include "event/stream.h"
#include "mail/extension.h"
#include "mail/path.h"
#include "smtp/chunk.h"
#include "smtp/command.h"
#include "smtpd/logins.h"
#include "smtpd/session/reply_text.h"
#include "smtpd/session/session.h"
#include "wire/log.h"

#define HELO_MAX	255
#define NAME_MAX_TEXT	255
#define CLIENT_TEXT	(NAME_MAX_TEXT + SOCKADDRESS_TEXT + 3)	/* "unknown[2001:db8::1]" */

enum phase_id {
	PHASE_NONE,
	PHASE_HANDSHAKE,	/* TLS: the two sides are agreeing */
	PHASE_GREETING,		/* connected; nothing said yet */
	PHASE_COMMAND,		/* waiting for a whole line */
	PHASE_SKIP,		/* passing over a line that is too long */
	PHASE_SENDER,		/* lookup was asked whose an address is, of MAIL or of From */
	PHASE_ROUTES,		/* lookup was asked about recipients */
	PHASE_VERIFY,		/* lookup was asked about the address of VRFY or EXPN */
	PHASE_FLUSH,		/* queue was asked for a domain's mail */
	PHASE_AUTH,		/* a challenge is out */
	PHASE_AUTH_WAIT,	/* lookup was asked about a login */
	PHASE_DATA,		/* content */
	PHASE_CHUNK,		/* bytes of a BDAT, taken or passed over */
	PHASE_FILE,		/* content waits for its file */
	PHASE_VERDICT,		/* handed in: queue's word decides */
	PHASE_COUNT
};

/* What became of a command. */
enum done {
	DONE_NONE,
	DONE_OK,
	DONE_REFUSED,		/* a reply of 4xx or 5xx was said */
	DONE_LATER,		/* the answer comes later; whoever gives it counts it */
	DONE_CLOSED		/* the session is over */
};

/* The BDAT under way, and what is to be said of it. */
struct chunk_state {
	uint64_t	left, taken;
	bool		last;
	enum sentence	refusal;	/* SAY_NONE: its bytes are content */
	int64_t		began;
};

/* What XFORWARD says of the next message; empty: not said. */
struct forwarded {
	char	name[NAME_MAX_TEXT + 1], address[SOCKADDRESS_TEXT], ident[NAME_MAX_TEXT + 1];
};

struct session {
	struct session_owned	 owned;
	struct home		*home;
	struct settings		*settings;
	const struct served	*served;	/* what the listener offers; NULL: nothing more than any */
	struct stream		*stream;	/* NULL: over */
	struct timer		 deadline;
	struct transaction	*tx;		/* NULL: no transaction */
	enum phase_id		 phase;
	uint32_t		 number;
	bool			 secure;	/* every byte goes through TLS */
	bool			 trusted, esmtp, peer_ended, running;
	char			 skip_last;	/* PHASE_SKIP: the byte before */
	enum verb		 skip_verb;	/* the same: whose line it is; AUTH or UNKNOWN */
	enum verb		 last;		/* the last command, for the log */
	size_t			 taken;		/* bytes of input that are the command in hand */
	size_t			 behind;	/* and those behind it */
	size_t			 skipped;	/* PHASE_SKIP */
	struct chunk_state	 chunk;
	uint32_t		 errors, junk;
	struct {
		uint32_t	all, ok;
	}			 counts[VERB_COUNT];
	uint32_t		 auth_failures;
	struct login		 login;
	struct {
		uint32_t	count;
		struct {
			enum auth_binding	type;
			size_t			len;
			char			data[AUTH_CHANNEL_DATA_MAX];
		}		each[AUTH_CHANNELS_MAX];
	}			 bindings;	/* what the TLS connection gives to bind a login to; none without TLS */
	struct discard		 discard;
	bool			 may_xclient;	/* say for whom it speaks */
	bool			 may_xforward;	/* say from whom it got a message */
	struct forwarded	*forwarded;	/* NULL: it did not */
	uint32_t		 withheld;	/* EXTENSION_BITs: not offered here, or not to it */
	struct routes_ask	 ask;		/* PHASE_VERIFY */
	struct promise		 flush;		/* PHASE_FLUSH */
	char			 name[NAME_MAX_TEXT + 1];	/* "unknown" */
	struct sockaddress	 address;
	char			 client[CLIENT_TEXT];
	char			 peer[SOCKADDRESS_TEXT];
	char			 helo[HELO_MAX + 1];
	char			 mechanism[AUTH_MECHANISM_MAX + 1];	/* of the last AUTH */
};

/* session.c */
void		session_go(struct session *, enum phase_id);
void		session_forget(struct session *);		/* all that was said, HELO and login included */
void		session_greet(struct session *);
int64_t		session_patience(const struct session *, enum phase_id);	/* ms; less under stress */
void		session_extend(struct session *, int64_t deadline);	/* loop time; within a phase */
void		session_resume(struct session *);		/* after an answer: commands again */
void		session_say(struct session *, enum sentence);
void		session_sayf(struct session *, const char *, ...) __attribute__((format(printf, 2, 3)));
/* Says it (NULL: nothing), logs the end of the session, closes. */
enum done	session_end(struct session *, const char *reply);
enum done	session_end_sentence(struct session *, enum sentence);
void		session_count(struct session *, enum verb, bool ok);
void		session_junk(struct session *);			/* one more command that brings no mail any further */
void		session_reset(struct session *);		/* ends the transaction, if any */
/* Logs a reject in Postfix's words and says the reply; either of from, to may be NULL. */
enum done	session_reject(struct session *, const char *command, const struct slice *from, const struct slice *to,
		    const char *reply, ...) __attribute__((format(printf, 5, 6)));
enum done	session_reject_sentence(struct session *, const char *command, const struct slice *from, const struct slice *to, enum sentence);
/* Only logs it: this would have been said. */
void		session_warn_reject(const struct session *, const char *command, const struct slice *from, const char *reply);
const char	*session_where(const struct session *);		/* "RCPT", "CONNECT"; for the log */

/* lines.c */
void		lines_command(struct session *);
void		lines_skip(struct session *);
void		lines_done(struct session *);		/* the command in hand is not needed any more */
/* Recipients that wait for lookup go there before anything else happens; NULL: no other command follows now. */
void		lines_flush(struct session *, const struct command *next);

void		lines_too_long(struct session *, enum verb);	/* the line at hand, of that verb: passes over it */
void		lines_bare(struct session *);			/* a bare CR or LF in it: the end */

/* command_table.c */
enum done	command_not_synchronous(struct session *);	/* it talks on where it has to wait: the end */
enum done	command_run(struct session *, const struct command *);
bool		command_batches(enum verb);

/* cmd_*.c: the argument's bytes live until the handler returns */
enum done	cmd_helo(struct session *, struct slice argument);
enum done	cmd_ehlo(struct session *, struct slice argument);
enum done	cmd_mail(struct session *, struct slice argument);
enum done	cmd_rcpt(struct session *, struct slice argument);
enum done	cmd_data(struct session *, struct slice argument);
enum done	cmd_bdat(struct session *, struct slice argument);
enum done	cmd_rset(struct session *, struct slice argument);
enum done	cmd_noop(struct session *, struct slice argument);
enum done	cmd_quit(struct session *, struct slice argument);
enum done	cmd_help(struct session *, struct slice argument);
enum done	cmd_vrfy(struct session *, struct slice argument);
enum done	cmd_expn(struct session *, struct slice argument);
enum done	cmd_starttls(struct session *, struct slice argument);
enum done	cmd_xclient(struct session *, struct slice argument);
enum done	cmd_xforward(struct session *, struct slice argument);
enum done	cmd_etrn(struct session *, struct slice argument);
enum done	cmd_verb(struct session *, struct slice argument);
enum done	cmd_unknown(struct session *, struct slice argument);
enum done	cmd_foreign(struct session *, struct slice argument);

/* cmd_auth.c */
enum done	cmd_auth(struct session *, struct slice argument);
void		auth_input(struct session *);			/* the client's answer to a challenge */
void		auth_late(struct session *);
bool		auth_is_offered(const struct session *);
bool		auth_has_mechanism(const struct session *);	/* there is one to offer now */
void		auth_print_mechanisms(const struct session *, struct buf *out);	/* " PLAIN LOGIN" */
bool		auth_is_lost(const struct session *);		/* somebody was logged in, and is not any more */
bool		auth_may_relay(const struct session *);		/* who may submit for others than us */

/* offers.c */
bool		offers_has(const struct session *, enum extension);	/* it is not withheld */
void		offers_say(struct session *);			/* EHLO's answer */

/* cmd_etrn.c, cmd_xforward.c */
void		etrn_late(struct session *);
void		xforward_forget(struct session *);

/* cmd_rcpt.c */
void		rcpt_flush(struct session *);			/* asks about those that wait */
/* A bare local-part may mean one at this host: postmaster always, others for the trusted. -1: it may not. */
int		address_complete(struct session *, struct address *);
struct slice	address_canonical(struct arena *, const struct address *);	/* p NULL: memory */

/* sender.c */
bool		sender_is_watched(const struct session *);	/* somebody is logged in, and may not write as anybody */
enum done	sender_judge_path(struct session *);		/* MAIL's; answers MAIL, now or later */
void		sender_read_from(struct session *, struct slice value);	/* of the field */
/* At the end of the message. OK: it goes on; LATER: or when lookup has answered; REFUSED: the client has been told. */
enum done	sender_judge_from(struct session *);

/* secure.c */
void		secure_begin(struct session *);			/* the next bytes are TLS; the session may be over afterwards */
void		secure_opened(void *session);			/* stream_ops.on_open */
void		secure_failed(struct session *);		/* a line of the log */
void		secure_late(struct session *);
bool		secure_offered(const struct session *);		/* STARTTLS would be taken */

/* cmd_hello.c */
bool		hello_acceptable(struct slice name);
void		hello_keep(struct session *, struct slice name);

/* cmd_bdat.c */
enum done	bdat_refuse(struct session *, struct slice argument, enum sentence);	/* its bytes come all the same */
void		bdat_input(struct session *);			/* the stream has bytes of a chunk */
void		bdat_taken(struct session *);			/* all of a chunk that is not the last is where it belongs */

/* content.c */
void		content_begin(struct session *);
void		content_input(struct session *);		/* the stream has bytes of content, behind DATA */
void		content_add(struct session *, struct slice);	/* bytes of a chunk */
void		content_chunk(struct session *);		/* behind content_add: moves them on, and answers when the chunk is over */
/* So many bytes more, and be it to pass over them: false when that is far beyond the limit. */
bool		content_fits(const struct session *, uint64_t size);
void		content_expect(struct session *, uint64_t size);	/* so many bytes are announced */
/* Patience with a sender of so many bytes since then. */
void		content_extend(struct session *, int64_t began, uint64_t bytes);
/* The message is whole and nothing is wrong with it: to queue. */
void		content_hand_in(struct session *);
/* It is not taken: says so, and commands follow. */
void		content_refuse(struct session *, const char *reply);
void		content_refuse_sentence(struct session *, enum sentence);
void		content_file_late(struct session *);
void		content_verdict_late(struct session *);

/* received.c */
int		received_print(struct session *, struct buf *out);
/* Date and Message-ID, those of them that a submission lacks (RFC 6409 8); 0, or -1: memory. */
int		missing_print(struct session *, struct buf *out);

#endif
