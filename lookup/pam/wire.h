#ifndef PAM_WIRE_H
#define PAM_WIRE_H
/*
 * wire — lookup asks the process pam whether PAM lets somebody in.
 *
 *	lookup → pam	STEP		all that a client has said so far, under a number of lookup's
 *	pam → lookup	STEPPED		what comes of it, under the same
 *
 * As many questions as PAM_QUESTIONS_MAX may be open, each number once; each is answered, in any order, or the wire ends. Nothing
 * is kept between two questions: the next step of a dialogue is a question of its own.
 */
#include "lookup/password/checker.h"

#define PAM_WIRE		"pam"
#define PAM_WIRE_VERSION	1
#define PAM_QUESTIONS_MAX	64	/* submission.auth-workers has no higher number */

enum pam_wire_frame { PAM_WIRE_NONE, PAM_WIRE_STEP, PAM_WIRE_STEPPED, PAM_WIRE_FRAME_COUNT };

struct pam_question {
	uint32_t		id;		/* never 0 */
	struct sasl_said	said;
};

struct pam_verdict {
	uint32_t		id;
	struct check_answer	answer;
};

void	pam_question_put(struct buf *, const struct pam_question *);
int	pam_question_get(struct reader *, struct pam_question *);	/* slices borrowed from the frame, as below */
void	pam_verdict_put(struct buf *, const struct pam_verdict *);
int	pam_verdict_get(struct reader *, struct pam_verdict *);

#endif
