#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H
/*
 * resolver — DNS questions on the loop: c-ares sends and receives, answer.c understands.
 *
 * Equal questions that are under way share one packet; answers are kept for their TTL, "no" for the time its SOA allows,
 * trouble not at all. A server that answers SERVFAIL, REFUSED or nonsense is not the last word: the next one is asked.
 * Timeouts go on to the next server by themselves.
 */
#include "event/loop.h"
#include "net/answer.h"

#define RESOLVER_SERVERS_MAX	8

struct resolver;
struct resolver_entry;

struct resolver_conf {
	const struct sockaddress *servers;	/* with ports; borrowed for the call */
	uint32_t		 count;		/* at least 1; those behind RESOLVER_SERVERS_MAX are not used */
	int64_t			 timeout_ms;	/* of a first try; later ones wait longer */
	int64_t			 tries;		/* per server; below 3 counts as 3: with 2 a good server was seen to lose */
};

/* Lives in the asker. Zeroed: no question. */
struct question {
	struct question		*next, **prev;
	struct resolver_entry	*entry;
	/* Runs once, from the loop and never inside resolver_ask. The answer is borrowed for the call. A new question may be asked
	 * with the same struct, and anything may be cancelled or freed. */
	void			(*done)(void *arg, const struct dns_answer *);
	void			*arg;
};

/* The servers of /etc/resolv.conf, as c-ares reads it; at least one (the library's default is 127.0.0.1). Before the sandbox.
 * How many, or -1: err. */
int		 resolver_system_servers(struct sockaddress *out, uint32_t room, struct err *);

struct resolver	*resolver_new(struct loop *, const struct resolver_conf *, struct err *);	/* opens no file */
/* Every question must have been answered or cancelled. */
void		 resolver_free(struct resolver **);
/* Other servers from now on. Running questions are asked again there. -1: err, and the old ones stay. */
int		 resolver_configure(struct resolver *, const struct resolver_conf *, struct err *);

/* The name need not be NUL-terminated and is copied. -1: not a name that can be asked for, too much under way, or no memory. */
int		 resolver_ask(struct resolver *, struct question *, struct slice name, enum dns_type,
		    void (*done)(void *, const struct dns_answer *), void *arg);
void		 resolver_cancel(struct question *);	/* done will not run; idle is fine */
uint64_t	 resolver_packets(const struct resolver *);	/* questions sent so far: for status and tests */

#endif
