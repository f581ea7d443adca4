#ifndef CRASH_LEDGER_H
#define CRASH_LEDGER_H
/*
 * ledger — what was asked of a store and what it promised, outliving the process that asked.
 *
 * It lies in memory that parent and children share: a child notes there what it asks for before it
 * asks, and what was acknowledged when it was; a SIGKILL takes nothing of that away. Whoever opens
 * the store next compares.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

void		*toy_shared(size_t);				/* with children; zero */
struct ledger	*ledger_new(void);
void		 ledger_reset(struct ledger *);
struct row	*ledger_find(struct ledger *, uint64_t id);	/* NULL: nobody asked for it */
struct row	*ledger_add(struct ledger *, uint64_t id);	/* NULL: it is there, or the ledger is full */
void		 ledger_violation(struct ledger *, const char *what, uint64_t id);
/* A broken promise; after damage on purpose it is a loss, and has to be told by the store. */
void		 ledger_broken(struct ledger *, const char *what, uint64_t id);

#endif
