#ifndef PAM_DESK_H
#define PAM_DESK_H
/*
 * desk — lookup's questions in, verdicts of forked checkers out, and no wait of its own.
 *
 * What strangers say is checked for its form and not looked at: a checker does that. One that has been told a password has given its
 * last answer, and a fresh one takes its place: so what a module keeps of a user is not there when the next comes. Called by main.c.
 */
#include "conf/conf.h"
#include "event/loop.h"
#include "lookup/pam/stack.h"

struct desk;

/* Borrows the stack and conf. NULL: err. The checkers are forked at once. */
struct desk	*desk_new(struct loop *, const struct conf *, const struct stack *, struct err *);
void		 desk_free(struct desk **);
/* lookup's wire, in place of the last one. Takes fd. */
void		 desk_wire(struct desk *, int fd);
void		 desk_status(const struct desk *, struct buf *out);

#endif
