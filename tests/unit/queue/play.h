#ifndef QUEUE_PLAY_H
#define QUEUE_PLAY_H
/* play — a stage for each test, and the words that its agents say. */
#include "tests/unit/queue/stage.h"

#define HOUR	INT64_C(3600000)

extern const struct status ok, no, soon, dead;

int	setup(void **state);	/* an open stage; the owner runs, nobody else is there */
int	teardown(void **state);
void	restart(struct stage_set *);	/* in order; jobs are counted anew */

#endif
