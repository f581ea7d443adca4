#ifndef CRASH_STORE_LIFE_H
#define CRASH_STORE_LIFE_H
/* store_life — one life of a process that owns a store: opens, compares, works, closes or dies;
 * and the score of a test. */
#include "tests/crash/store_toy.h"

#define MIB	(1024u * 1024)

struct life {
	struct ledger		*ledger;
	struct store_conf	 conf;
	uint64_t		 seed, operations;
	const char		*plan;		/* of faults */
	enum store_class	 class;		/* of puts; STORE_NONE: clients' */
	bool			 sleeps;	/* mail leaves the ring, sleeps, wakes */
	bool			 puts_only;
	bool			 may_not_open;	/* a store that refuses to open is fine */
	bool			 abandon;	/* end without closing */
	bool			 endless;	/* work until killed */
};

void	live(void *life);			/* in a child; exits with 1 when the store does not open or promises were broken */
bool	lives_well(const struct life *);	/* the same in a child of its own; true: ended by itself, no violation */

extern int passed, failed, skipped;
void	verdict(bool good, const char *, ...) __attribute__((format(printf, 2, 3)));
int	score(void);				/* the last line; what main returns */

#endif
