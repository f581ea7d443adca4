#ifndef SUPERVISOR_TICKETS_H
#define SUPERVISOR_TICKETS_H
/*
 * tickets — the keys that seal TLS session tickets (RFC 5077): drawn here, the same for all workers of a role, other ones for each role
 * (a ticket of port 25 is worth nothing on 465), replaced each hour. The last one still opens, so a ticket is good for one to two hours.
 */
#include "control/supervisor/child.h"

struct tickets {
	struct timer			 rotation;
	const struct child_list		*children;
	struct control_tickets		 keys[ROLE_COUNT];	/* those of smtpd's roles are in use */
};

int	tickets_init(struct tickets *, struct loop *, const struct child_list *);	/* -1: no memory */
void	tickets_fini(struct tickets *);
void	tickets_give(const struct tickets *, struct child *);		/* a child that is ready; those without TLS get none */

#endif
