#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H
/*
 * session — one client, from connect to quit.
 *
 * Owns the socket, the deadline and the transaction. home->closed is called exactly once, when it is over.
 */
#include "net/sockaddr.h"
#include "smtpd/session/home.h"

struct client;

/* Takes the fd (also on failure). trusted: may relay. NULL: err, and home->closed is not called. */
struct session		*session_open(struct home *, int fd, const struct sockaddress *peer, bool trusted, struct err *);
/* Greets, when the owner has put it where it belongs: it may be over when this returns. */
void			 session_begin(struct session *);
/* Between transactions: 421 and gone; else as soon as the one that runs is over. */
void			 session_stop(struct session *);
/* 421 now, whatever runs. */
void			 session_kill(struct session *);
/* Sessions run out: from now on it has less time, if it is a stranger's. */
void			 session_hurry(struct session *);
uint32_t		 session_errors(const struct session *);
const char		*session_client(const struct session *);	/* "unknown[192.0.2.1]" */
/* Says one sentence to a socket that gets no session, and closes it. */
void			 session_refuse(int fd, const struct settings *, const char *reply);

/* Two places that belong to the owner: its list, and whom it counted. */
struct session_owned {
	struct session	*prev, *next;
	struct client	*client;
};
struct session_owned	*session_owned(struct session *);

#endif
