#ifndef PASSWORD_GATE_INSIDE_H
#define PASSWORD_GATE_INSIDE_H
/*
 * gate_inside — the gate as gate.c and door.c see it; nobody else includes this.
 *
 * door.c has the wires: those of smtpds, on which attempts come, and queue's, which hears of logins. attempt.c has the object of an
 * attempt, gate.c what becomes of it.
 */
#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/password/checker.h"
#include "lookup/password/dovecot.h"
#include "lookup/password/failures.h"
#include "lookup/password/gate.h"
#include "lookup/password/pam_peer.h"
#include "lookup/pool.h"

#define NONCE_LEN	24

enum attempt_state {
	ATTEMPT_NONE,
	ATTEMPT_LINE,		/* for a free worker */
	ATTEMPT_CHECKED,	/* a worker, pam or Dovecot has it */
	ATTEMPT_CLIENT,		/* a challenge is out */
	ATTEMPT_HELD,		/* failed; the answer waits */
	ATTEMPT_QUEUE,		/* queue has been told and has not answered */
	ATTEMPT_LIVE		/* a login */
};

struct attempt {
	struct gate		*gate;
	struct door		*door;
	TAILQ_ENTRY(attempt)	 of_door, line;
	struct hash_node	 by_serial, by_id;
	uint64_t		 serial;	/* smtpd's */
	uint32_t		 id;		/* ours: for pam, for Dovecot and for queue */
	enum attempt_state	 state;
	bool			 resumed;	/* QUEUE: another lookup gave it; queue has to remember */
	bool			 orphan;	/* CLIENT: who sent the challenge is gone */
	struct timer		 timer;
	enum sasl_mechanism	 mechanism;	/* by a file, by PAM */
	size_t			 address_len;
	char			 address[16];
	char			 nonce[NONCE_LEN];
	uint32_t		 channel_count, count;
	struct auth_channel	 channels[AUTH_CHANNELS_MAX];	/* their data and the responses are the attempt's own */
	struct slice		 responses[SASL_RESPONSES_MAX];
	struct auth_token	 token;		/* QUEUE, LIVE */
	char			 login[AUTH_LOGIN_MAX + 1];	/* as far as known */
	char			 why[AUTH_TEXT_MAX + 1];	/* HELD */
};
TAILQ_HEAD(attempts, attempt);

struct door {
	TAILQ_ENTRY(door)	 all;
	struct gate		*gate;
	struct channel		*channel;
	struct attempts		 attempts;
	struct hash		 by_serial;
	uint32_t		 count;
};

struct gate {
	struct loop		*loop;
	const struct conf	*conf;
	struct pool		*pool;		/* users in a file */
	struct dovecot		*dovecot;	/* users at Dovecot */
	struct pam_peer		*pam;		/* always there, also when its process is not */
	bool			 by_pam;	/* users in PAM; none of the three: nobody can log in */
	struct failures		*failures;
	struct failures_rules	 rules;
	TAILQ_HEAD(, door)	 doors;
	struct channel		*queue;		/* NULL: away */
	struct hash		 by_id;
	uint32_t		 last_id;
	struct attempts		 line;
	size_t			 waiting;	/* in it */
	unsigned char		 secret[SCRAM_KEY];
	char			 mechanisms[AUTH_MECHANISMS_MAX + 1];
	uint64_t		 begun, granted, failed, put_off, live;
};

/* gate.c */
/* -1: what no honest smtpd sends. */
int		 attempt_begin(struct door *, const struct auth_begin *);
int		 attempt_continue(struct door *, const struct auth_piece *);
int		 attempt_resume(struct door *, const struct auth_granted *);
void		 attempt_known(struct gate *, const struct auth_known *);

/* attempt.c */
struct attempt	*attempt_new(struct door *, const struct auth_begin *, void (*late)(void *));	/* NULL: no memory */
void		 attempt_drop(struct attempt *);	/* its smtpd has no interest in it; a login ends */
struct attempt	*attempt_find(struct door *, uint64_t serial);
struct attempt	*attempt_by_id(const struct gate *, uint64_t id);
struct slice	 attempt_address(const struct attempt *);
void		 attempt_leave_line(struct attempt *);
int		 attempt_keep(struct attempt *, struct slice response);	/* a copy; -1: too many, or no memory */
int		 attempt_keep_channels(struct attempt *, const struct auth_begin *);
void		 attempt_wipe(struct attempt *);	/* what the client said is nobody's any more */

/* door.c: words to one smtpd or to queue; lost in silence when the wire has ended */
void		 door_open(struct gate *, int fd);
void		 door_close(struct door *);		/* with all its attempts */
void		 door_tell(struct attempt *, uint16_t type, struct slice text);	/* FAILED, LATER, CHALLENGE, OK */
void		 door_refuse(struct door *, uint64_t serial, struct slice text);	/* LATER, to one without an attempt */
void		 door_mechanisms(struct door *);
void		 queue_open(struct gate *, int fd);
int		 queue_login(struct attempt *);		/* -1: it is away */
void		 queue_logout(struct attempt *);

#endif
