#ifndef UNIT_STORE_PATIENCE_H
#define UNIT_STORE_PATIENCE_H
/* patience — runs the fixture's loop until mail has gone where it goes, or the catalog has answered. */
#include <stdbool.h>
#include <stdint.h>

#include "queue/store/store.h"

#define MANY	4096

struct mail;

extern struct store_woken woken;		/* the last answer */
extern uint32_t answered;			/* how many there were */
extern struct store_put paged[MANY];		/* slices gone */
extern uint32_t npaged;
extern uint64_t paged_last;
extern bool paged_failed;

void	wait_until(bool (*)(void *), void *arg);	/* runs the loop; fails after a minute */
void	turn_until(bool (*)(void *), void *arg);	/* the same, with a clock that runs by minutes */
void	run_minutes(int n);			/* of that clock */
bool	is_spooled(void *mail);
bool	is_asleep(void *mail);
void	leave_ring(void);		/* all mail that is not finished goes to the spool */
void	sleep_well(struct mail *);	/* asleep */
bool	is_answered(void *before);	/* a question, since `answered` was *before */
void	wake_due(const char *destination, uint32_t count);	/* waits for the answer */
void	wake_look(uint32_t count);
void	wake_id(uint64_t id);
void	page(const char *domain, uint64_t after, uint32_t count);
void	on_woken(void *arg, const struct store_woken *);
void	on_page(void *arg, const struct store_put *);
void	on_paged(void *arg, uint64_t last, bool failed);

#endif
