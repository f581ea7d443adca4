#ifndef STORE_QUESTION_H
#define STORE_QUESTION_H
/* question — what the loop wants to know of the catalog: who is due, who has to be looked at, who is there. */
#include <bsd/sys/queue.h>
#include <stdbool.h>

#include "queue/store/catalog.h"

struct evacuator;

enum question_kind {
	QUESTION_NONE,
	QUESTION_DUE, QUESTION_LOOK, QUESTION_ID, QUESTION_WALK,	/* these lend what they find */
	QUESTION_PAGE,
	QUESTION_RELEASE,				/* none: it sleeps, whoever asks next may have it */
	QUESTION_STILL					/* none: answered when nothing is written any more (evacuator_pin) */
};

struct finding {			/* a record with its envelope behind it */
	STAILQ_ENTRY(finding)	 next;
	struct catalog_record	 record;
	bool			 lent;		/* PAGE: somebody has it in memory, or had it last */
	char			 envelope[];
};
STAILQ_HEAD(finding_list, finding);

struct question {
	STAILQ_ENTRY(question)	 next;
	enum question_kind	 kind;
	int64_t			 until_ms;	/* DUE, LOOK */
	uint64_t		 id;		/* ID, RELEASE; PAGE, WALK: above this one */
	uint32_t		 count;		/* the most to be found */
	void			(*done)(void *arg, struct question *);	/* the loop's; NULL: nobody waits */
	void			*arg;
	/* the answer */
	struct finding_list	 found;
	int64_t			 next_ms;	/* DUE, LOOK: see catalog_due */
	uint64_t		 last;		/* PAGE, WALK: go on above this one; 0: that was all */
	bool			 failed;	/* ask again later */
	struct slice		 name;		/* DUE: destination; PAGE, WALK: domain, or empty; behind the struct */
};
STAILQ_HEAD(question_list, question);

struct question	*question_new(enum question_kind, struct slice name);	/* copies the name; NULL: no memory */
void		 question_free(struct question *);
/* The evacuator's thread: looks it up. */
void		 question_answer(struct evacuator *, struct question *);

#endif
