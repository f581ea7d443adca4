#ifndef SMTPD_LOGINS_H
#define SMTPD_LOGINS_H
/*
 * logins — the auth wire from smtpd's side: attempts to log in, and the logins that sessions have.
 *
 * What is begun is answered, once for each word of the client: with lookup's answer, or, when the wire is lost, with LOGIN_LATER.
 * A login outlives its wire: the next lookup is told of it, and asks queue whether it is true. Callbacks come from the loop, never from inside a call.
 */
#include "base/hash.h"
#include "event/loop.h"
#include "wire/auth.h"

struct logins;

enum login_result {
	LOGIN_NONE,
	LOGIN_CHALLENGE,	/* `bytes` for the client */
	LOGIN_OK,		/* it is `name` of struct login */
	LOGIN_FAILED, LOGIN_LATER	/* the attempt is over; `text` for the log, `login` as far as known */
};

struct login_news {
	enum login_result	result;
	struct slice		bytes, login, text;
};

/* Of one session, inside of it. Zeroed: none. */
struct login {
	struct hash_node	 node;
	uint64_t		 serial;	/* 0: nothing begun, or over */
	bool			 live;
	struct auth_token	 token;		/* live */
	char			 name[AUTH_LOGIN_MAX + 1];	/* who it is; stays when it is not live any more */
	void			(*fn)(void *arg, const struct login_news *);
	void			*arg;
};

struct logins	*logins_new(struct loop *, struct err *);
void		 logins_free(struct logins **);		/* nothing may be begun */
void		 logins_wire(struct logins *, int fd);	/* takes it; replaces an older wire */
struct slice	 logins_mechanisms(const struct logins *);	/* parted by spaces; empty: none now */

/* Fills in the serial. -1: no wire, and nothing was begun. */
int		 logins_begin(struct logins *, struct login *, struct auth_begin *, void (*fn)(void *, const struct login_news *), void *arg);
int		 logins_continue(struct logins *, struct login *, struct slice response);	/* -1: the attempt is over */
/* The session gives it up: the attempt or the login. None: nothing. */
void		 logins_end(struct logins *, struct login *);

#endif
