#ifndef CRASH_STORE_TOY_H
#define CRASH_STORE_TOY_H
/* store_toy — a small owner of a store: asks for this and that, notes it in the ledger, and compares at each opening. */
#include "event/loop.h"
#include "queue/store/store.h"
#include "tests/crash/ledger.h"

struct toy_message {
	struct toy		*toy;
	struct row		*row;
	struct stored		*stored;
	uint32_t		 state;
	bool			 finishing, maybe;
	uint32_t		 place;		/* in toy->live */
	char			*content;	/* until durable */
	char			 envelope[512];
	size_t			 envelope_len;
};

struct toy {
	struct ledger		*ledger;
	struct loop		*loop;
	struct store		*store;
	uint64_t		 random;
	uint32_t		 in_flight, most_in_flight;
	uint64_t		 left;		/* operations to begin */
	uint32_t		 target;	/* live messages to keep */
	uint32_t		 size;		/* typical content */
	uint32_t		 larges;	/* one put in so many is large; 0: none */
	enum store_class	 put_class;
	bool			 puts_only, broken;
	bool			 sleeps;	/* makes plans: mail leaves the ring, sleeps and is woken */
	bool			 opened, paged;
	uint32_t		 asleep;	/* about so many */
	struct toy_message	**live;
	uint32_t		 nlive, cap;
};

/* Opens, compares what was found with the ledger, and from then on expects exactly that. -1: not
 * opened (err), or violations. */
int		 toy_open(struct toy *, struct ledger *, const struct store_conf *, uint64_t seed, bool sleeps, struct err *);
void		 toy_run(struct toy *, uint64_t operations);	/* until all are answered, or the store is broken */
void		 toy_close(struct toy *);			/* orderly */
uint64_t	 toy_random(struct toy *);

#endif
