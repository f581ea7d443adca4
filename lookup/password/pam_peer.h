#ifndef PASSWORD_PAM_PEER_H
#define PASSWORD_PAM_PEER_H
/*
 * pam_peer — the process pam as the gate sees it: a pool of checkers at the other end of a wire (lookup/pam/wire.h).
 *
 * It may be away at any time; then what it was asked is answered with trouble, and the supervisor brings the next wire. Called by
 * gate.c.
 */
#include "event/loop.h"
#include "lookup/password/checker.h"

struct pam_peer;

struct pam_peer_ops {		/* from the loop, never from inside a call but pam_peer_wire */
	void	(*answer)(void *arg, uint32_t id, const struct check_answer *);
	void	(*idle)(void *arg);	/* it can be asked more, or it is away */
	void	*arg;
};

struct pam_peer	*pam_peer_new(struct loop *, const struct pam_peer_ops *);	/* away; NULL: no memory */
void		 pam_peer_free(struct pam_peer **);
/* A new wire, in place of the last one. Takes fd. */
void		 pam_peer_wire(struct pam_peer *, int fd);
bool		 pam_peer_here(const struct pam_peer *);
/* It is here, and is at fewer than `most` questions: pam_peer_ask may be called. */
bool		 pam_peer_ready(const struct pam_peer *, uint32_t most);
/* The id is the caller's, not in use by another open question; it is answered once. */
void		 pam_peer_ask(struct pam_peer *, uint32_t id, const struct sasl_said *);

#endif
