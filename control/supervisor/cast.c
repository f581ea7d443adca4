/* cast — walks over the children. */
#include "control/supervisor/cast.h"

#define STOP_GRACE_MS	200	/* child.c kills this much after the time given */

static struct child *
find(const struct child_list *all, const struct service_row *row, uint32_t instance)
{
	struct child *c;

	TAILQ_FOREACH(c, all, entry)
		if (c->row == row && c->instance == instance)
			return c;
	return NULL;
}

static int
add_one(struct child_list *all, struct stage *stage, const struct service_row *row, uint32_t instance)
{
	struct child *c = find(all, row, instance);

	if (c != NULL) {
		c->wanted = true;
		return 0;
	}
	c = child_new(stage, row, instance);
	if (c == NULL)
		return -1;
	TAILQ_INSERT_TAIL(all, c, entry);
	return 0;
}

int
cast_add(struct child_list *all, struct stage *stage, struct err *err)
{
	for (size_t i = 0; i < service_row_count; i++)
		for (uint32_t n = 0; n < service_rows[i].count(stage->conf); n++)
			if (add_one(all, stage, &service_rows[i], n) == -1)
				return err_set(err, "no memory for a process");
	return 0;
}

void
cast_forget(struct child_list *all, struct child *c)
{
	TAILQ_REMOVE(all, c, entry);
	child_free(&c);
}

void
cast_trim(struct child_list *all, const struct conf *conf)
{
	struct child *c, *following;

	for (c = TAILQ_FIRST(all); c != NULL; c = following) {
		following = TAILQ_NEXT(c, entry);
		if (c->instance < c->row->count(conf))
			continue;
		c->wanted = false;
		child_stop(c, c->row->stop_share * STOP_SHARE_MS);
		if (c->state == CHILD_GONE)
			cast_forget(all, c);
	}
}

struct child *
cast_of_pid(const struct child_list *all, pid_t pid)
{
	struct child *c;

	TAILQ_FOREACH(c, all, entry)
		if (c->pid == pid)
			return c;
	return NULL;
}

bool
cast_rank_runs(const struct child_list *all, unsigned rank)
{
	const struct child *c;

	TAILQ_FOREACH(c, all, entry)
		if (c->row->rank == rank && child_running(c))
			return true;
	return false;
}

void
cast_stop_rank(struct child_list *all, unsigned rank)
{
	struct child *c;

	TAILQ_FOREACH(c, all, entry)
		if (c->row->rank == rank)
			child_stop(c, c->row->stop_share * STOP_SHARE_MS - STOP_GRACE_MS);
}
