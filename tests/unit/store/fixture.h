#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H
/* fixture — a store in a directory of its own, an owner that remembers what it was shown, and
 * answers that are counted. folder.h has its files, patience.h waits for it. */
#include "tests/support/testing.h"

#include "event/loop.h"
#include "queue/store/store.h"
#include "tests/unit/store/folder.h"
#include "tests/unit/store/patience.h"

#define MIB	(UINT64_C(1) << 20)

struct mail {
	struct stored	*stored;
	uint64_t	 id;
	uint32_t	 version, delta_bytes, deltas;
	char		 envelope[64];
	uint64_t	 size;
	/* of an owner that makes plans */
	int64_t		 due_ms, look_ms;	/* look_ms 0: nobody looks */
	enum plan_priority priority;		/* zero: PLAN_MAIL */
	bool		 spooled, asleep, maybe, stubborn;	/* stubborn: changes its mind when it should sleep */
};

struct told {			/* a destination */
	char		 name[64];
	uint64_t	 messages;
	int64_t		 earliest_ms;
};

extern char directory[64];
extern struct store_conf conf;
extern struct loop *loop;
extern struct store *store;
extern const struct store_ops ops, plan_ops;
extern struct mail mails[MANY];
extern uint32_t nmails;
extern uint32_t answers, durable, full, failures, broken_told;	/* since the store was opened */
extern int rooms_closed, rooms_opened;
extern bool refuse_deltas, refuse_envelopes;

/* An owner that makes plans: the destination is the envelope's first word, the domain its second. What wakes is a new
 * mail behind those that are there; one that fell asleep keeps its place, marked. */
extern bool plans, no_memory;			/* from the next opening on; `found` says NULL */
extern uint32_t spooled_told, asleep_told, folds_of_nobody, plans_without_time;	/* without: asked before store_open has returned */
extern struct told told[64];
extern uint32_t ntold;
extern struct err why_not;			/* the last opening failed */
extern void (*during_fold)(struct mail *);	/* called from fold; NULL */

int	setup(void **state);		/* a fresh store, 8 x 1 MiB, open */
int	setup_plans(void **state);	/* the same, whose owner makes plans: mail may leave the ring and sleep */
int	teardown(void **state);
void	open_store(void);
/* Without insisting, while calls fail as planned: false leaves why_not. A plan stays; NULL changes none. */
bool	open_with(const char *plan);
void	close_store(void);
void	reopen(void);
void	again(void **state);		/* a fresh store, whose owner makes plans if this one did */
void	on_answer(void *arg, enum store_result);
void	wait_answers(uint32_t n);	/* until n more have come */
void	one_asleep(void);		/* one more message, of d1 and example.org, in the spool and asleep */
struct mail *mail_of(uint64_t id);	/* the newest, awake; NULL */

/* Each is committed and not waited for, put_large excepted. */
struct mail *put(enum store_class, const char *envelope, const char *content, size_t len);
struct mail *put_large(const char *content, size_t len, uint32_t crc);
void	state_of(struct mail *, const char *delta, size_t len, int64_t patience);
void	done(struct mail *);

/* In a process of its own, without its loop's last words: `work` until it is killed at the step. True: it was. */
bool	killed_at(const char *plan, void (*work)(void));

#endif
