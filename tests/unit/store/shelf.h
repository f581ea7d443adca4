#ifndef UNIT_STORE_SHELF_H
#define UNIT_STORE_SHELF_H
/* shelf — a catalog in a directory of its own, and short words for what is put there and asked of it. */
#include "tests/support/testing.h"

#include "queue/store/catalog.h"

struct row {
	const char		*destination;
	enum plan_priority	 priority;
	int64_t			 due_ms;
};

extern char directory[64];
extern struct catalog *catalog;
extern struct plan plan;		/* for put_plan */
extern uint64_t ids[64];		/* the last answer */
extern uint64_t skipped;		/* never among them */
extern struct catalog_destination found;	/* what rows_of saw */

int	setup(void **state);		/* a fresh one, open */
int	teardown(void **state);
void	open_catalog(bool fresh);	/* fresh: it was never made whole */
void	reopen(void);
void	begin(void);
void	commit(int64_t clock_ms);
int	put_plan(uint64_t id, uint32_t version, struct slice envelope, uint64_t size);
void	put(uint64_t id, const struct row *rows, size_t n, int64_t look_ms, const char *domain);	/* 0, NULL: without */
void	put_one(uint64_t id, const char *destination, int64_t due_ms);
struct catalog_ids asked(uint32_t count);	/* for a question: at most so many, into `ids` */
uint32_t due(const char *destination, int64_t until_ms, uint32_t count, int64_t *next);
uint64_t rows_of(const char *destination);	/* how many rows name it */
uint32_t count_destinations(void);

#endif
