/* line — lists within lists. */
#include "lookup/line.h"

#include <string.h>

#include "base/mem.h"

void
lines_init(struct lines *lines)
{
	TAILQ_INIT(&lines->turns);
	TAILQ_INIT(&lines->all);
	lines->count = 0;
}

void
line_init(struct line *line)
{
	TAILQ_INIT(&line->waiting);
	line->count = 0;
}

struct question *
line_add(struct lines *lines, struct line *line, struct slice frame, int64_t due)
{
	struct question *q;

	if (line->count >= LINE_MOST || lines->count >= LINES_MOST || (q = mem_zalloc(sizeof(*q) + frame.len)) == NULL)
		return NULL;
	q->line = line;
	q->due = due;
	q->len = frame.len;
	memcpy(q->bytes, frame.p, frame.len);
	TAILQ_INSERT_TAIL(&line->waiting, q, entry);
	if (line->count++ == 0)
		TAILQ_INSERT_TAIL(&lines->turns, line, turn);
	lines->count++;
	TAILQ_INSERT_TAIL(&lines->all, q, all);
	return q;
}

static void
question_leave(struct lines *lines, struct question *q)
{
	TAILQ_REMOVE(&q->line->waiting, q, entry);
	if (--q->line->count == 0)
		TAILQ_REMOVE(&lines->turns, q->line, turn);
	lines->count--;
}

struct question *
lines_first(const struct lines *lines)
{
	struct line *line = TAILQ_FIRST(&lines->turns);

	return line == NULL ? NULL : TAILQ_FIRST(&line->waiting);
}

struct question *
lines_give(struct lines *lines)
{
	struct question *q = lines_first(lines);

	if (q == NULL)
		return NULL;
	question_leave(lines, q);
	q->given = true;
	if (q->line->count > 0) {	/* its line has had its turn */
		TAILQ_REMOVE(&lines->turns, q->line, turn);
		TAILQ_INSERT_TAIL(&lines->turns, q->line, turn);
	}
	return q;
}

void
question_drop(struct lines *lines, struct question *q)
{
	if (!q->given)
		question_leave(lines, q);
	TAILQ_REMOVE(&lines->all, q, all);
	mem_free(q);
}
