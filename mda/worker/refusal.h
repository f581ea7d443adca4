#ifndef MDA_REFUSAL_H
#define MDA_REFUSAL_H
/* refusal — why a mailbox does not take a copy now: a status of class 4 and words for people. */
#include "mail/status.h"

struct refusal {
	struct status	status;
	bool		again;		/* another worker, opening the mailbox anew, may well succeed */
	char		text[256];
};

/* Both return -1, so that a caller can `return refuse(...)`. */
int	refuse(struct refusal *, struct status, const char *, ...) __attribute__((format(printf, 3, 4)));
/* Status and words from errno: full disk, quota, rights, trouble. */
int	refuse_sys(struct refusal *, const char *, ...) __attribute__((format(printf, 2, 3)));

#endif
