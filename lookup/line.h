#ifndef LOOKUP_LINE_H
#define LOOKUP_LINE_H
/*
 * line — questions that are not answered yet: each wire's
 * own line for a worker, the wires in turn, all by age.
 *
 * A wire that asks much waits in its own line and lengthens nobody else's. All questions have the
 * same patience, so the oldest is always the next to run out of it.
 */
#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define LINE_MOST	256		/* questions of one wire that wait for a worker */
#define LINES_MOST	2048		/* of all wires */

struct question {
	TAILQ_ENTRY(question)	 entry, all;
	struct line		*line;
	void			*client;	/* whose; the line's owner knows */
	uint16_t		 type;		/* LOOKUP_ROUTE, LOOKUP_MAILBOX, LOOKUP_SENDER */
	bool			 given;		/* a worker has it ... */
	uint64_t		 generation;	/* ... since this one */
	int64_t			 due;		/* loop_now() at the end of its patience */
	uint64_t		 serial;
	uint32_t		 count;		/* addresses in it */
	size_t			 len;
	char			 bytes[];	/* the frame as it came */
};

TAILQ_HEAD(questions, question);
struct line {
	TAILQ_ENTRY(line)	turn;
	struct questions	waiting;
	size_t			count;
};

struct lines {
	TAILQ_HEAD(, line)	turns;		/* lines in which somebody waits */
	struct questions	all;		/* waiting or given, the oldest first */
	size_t			count;		/* waiting */
};

void		 lines_init(struct lines *);
void		 line_init(struct line *);
/* Gives a question at the end of the line, holding a
 * copy of the frame; NULL: too many wait, or no memory. */
struct question	*line_add(struct lines *, struct line *, struct slice frame, int64_t due);
/* Takes the next question out of its line for a worker: it is `given` now. NULL: nobody waits. */
struct question	*lines_give(struct lines *);
/* The next that would be given; stays where it is. */
struct question	*lines_first(const struct lines *);
void		 question_drop(struct lines *, struct question *);

#endif
