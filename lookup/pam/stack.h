#ifndef PAM_STACK_H
#define PAM_STACK_H
/*
 * stack — one login and one password before the modules that a PAM service names (pam.d(5)).
 *
 * Blocks as long as they do, and runs whatever they are: called in forked checkers only (desk.c). Nobody is asked anything: a
 * module that wants more than a password cannot let anybody in here.
 */
#include "base/err.h"
#include "lookup/password/sasl.h"

#define STACK_NAME_MAX	64

struct stack {
	char	name[STACK_NAME_MAX + 1];	/* of the service */
	char	directory[1024];		/* where its file lies; empty: where PAM keeps them */
};

/* `service` as submission.users has it behind "pam:": a name, or the path of a file. -1: err (it is too long). */
int	stack_init(struct stack *, const char *service, struct err *);
/* sasl_users.judge, with a stack as its argument: password and account. PAM may give another login. */
void	stack_judge(void *stack, const struct sasl_said *, struct slice password, struct sasl_answer *);

/* What a code of PAM means, and why; SASL_TROUBLE for all that is not about the user. For tests. */
enum sasl_result	 stack_verdict(int code, const char **why);

#endif
