#ifndef PASSWORD_DOVECOT_H
#define PASSWORD_DOVECOT_H
/*
 * dovecot — one connection to Dovecot's auth-client socket, on which all attempts to log in go side by side.
 *
 * Nothing blocks: Dovecot has the workers. It may be away at any time; then attempts are "try later", and the connection is tried
 * again. What it sends is parsed as if it were hostile. Called by gate.c.
 */
#include "event/loop.h"
#include "lookup/password/checker.h"

#define DOVECOT_RESPONSE_MAX	5632	/* bytes of a response: Dovecot ends a client whose line is longer than 8192 */

struct dovecot;

struct dovecot_ops {		/* from the loop, never from inside a call */
	/* It has said what it offers: names parted by spaces; empty: it is away, and what was begun will not be answered. */
	void	(*offers)(void *arg, struct slice names);
	void	(*answer)(void *arg, uint32_t id, const struct check_answer *);
	void	*arg;
};

/* `path` is borrowed. NULL: err; that Dovecot is not there is no error. */
struct dovecot	*dovecot_new(struct loop *, const char *path, const struct dovecot_ops *, struct err *);
void		 dovecot_free(struct dovecot **);
/* The id is the caller's; it is answered until OK or FAILED. -1: it is away, or the response is too long for it. */
int		 dovecot_begin(struct dovecot *, uint32_t id, const struct auth_begin *);
int		 dovecot_continue(struct dovecot *, uint32_t id, struct slice response);
void		 dovecot_cancel(struct dovecot *, uint32_t id);		/* no answer is wanted any more */

#endif
