#ifndef WIRE_CONTROL_H
#define WIRE_CONTROL_H
/*
 * control — the supervisor and its children; posthorn(1) and the supervisor or queue.
 *
 * Between supervisor and child (one socket pair each, descriptor 3 in the child):
 *
 *	supervisor → child	BOOT + fd	who you are, the configuration; fd: the log socket
 *				FILE + fd	a file that the configuration in the next BOOT or PREPARE names
 *				TICKETS		keys for the tickets of TLS sessions
 *				WIRE + fd	your end of a wire to a sibling (again after the sibling was replaced)
 *				LISTENER + fd	a bound socket to accept on; accept() says EINVAL: a reload took it back
 *				PREPARE		a new configuration: would you take it?
 *				COMMIT		take it (or, with ok false: forget it)
 *				PING		answer, or be killed after 10 s
 *				STATUS_ASK	say something about yourself
 *				STOP		finish within the time given, then exit 0
 *	child → supervisor	READY		sandboxed, self-tested, serving
 *				PREPARED	yes, or no and why; before READY always no: why it cannot start
 *						(nothing but BOOT is sent until then)
 *				PONG, STATUS_TEXT
 *				REQUEST_STOP	stop everything
 *
 * Between a tool and supervisor or queue (Unix sockets in
 * the run directory; SO_PEERCRED decides what is allowed):
 *
 *	tool → daemon		OPERATOR	a verb and its arguments
 *	daemon → tool		ITEM		one queued message (list, show)
 *				BYTES		a piece of content (cat) or text
 *				PINNED		what a backup has to copy (pin); the pin ends with `unpin` or the connection
 *				OUTCOME		the end: ok or not, one sentence
 */
#include "wire/fields.h"

#define CONTROL_VERSION		4
#define CONF_BLOB_MAX		(256 * 1024)
#define CONTROL_TEXT_MAX	4096
#define CONTROL_BYTES_MAX	65536	/* one STATUS_TEXT, BYTES or OUTCOME; longer things go in several BYTES */
#define OPERATOR_ARGS_MAX	64
#define OPERATOR_ARG_MAX	512
#define OPERATOR_VERB_MAX	32
#define ITEM_RECIPIENTS_MAX	100	/* in one ITEM; a message with more goes in several, one behind the other */
#define ITEM_WHY_MAX		200
#define PROCESS_NAME_MAX	32
#define PINNED_SEGMENTS_MAX	1000
#define PINNED_PATH_MAX		4096

enum control_frame {
	CONTROL_NONE, CONTROL_BOOT, CONTROL_WIRE, CONTROL_LISTENER, CONTROL_PREPARE, CONTROL_COMMIT,
	CONTROL_PING, CONTROL_STATUS_ASK, CONTROL_STOP,
	CONTROL_READY, CONTROL_PREPARED, CONTROL_PONG, CONTROL_STATUS_TEXT, CONTROL_REQUEST_STOP,
	CONTROL_OPERATOR, CONTROL_ITEM, CONTROL_BYTES, CONTROL_OUTCOME, CONTROL_PINNED, CONTROL_FILE, CONTROL_TICKETS,
	CONTROL_FRAME_COUNT
};

enum wire_kind { WIRE_NONE, WIRE_SUBMIT, WIRE_DELIVER, WIRE_LOOKUP, WIRE_SPAWN, WIRE_HANDOFF, WIRE_KEY, WIRE_AUTH, WIRE_CONTROL,
	WIRE_LOG,		/* to logger: the reading end of a process's log socket; number: that process */
	WIRE_PAM,		/* to lookup and pam: lookup/pam/wire.h */
	WIRE_KIND_COUNT };

/* What the process at the other end of a wire is, and
 * so what it may claim. Told by the supervisor only. */
enum wire_role {
	ROLE_NONE,
	ROLE_MX,		/* smtpd for strangers: only recipients that are ours */
	ROLE_TRUSTED,		/* smtpd for networks that may relay */
	ROLE_SUBMISSION,	/* smtpd for our users */
	ROLE_RELAY, ROLE_MDA, ROLE_LOOKUP, ROLE_QUEUE, ROLE_SUPERVISOR,
	ROLE_OPERATOR,		/* a listener for tools */
	ROLE_LOGGER,
	ROLE_KEY,		/* signs for smtpd */
	ROLE_PAM,		/* asks PAM for lookup */
	ROLE_COUNT
};

struct control_boot {
	struct slice	name;		/* "smtpd-mx-0" */
	enum wire_role	role;		/* what this process itself is */
	uint32_t	process;	/* its number in this start: first half of event ids */
	uint64_t	generation;	/* of the configuration */
	bool		paused;		/* posthornd --paused: queue starts no delivery */
	bool		root;		/* the supervisor can become users: mail for other uids is possible */
	struct slice	conf;		/* conf_put of conf/conf.h */
};

struct control_wire {			/* WIRE and LISTENER */
	enum wire_kind	kind;		/* WIRE only; LISTENER: WIRE_CONTROL for an operator's socket, else WIRE_NONE */
	enum wire_role	role;		/* of the other end; LISTENER: of those who connect */
	uint32_t	number;		/* which instance of that kind; LISTENER: which listener of the configuration */
	/* The process that was at the other end before died by its own fault: SEGV, ABRT, BUS, SYS,
	 * ILL, FPE or an exit that it was not told to make. */
	bool		fault;
};

struct control_conf {			/* PREPARE, COMMIT, PREPARED */
	uint64_t	generation;
	bool		ok;
	struct slice	conf;		/* PREPARE only */
	struct slice	text;		/* PREPARED with ok false: why not */
};

struct control_text {			/* STATUS_TEXT, BYTES, OUTCOME */
	bool		ok;
	struct slice	text;
};

struct control_stop {
	uint32_t	within_ms;
};

enum passed { PASSED_NONE, PASSED_CERTIFICATE, PASSED_KEY,
	PASSED_AUTHORITIES,	/* whose certificates relay believes; number 0 */
	PASSED_COUNT };

struct control_file {			/* read with pread: several processes share the descriptor's place */
	enum passed	kind;
	uint32_t	number;		/* conf_tls_first(), where nothing else is said */
};

#define CONTROL_TICKET_KEYS	2
#define CONTROL_TICKET_KEY	80	/* bytes of one: TLS_TICKET_KEY_SIZE of net/tls_context.h */

struct control_tickets {
	uint32_t	count;		/* 1 .. CONTROL_TICKET_KEYS, newest first */
	uint8_t		keys[CONTROL_TICKET_KEYS][CONTROL_TICKET_KEY];
};

enum { OPERATOR_JSON = 1 << 0, OPERATOR_FLAGS_ALL = OPERATOR_JSON };

struct operator_request {
	struct slice	verb;		/* "list", "hold" ... */
	uint32_t	flags;
	uint32_t	count;
	struct slice	args[OPERATOR_ARGS_MAX];	/* ids, "@domain", "all" */
};

struct queue_item_recipient {
	struct slice	address, original;
	struct fate	fate;
	bool		active;		/* in an agent's hands right now */
	struct slice	nexthop;	/* where it waits; empty: not routed yet */
	struct slice	why;		/* what holds it, in words: "retry", "destination busy", "held" ... */
};

struct queue_item {
	uint64_t	id;
	uint32_t	size;
	int64_t		arrival_ms;
	int64_t		expiry_ms;
	struct slice	sender;
	bool		active, held;
	uint32_t	count;
	struct queue_item_recipient *recipients;	/* those not final yet; show: all */
};

struct pinned_segment {
	uint32_t	number;		/* journal/NNN.seg */
	uint32_t	size, length;	/* of the file; of it, what is durable: bytes */
};

struct control_pinned {
	struct slice	directory;	/* the queue's */
	uint64_t	messages;	/* in the queue, those that sleep included */
	uint32_t	count;
	struct pinned_segment *segments;
};

void	control_boot_put(struct buf *, const struct control_boot *);
int	control_boot_get(struct reader *, struct control_boot *);
void	control_wire_put(struct buf *, const struct control_wire *);
int	control_wire_get(struct reader *, struct control_wire *);
void	control_conf_put(struct buf *, const struct control_conf *);
int	control_conf_get(struct reader *, struct control_conf *);
void	control_text_put(struct buf *, const struct control_text *);
int	control_text_get(struct reader *, struct control_text *);
void	control_file_put(struct buf *, const struct control_file *);
int	control_file_get(struct reader *, struct control_file *);
void	control_tickets_put(struct buf *, const struct control_tickets *);
int	control_tickets_get(struct reader *, struct control_tickets *);
void	control_stop_put(struct buf *, const struct control_stop *);
int	control_stop_get(struct reader *, struct control_stop *);
void	operator_request_put(struct buf *, const struct operator_request *);
int	operator_request_get(struct reader *, struct operator_request *);
void	queue_item_put(struct buf *, const struct queue_item *);
int	queue_item_get(struct reader *, struct arena *, struct queue_item *);	/* slices borrowed from the frame */
void	control_pinned_put(struct buf *, const struct control_pinned *);
int	control_pinned_get(struct reader *, struct arena *, struct control_pinned *);	/* likewise */

#endif
