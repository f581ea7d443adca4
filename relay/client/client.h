#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H
/*
 * client — one SMTP conversation from our side: greeting to QUIT, many transactions between.
 *
 * The owner is told exactly once for each thing it started: `ready` or `gone` after client_open, `sent` after client_send;
 * `gone` may also come while nothing is asked of it (an idle connection ends). No callback runs inside a call of the owner.
 * After client_close, client_quit or client_adopt no callback of the old owner runs.
 */
#include "conf/conf.h"
#include "event/loop.h"
#include "mail/content.h"
#include "mail/envelope.h"
#include "net/sockaddr.h"

struct client;
struct client_house;
struct tls_context;

struct client_ops {
	void	(*ready)(void *arg);		/* greeted: client_send may follow */
	void	(*sent)(void *arg);		/* the transaction is over: look into it, and at client_usable */
	void	(*gone)(void *arg, const struct outcome *why);	/* of no use any more: close it. Text borrowed for the call */
};

enum tx_state { TX_NONE, TX_TAKEN, TX_LATER };

struct tx_recipient {
	struct slice	address;	/* canonical */
	struct slice	original, orcpt;	/* as in wire/deliver.h */
	uint32_t	notify;		/* NOTIFY_ */
	bool		dsn;		/* whom RCPT was last said to offers DSN: when it takes the message, it tells the sender */
	struct outcome	outcome;	/* ACTION_NONE: none yet. Texts live in the transaction's arena */
	enum tx_state	state;		/* client's own: RCPT was answered 250; or wants another transaction */
};

/* One transaction; the owner's, borrowed from client_send to `sent`. */
struct transaction {
	struct slice		  reverse_path;
	enum body_type		  body;
	bool			  smtputf8;	/* addresses and header may be outside ASCII (RFC 6531) */
	bool			  requiretls;	/* said where the session is fit for it (RFC 8689) */
	bool			  protected_only;	/* and elsewhere nothing of it is sent */
	enum ret		  ret;
	struct slice		  envid;	/* empty: none */
	struct content		  content;
	struct tx_recipient	**recipients;	/* each without an outcome */
	uint32_t		  count;
	struct arena		 *arena;	/* for the texts of outcomes */
	/* Afterwards: recipients that still have no outcome were not decided by anybody. */
	struct outcome		  trouble;	/* what to say of them if nothing better comes: always ACTION_DELAYED */
	bool			  stale;	/* the connection had been used before and was dead already: a new one costs no try */
	bool			  more;		/* the server wants no more recipients in this transaction: send another one */
	bool			  damaged;	/* the content is: it was not sent to its end, and nobody will ever take it like this */
};

/* What all clients of a process share: configuration, a block to read files with, and the list of those that are saying QUIT. */
struct client_house	*client_house_new(struct loop *, const struct conf *, struct tls_context **, struct err *);	/* takes the context, not on failure */
void			 client_house_conf(struct client_house *, const struct conf *, struct tls_context **);	/* conf is borrowed until the next */
uint32_t		 client_house_count(const struct client_house *);			/* connections that exist */
void			 client_house_free(struct client_house **);	/* closes all clients; owners hear nothing */

enum {
	CLIENT_TLS = 1 << 0,		/* STARTTLS when it is offered, with any certificate (RFC 7435); when it is refused, in clear */
	CLIENT_NAMED = 1 << 1		/* `host` is the name that was meant, and no answer of DNS */
};

/*
 * Takes a connected, non-blocking socket (also on failure). `host` and `address` name the peer; flags: CLIENT_. A handshake that fails
 * ends the connection: client_tls_failed.
 */
struct client	*client_open(struct client_house *, int fd, const char *host, const struct sockaddress *, unsigned flags,
		    const struct client_ops *, void *arg, struct err *);
bool		 client_tls_failed(const struct client *);	/* at `gone`: in clear it might work */
bool		 client_tls_impossible(const struct client *);	/* and through TLS it will not, the next time either */
/* Whether mail that requires TLS may go through (RFC 8689 4.2.1), once it is ready. False: *why, its text in `text`. */
bool		 client_protects(const struct client *, struct outcome *why, char text[OUTCOME_TEXT_MAX]);
/* Only when ready or after `sent` with client_usable. */
void		 client_send(struct client *, struct transaction *);
bool		 client_usable(const struct client *);		/* idle and healthy: another transaction may be sent */
bool		 client_is_current(const struct client *);	/* it began with the configuration that is in force: others may have it next */
bool		 client_spent(const struct client *);		/* idle and healthy, but the server takes no more of this in one session */
uint32_t	 client_transactions(const struct client *);	/* so far */
const char	*client_name(const struct client *);		/* "mx.example.org[192.0.2.1]:25" */
const struct sockaddress *client_address(const struct client *);
void		 client_adopt(struct client *, const struct client_ops *, void *arg);	/* another owner */
void		 client_quit(struct client **);			/* says QUIT and goes by itself; nobody waits */
void		 client_close(struct client **);		/* at once */

#endif
