#ifndef INTAKE_ROUTE_H
#define INTAKE_ROUTE_H
/*
 * route — asks lookup where addresses go, and remembers the answers that may be remembered.
 *
 * Only lookup decides what is ours and which transport carries it; smtpd's word is never taken. Questions of one round travel in
 * one frame. While lookup is away questions wait; they are asked again when its wire comes back.
 */
#include "event/loop.h"
#include "wire/lookup.h"

struct routes;
struct ask;

/* Called once for each ask, later, from the loop; the route is borrowed for the call. Trouble is ROUTE_TRY_LATER. */
typedef void route_cb(void *arg, const struct route *);

struct routes	*routes_new(struct loop *, struct err *);
void		 routes_free(struct routes **);	/* who still waits hears "try later" first */
int		 routes_attach(struct routes *, int fd, struct err *);	/* takes the lookup wire */
/* A remembered answer; the pointer lives until the next call of this module. NULL: none. */
const struct route *routes_known(struct routes *, struct slice address);
/* Asks. The question lives until its answer was called. NULL: no memory. */
struct ask	*routes_ask(struct routes *, struct slice address, route_cb *, void *who);
/* Who asked is going away: the answer is dropped. NULL is fine. */
void		 routes_forget(struct routes *, struct ask **);

#endif
