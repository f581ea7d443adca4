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
};

extern char directory[64];
extern struct store_conf conf;
extern struct loop *loop;
extern struct store *store;
extern const struct store_ops ops;
extern struct mail mails[MANY];
extern uint32_t nmails;
extern uint32_t answers, durable, full, failures, broken_told;	/* since the store was opened */
extern int rooms_closed, rooms_opened;
extern bool refuse_deltas, refuse_envelopes;

int	setup(void **state);		/* a fresh store, 8 x 1 MiB, open */
int	teardown(void **state);
void	open_store(void);
void	close_store(void);
void	reopen(void);
void	on_answer(void *arg, enum store_result);
void	wait_answers(uint32_t n);	/* until n more have come */

/* Each is committed and not waited for, put_large excepted. */
struct mail *put(enum store_class, const char *envelope, const char *content, size_t len);
struct mail *put_large(const char *content, size_t len, uint32_t crc);
void	state_of(struct mail *, const char *delta, size_t len, int64_t patience);
void	done(struct mail *);

uint32_t files_in(const char *name);	/* under the queue directory */
void	empty_folder(const char *name);
void	flip(uint32_t segment, off_t offset);	/* one bit of the ring */

#endif
