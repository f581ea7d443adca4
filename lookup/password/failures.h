#ifndef PASSWORD_FAILURES_H
#define PASSWORD_FAILURES_H
/*
 * failures — who has failed to log in of late, and so has to wait, or may not try for a while.
 *
 * Counted by client address (IPv6: by /64) and by login. An address above the limit is put off; a login above LOGIN_FACTOR times
 * the limit is, too, wherever the guesses come from. Who has logged in from an address before is not put off there by what others
 * do: nobody can lock a user out of his own desk. His failures there count apart, up to LOGIN_FACTOR times the limit: a device that still
 * has the old password locks nobody out elsewhere. The table is bounded and forgets the oldest; a pure function of its calls and the time
 * that they bring.
 */
#include <stdint.h>

#include "base/slice.h"

#define LOGIN_FACTOR	10
#define DELAY_FACTOR	5	/* the longest delay, in first ones */
#define FAILURES_MOST	20000	/* entries */

struct failures;

struct failures_rules {
	uint32_t	limit;		/* of one address; 0: none */
	int64_t		window, delay;	/* ms */
};

struct failures	*failures_new(void);		/* NULL: no memory */
void		 failures_free(struct failures **);
/* The bytes of an address by which it counts: one household is one, an IPv6 host has as many as it likes. */
struct slice	 failures_place(struct slice address);
/* Before the login is known: nobody from this address may try now. `address`: 4 or 16 bytes. */
bool		 failures_refuse_address(struct failures *, const struct failures_rules *, struct slice address, int64_t now);
/* The attempt has been checked: its answer, whatever it is, may not be given now. */
bool		 failures_refuse(struct failures *, const struct failures_rules *, struct slice address, struct slice login, int64_t now);
/* Counts; gives how long to hold the answer back, in ms. An empty login is nobody's. */
int64_t		 failures_add(struct failures *, const struct failures_rules *, struct slice address, struct slice login, int64_t now);
void		 failures_succeeded(struct failures *, struct slice address, struct slice login, int64_t now);
size_t		 failures_count(const struct failures *);	/* entries, for status */

#endif
