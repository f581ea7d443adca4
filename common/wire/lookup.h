#ifndef WIRE_LOOKUP_H
#define WIRE_LOOKUP_H
/*
 * lookup — questions about addresses and users, and answers that never lie out of trouble.
 *
 *	smtpd, queue → lookup	ROUTE		where do these recipients go, and are they ours?
 *	mda → lookup		MAILBOX		whose is this local address, and where is the Maildir?
 *	smtpd → lookup		SENDER		may this login write as these addresses?
 *	lookup → all		ROUTES, MAILBOX_OF, SENDER_OF	answers, by serial, in any order
 *				GENERATION u64	tables have changed: forget every cached answer of a lower one
 *
 * An answer comes within 5 s; ROUTE_TRY_LATER is the answer to every kind of trouble, never "unknown".
 */
#include "wire/fields.h"

#define LOOKUP_VERSION		2
#define ROUTE_ADDRESSES_MAX	128	/* in one frame */
#define ROUTE_TEXT_MAX		200
#define SENDER_ADDRESSES_MAX	16	/* in one frame: a From field seldom has two */
#define USER_NAME_MAX		256
#define PATH_TEXT_MAX		1024

enum lookup_frame {
	LOOKUP_NONE, LOOKUP_ROUTE, LOOKUP_ROUTES, LOOKUP_MAILBOX, LOOKUP_MAILBOX_OF, LOOKUP_GENERATION, LOOKUP_SENDER, LOOKUP_SENDER_OF,
	LOOKUP_FRAME_COUNT
};

enum route_verdict {
	ROUTE_NONE,
	ROUTE_LOCAL,		/* ours, and it exists */
	ROUTE_REMOTE,		/* not ours: only for those who may relay */
	ROUTE_UNKNOWN,		/* our domain, no such user: 550 5.1.1 */
	ROUTE_INVALID,		/* can never be delivered (bad domain literal ...): 550 5.1.x in status */
	ROUTE_TRY_LATER,	/* 451 4.3.0 */
	ROUTE_VERDICT_COUNT
};

enum transport { TRANSPORT_NONE, TRANSPORT_LOCAL, TRANSPORT_RELAY, TRANSPORT_COUNT };

struct route_question {
	uint64_t	serial;
	uint32_t	count;
	struct slice	*addresses;	/* canonical */
};

struct route {
	enum route_verdict	verdict;
	enum transport		transport;	/* for LOCAL and REMOTE */
	/* Not empty for LOCAL and REMOTE. LOCAL: the mailbox' owner, canonical without detail;
	 * REMOTE: domain, or "[host]:port" of a smart host. */
	struct slice		nexthop;
	struct status		status;		/* for UNKNOWN, INVALID, TRY_LATER */
	struct slice		text;
};

struct route_answer {
	uint64_t	serial;
	uint64_t	generation;	/* of the tables; a greater one makes cached answers void */
	uint32_t	ttl_ms;		/* how long a positive answer may be kept; 0: not at all */
	uint32_t	count;
	struct route	*routes;	/* in the order of the question */
};

struct mailbox_question {
	uint64_t	serial;
	struct slice	address;	/* canonical */
};

struct mailbox_answer {
	uint64_t		serial;
	enum route_verdict	verdict;	/* LOCAL, UNKNOWN or TRY_LATER */
	uint32_t		uid, gid;
	struct slice		user;		/* login name, for supplementary groups and logs */
	struct slice		home;		/* absolute, or empty for a user without one */
	struct slice		maildir;	/* absolute path of the Maildir */
	struct status		status;
	struct slice		text;
};

struct sender_question {
	uint64_t	serial;
	struct slice	login;		/* as lookup said when it logged in; not empty */
	uint32_t	count;		/* 1 .. SENDER_ADDRESSES_MAX */
	struct slice	addresses[SENDER_ADDRESSES_MAX];	/* canonical */
};

enum sender_verdict {
	SENDER_NONE,
	SENDER_OWN,		/* every one of them is the login's */
	SENDER_FOREIGN,		/* `which` is not */
	SENDER_TRY_LATER,	/* 451 4.3.0 */
	SENDER_VERDICT_COUNT
};

struct sender_answer {
	uint64_t		serial;
	enum sender_verdict	verdict;
	uint32_t		which;	/* FOREIGN: the index of the first that is somebody else's */
};

/* Arrays come from the arena, slices are borrowed from the frame. */
void	route_question_put(struct buf *, const struct route_question *);
int	route_question_get(struct reader *, struct arena *, struct route_question *);
void	route_answer_put(struct buf *, const struct route_answer *);
int	route_answer_get(struct reader *, struct arena *, struct route_answer *);
void	mailbox_question_put(struct buf *, const struct mailbox_question *);
int	mailbox_question_get(struct reader *, struct mailbox_question *);
void	mailbox_answer_put(struct buf *, const struct mailbox_answer *);
int	mailbox_answer_get(struct reader *, struct mailbox_answer *);
void	sender_question_put(struct buf *, const struct sender_question *);
int	sender_question_get(struct reader *, struct sender_question *);
void	sender_answer_put(struct buf *, const struct sender_answer *);
int	sender_answer_get(struct reader *, struct sender_answer *);
void	lookup_generation_put(struct buf *, uint64_t);
int	lookup_generation_get(struct reader *, uint64_t *);

#endif
