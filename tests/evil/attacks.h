#ifndef EVIL_ATTACKS_H
#define EVIL_ATTACKS_H
/*
 * attacks — what somebody who broke into a process would ask of the kernel, as verbs.
 *
 * Each is chosen so that it works outside a sandbox, some for root only: tests/evil/test_calls.py has every one done there, too.
 */

struct attack {
	const char	*verb;
	int		(*fn)(const char *argument);	/* 0: it worked; -1: errno */
};

/* Each ends with a row without a verb. */
extern const struct attack file_attacks[], peer_attacks[], self_attacks[];

int	opened(int fd);		/* closes it; -1 if it is none */
/* Where a process may be made, in one, for what would change the caller; elsewhere here, where it should be refused as well. */
int	in_child(int (*what)(const char *), const char *argument);

#endif
