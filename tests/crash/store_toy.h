#ifndef CRASH_STORE_TOY_H
#define CRASH_STORE_TOY_H
/*
 * store_toy — a small owner of a store and the ledger that outlives it.
 *
 * The ledger lies in memory that parent and children share: a child notes there what it asks for
 * before it asks, and what was acknowledged when it was; a SIGKILL takes nothing of that away.
 * Whoever opens the store next compares.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "event/loop.h"
#include "queue/store/store.h"

#define LEDGER_MAX	120000u

struct row {
	uint64_t	id;
	uint32_t	len;
	uint32_t	state_asked, state_acked;
	bool		large, put_asked, put_acked, done_asked, done_acked, gone;
	bool		seen;			/* by the check of this opening */
};

struct ledger {
	uint32_t	n;
	uint32_t	violations;
	uint64_t	puts, states, dones;		/* acknowledged */
	uint64_t	full, failed;			/* refusals seen */
	uint64_t	set_aside, recovered, opens, evacuated, slept, woke;
	bool		tolerant;			/* the disk was damaged on purpose: losses are counted, not violations */
	uint64_t	losses, missing, back;		/* of them: not there any more; finished, and there again */
	uint32_t	slots[LEDGER_MAX * 2];		/* index + 1 */
	struct row	rows[LEDGER_MAX];
};

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

void		*toy_shared(size_t);				/* with children; zero */
struct ledger	*ledger_new(void);
void		 ledger_reset(struct ledger *);
/* Opens, compares what was found with the ledger, and from then on expects exactly that. -1: not
 * opened (err), or violations. */
int		 toy_open(struct toy *, struct ledger *, const struct store_conf *, uint64_t seed, bool sleeps, struct err *);
void		 toy_run(struct toy *, uint64_t operations);	/* until all are answered, or the store is broken */
void		 toy_close(struct toy *);			/* orderly */
uint64_t	 toy_random(struct toy *);

/* test directories and children */
void		 scratch_make(char path[64]);
void		 scratch_remove(const char *path);
int		 child_run(void (*fn)(void *), void *arg);	/* wait status */
void		 quiet(void);					/* no log lines */

#endif
