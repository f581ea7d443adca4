#ifndef STORE_PLAN_H
#define STORE_PLAN_H
/*
 * plan — when and for what a sleeping message has to be woken: the owner's words, kept with it in
 * the catalog.
 */
#include "base/buf.h"

/* Within a destination what is due goes by priority first. */
enum plan_priority { PLAN_NONE, PLAN_MAIL, PLAN_NOTICE };
#define PLAN_PRIORITY_COUNT	(PLAN_NOTICE + 1)

#define PLAN_NAME_MAX		512	/* of a destination or a domain */
#define PLAN_NEVER		INT64_MAX

struct plan {
	struct buf	bytes;
};

void	plan_init(struct plan *);
void	plan_fini(struct plan *);
void	plan_reset(struct plan *);
/* A job that waits until due_ms (store_now's clock). The name says how it goes, to its owner. */
void	plan_row(struct plan *, struct slice destination, enum plan_priority, int64_t due_ms);
void	plan_look(struct plan *, int64_t at_ms);	/* at most once; without it nobody looks */
void	plan_domain(struct plan *, struct slice domain);	/* of a recipient, in any case of letters; twice is fine */
void	plan_hold(struct plan *);			/* an operator keeps it, or a part of it; twice is fine */
bool	plan_failed(const struct plan *);		/* no memory */
struct slice plan_slice(const struct plan *);

enum plan_part { PLAN_END, PLAN_ROW, PLAN_LOOK, PLAN_DOMAIN, PLAN_HOLD };
struct plan_item {
	enum plan_part		part;
	enum plan_priority	priority;
	int64_t			at_ms;
	struct slice		name;	/* a domain in small letters */
};
/* Takes one item off the front. PLAN_END: nothing is left, or what is left is no plan. */
enum plan_part	plan_take(struct slice *, struct plan_item *);
bool		plan_holds(struct slice plan);

#endif
