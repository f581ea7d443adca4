#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H
/*
 * smtpd — the receiver: owns listeners, sessions, limits and the three wires, and says who may do what.
 *
 * One object per process. An mx worker keeps strangers and passes connections from trusted networks on; a trusted or submission
 * worker looks at the peer itself.
 */
#include "base/buf.h"
#include "event/loop.h"
#include "net/sockaddr.h"
#include "smtpd/settings.h"
#include "wire/control.h"

struct smtpd;

/* Borrows the loop, takes the settings (NULL: fails with err as it is). number: the process's, for session numbers. stopped: called once,
 * when smtpd_stop has come to its end. */
struct smtpd	*smtpd_new(struct loop *, struct settings *, enum wire_role, uint32_t number, void (*stopped)(void *), void *arg,
		    struct err *);
void		 smtpd_free(struct smtpd **);
void		 smtpd_wire(struct smtpd *, const struct control_wire *, int fd);	/* takes the fd */
void		 smtpd_listener(struct smtpd *, int fd);				/* takes it */
/* A connection with this peer, taken from somewhere else than a listener. Takes the fd. */
void		 smtpd_connection(struct smtpd *, int fd, const struct sockaddress *peer);
void		 smtpd_reload(struct smtpd *, struct settings *);	/* takes them; sessions keep those they began with */
/* Takes nobody any more, lets transactions that run come to their end, and ends after within_ms whatever happens. */
void		 smtpd_stop(struct smtpd *, int64_t within_ms);
bool		 smtpd_is_whole(const struct smtpd *);		/* queue and lookup can be asked */
void		 smtpd_status(const struct smtpd *, struct buf *);

#endif
