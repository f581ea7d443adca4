#ifndef INTAKE_ALLOWANCE_H
#define INTAKE_ALLOWANCE_H
/*
 * allowance — how much each login may still send: so many messages and so many recipients an hour.
 *
 * A leaky bucket for each of the two: it holds an hour's worth, so who was silent may send all of that at once, and what has leaked
 * out of it may be sent again. A message goes into both buckets or into none. When a limit changes, what was sent stays sent, but
 * is never more than the new one; a limit of 0 is none, and empties its buckets.
 *
 * Pure but for its memory. The time comes with each call, in ms, from a clock that should not be set (store_now): when it goes back
 * nothing leaks, when it leaps, an hour's worth at most. Bounded: logins are real users, and of more than ALLOWANCE_LOGINS that have
 * sent something within the hour the others are not counted; without memory nobody new is.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define ALLOWANCE_LOGINS	100000
#define ALLOWANCE_MOST		1000000u		/* the highest limit, as settings have it */
#define ALLOWANCE_PERIOD	INT64_C(3600000)	/* ms: the hour of "an hour" */
#define ALLOWANCE_ONE		UINT64_C(3600000)	/* one message or recipient in a bucket: in a ms as much leaks as the limit says */

struct allowances;

enum allowance_kind { ALLOWANCE_MESSAGES, ALLOWANCE_RECIPIENTS, ALLOWANCE_KINDS };

struct allowance_limits {
	uint32_t	an_hour[ALLOWANCE_KINDS];	/* at most ALLOWANCE_MOST; 0: no limit */
};

struct allowance_used {
	uint64_t	in[ALLOWANCE_KINDS];		/* in parts of ALLOWANCE_ONE */
};

enum allowance_verdict {
	ALLOWANCE_NONE,
	ALLOWANCE_FITS,
	ALLOWANCE_LATER,	/* not now */
	ALLOWANCE_NEVER		/* more recipients than an hour has */
};

struct allowance_answer {
	enum allowance_verdict	verdict;
	bool			counted;	/* FITS: and may be given back */
	enum allowance_kind	kind;		/* LATER: the limit that takes longest */
	int64_t			wait_ms;	/* LATER: until it fits, if nothing else comes */
};

/* As people and wires count it: whole seconds, none too few. */
static inline uint32_t
allowance_wait_s(const struct allowance_answer *answer)
{
	return (uint32_t)((answer->wait_ms + 999) / 1000);
}

struct allowances	*allowances_new(void);		/* NULL: no memory */
void			 allowances_free(struct allowances **);
/* One message to so many; counts it if it fits. */
struct allowance_answer	 allowance_take(struct allowances *, const struct allowance_limits *, struct slice login, uint32_t recipients,
			    int64_t now_ms);
/* It was not accepted after all. */
void			 allowance_give_back(struct allowances *, struct slice login, uint32_t recipients);
/* What an earlier life knew; of two words about one login the higher one counts. False: no room. */
bool			 allowance_put(struct allowances *, struct slice login, const struct allowance_used *, int64_t at_ms);
/* Each login with something in its buckets; the others are forgotten. */
void			 allowances_each(struct allowances *, const struct allowance_limits *, int64_t now_ms,
			    void (*each)(void *arg, struct slice login, const struct allowance_used *), void *arg);
/* Those who could not send one message to one recipient now. */
size_t			 allowances_limited(struct allowances *, const struct allowance_limits *, int64_t now_ms);

#endif
