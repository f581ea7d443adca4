#ifndef SMTPD_ROUTES_H
#define SMTPD_ROUTES_H
/*
 * routes — the lookup wire from smtpd's side: questions in flight, and the cache of positive answers.
 *
 * Only "ours" and "not ours" are remembered, for as long as the answer said and until the tables change. While lookup is replaced, as by
 * each reload, questions wait a moment for the new one and are asked again. A wire that stays down, is slow or mad gives the answer NULL,
 * which callers turn into 451: trouble is never "no such user".
 */
#include "base/hash.h"
#include "event/loop.h"
#include "wire/lookup.h"

#define ROUTES_PATIENCE	10000	/* ms; lookup itself promises 5,000 */
#define ROUTES_GAP	1000	/* ms without a wire that questions wait */
#define ROUTES_CACHED	16384	/* entries; the oldest goes first */

struct routes;

/* answer NULL: trouble. Its slices live until the function returns. Never called from inside routes_ask. */
typedef void routes_fn(void *arg, const struct route_answer *);

typedef void sender_fn(void *arg, const struct sender_answer *);	/* the same of a question about senders */

/* A question in flight; lives inside who asked. Zeroed: none. */
struct routes_ask {
	struct hash_node	 node;
	struct routes_ask	*newer, *older;
	uint64_t		 serial;	/* 0: not in flight */
	uint32_t		 count;
	int64_t			 due;
	uint16_t		 type;		/* of its frame, */
	size_t			 len;
	char			*frame;		/* which is kept until it is answered */
	routes_fn		*fn;		/* about recipients; or */
	sender_fn		*sender;	/* about senders */
	void			*arg;
};

struct routes		*routes_new(struct loop *, struct err *);
void			 routes_free(struct routes **);		/* no question may be in flight */
void			 routes_wire(struct routes *, int fd);	/* takes it; replaces an older wire */

bool			 routes_wired(const struct routes *);	/* there is a wire */
/* ROUTE_LOCAL, ROUTE_REMOTE, or ROUTE_NONE: ask. */
enum route_verdict	 routes_known(struct routes *, struct slice address);
/* At most ROUTE_ADDRESSES_MAX canonical addresses, borrowed for the call. -1: no wire, or no memory. */
int			 routes_ask(struct routes *, struct routes_ask *, struct slice *addresses, uint32_t count, routes_fn *, void *arg);
/* Fills in the serial. -1: as above. */
int			 routes_ask_sender(struct routes *, struct routes_ask *, struct sender_question *, sender_fn *, void *arg);
/* Adds the positive answers to the cache; the asker calls it, since it has the addresses. */
void			 routes_learn(struct routes *, const struct route_answer *, uint32_t index, struct slice address);
void			 routes_cancel(struct routes *, struct routes_ask *);	/* not in flight: nothing */
size_t			 routes_count(const struct routes *);	/* cached entries */

#endif
