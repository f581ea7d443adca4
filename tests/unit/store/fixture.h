#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H
/* fixture — a store in a directory of its own, an owner that remembers what it was shown, and
 * answers that are counted. */
#include "tests/support/testing.h"

#include "event/loop.h"
#include "queue/store/store.h"

#define MIB	(UINT64_C(1) << 20)
#define MANY	4096

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
extern struct store_woken woken;		/* the last answer */
extern uint32_t answered;			/* how many there were */
extern struct store_put paged[MANY];		/* slices gone */
extern uint32_t npaged;
extern uint64_t paged_last;
extern bool paged_failed;
extern void (*during_fold)(struct mail *);	/* called from fold; NULL */

int	setup(void **state);		/* a fresh store, 8 x 1 MiB, open */
int	setup_plans(void **state);	/* the same, whose owner makes plans: mail may leave the ring and sleep */
int	teardown(void **state);
void	open_store(void);
void	close_store(void);
void	reopen(void);
void	on_answer(void *arg, enum store_result);
void	wait_answers(uint32_t n);	/* until n more have come */
void	wait_until(bool (*)(void *), void *arg);	/* runs the loop; fails after a minute */
void	run_minutes(int n);			/* of that clock */
bool	is_spooled(void *mail);
bool	is_asleep(void *mail);
void	turn_until(bool (*)(void *), void *arg);	/* the same, with a clock that runs by minutes */
void	leave_ring(void);		/* all mail that is not finished goes to the spool */
void	sleep_well(struct mail *);	/* asleep */
void	one_asleep(void);		/* one more message, of d1 and example.org, in the spool and asleep */
bool	is_answered(void *before);	/* a question, since `answered` was *before */
void	wake_due(const char *destination, uint32_t count);	/* waits for the answer */
void	wake_look(uint32_t count);
void	wake_id(uint64_t id);
void	page(const char *domain, uint64_t after, uint32_t count);
struct mail *mail_of(uint64_t id);	/* the newest, awake; NULL */
void	on_woken(void *arg, const struct store_woken *);
void	on_page(void *arg, const struct store_put *);
void	on_paged(void *arg, uint64_t last, bool failed);

/* Each is committed and not waited for, put_large excepted. */
struct mail *put(enum store_class, const char *envelope, const char *content, size_t len);
struct mail *put_large(const char *content, size_t len, uint32_t crc);
void	state_of(struct mail *, const char *delta, size_t len, int64_t patience);
void	done(struct mail *);

uint32_t files_in(const char *name);	/* under the queue directory */
void	empty_folder(const char *name);
void	flip(uint32_t segment, off_t offset);	/* one bit of the ring */
void	path_of(char out[200], const char *name);	/* under the queue directory */
bool	spool_file_of(uint64_t id, char out[200]);	/* the message's file; false: there is none */
uint32_t spool_files(void);		/* of small messages, all folders */
/* In a process of its own, without its loop's last words: `work` until it is killed at the step. True: it was. */
bool	killed_at(const char *plan, void (*work)(void));

#endif
