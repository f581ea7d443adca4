#ifndef SUPERVISOR_SURVEY_H
#define SUPERVISOR_SURVEY_H
/* survey — one round of asking all children how they are, and the report made of it. */
#include "control/supervisor/child.h"

#define SURVEY_PATIENCE_MS	1000

struct survey {
	struct stage		*stage;
	struct child_list	*children;
	void			(*done)(void *, struct slice text, struct slice json);
	void			*arg;
	int64_t			 started;	/* when posthornd was */
	struct timer		 patience;
	struct buf		 answers;	/* number of the process, its text; and again */
	unsigned		 open;		/* answers that are still missing */
	bool			 asking;
};

int	survey_init(struct survey *);		/* the first five members are the owner's. -1: no memory */
void	survey_fini(struct survey *);
void	survey_ask(struct survey *);		/* while a round is under way, its answer serves */
void	survey_answer(struct survey *, struct child *, struct slice text);

#endif
