#ifndef PASSWORD_GATE_H
#define PASSWORD_GATE_H
/*
 * gate — attempts to log in, from the first word to the answer, and the logins that come of them.
 *
 * An attempt has an object of its own, which goes with its end, whatever that is. Passwords are checked by workers of their own, by
 * the process pam or by Dovecot, so an attempt keeps nobody waiting but its client; too many at once are "try later". A failure is told late, by a
 * timer that costs nobody anything. Before smtpd hears of a login queue has heard of it, with a token, and has said so.
 */
#include "conf/conf.h"
#include "event/loop.h"
#include "wire/control.h"

struct gate;

/* Borrows conf until gate_reload gives another. NULL: err. */
struct gate	*gate_new(struct loop *, const struct conf *, struct err *);
void		 gate_free(struct gate **);
/* ROLE_SUBMISSION asks, ROLE_QUEUE is told, ROLE_PAM is asked; a wire of another role is closed. Takes fd. */
void		 gate_wire(struct gate *, enum wire_role, int fd);
/* Logins stay; what is being checked is "try later". -1: err, and nobody can log in. */
int		 gate_reload(struct gate *, const struct conf *, struct err *);
void		 gate_status(const struct gate *, struct buf *out);

#endif
