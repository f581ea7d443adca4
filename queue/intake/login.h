#ifndef INTAKE_LOGIN_H
#define INTAKE_LOGIN_H
/*
 * login — who is logged in, as lookup says and smtpd cannot.
 *
 * A message of a submission wire names a token; only one that came over lookup's auth wire makes it somebody's. When that wire ends
 * its tokens are good for another LOGIN_GRACE: by then the next lookup has claimed those that smtpd still holds, each with the
 * name that it was given to.
 */
#include "event/loop.h"
#include "wire/auth.h"

#define LOGINS_MOST	100000
#define LOGIN_GRACE	(INT64_C(60) * 1000)	/* ms */

struct logins;

struct logins	*logins_new(struct loop *, struct err *);
void		 logins_free(struct logins **);
int		 logins_attach(struct logins *, int fd, struct err *);	/* takes the wire; replaces an older one */
/* Whose it is; the name lives until the next round. False: nobody's. */
bool		 logins_know(const struct logins *, const struct auth_token *, struct slice *login);
size_t		 logins_count(const struct logins *);

#endif
