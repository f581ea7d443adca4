#ifndef LOOKUP_DOMAINS_H
#define LOOKUP_DOMAINS_H
/*
 * domains — which domains are ours, and where the users of each are listed.
 *
 * The configured domains, and the host's own name: it is always ours, because postmaster and our own
 * notices live there; unless configured otherwise its users are the system's.
 */
#include "base/err.h"
#include "conf/conf.h"

struct domains;

/* Borrows conf, which has to live longer. NULL: err. */
struct domains			*domains_new(const struct conf *, struct err *);
void				 domains_free(struct domains **);
const struct conf_domain	*domains_find(const struct domains *, struct slice name);	/* NULL: not ours */
const struct conf_domain	*domains_at(const struct domains *, uint32_t i);	/* NULL behind the last */

#endif
