/* play — see play.h. */
#include "tests/unit/queue/play.h"

#include "base/fault.h"
#include "base/mem.h"

const struct status ok = { 2, 0, 0 }, no = { 5, 1, 1 }, soon = { 4, 2, 0 }, dead = { 4, 4, 1 };

int
setup(void **state)
{
	*state = mem_zalloc(sizeof(struct stage_set));
	stage_open(*state);
	return 0;
}

int
teardown(void **state)
{
	fault_plan(NULL);
	stage_close(*state);
	mem_free(*state);
	return 0;
}

void
restart(struct stage_set *s)
{
	stage_stop(s);
	s->committed_count = s->job_count = 0;
	stage_start(s);
}
