#ifndef WIRE_LOG_H
#define WIRE_LOG_H
/*
 * log — one datagram to `logger` holds the lines of one round of a process: typed records, not text.
 *
 * Sending never blocks: what the socket does not take waits for the next round, up to 4 MiB of it;
 * beyond that lines are lost and counted, and the count is told with the next datagram that gets
 * through. logger makes the Postfix-shaped line or the JSON object from the same record (control/logger/lines.c, json.c), so both carry the same facts and the same event id
 * (process number of this start, counter).
 */
#include "base/log.h"
#include "ipc/reader.h"
#include "ipc/writer.h"
#include "mail/outcome.h"
#include "mail/queue_id.h"

#define LOG_DATAGRAM_MAX	60000
#define LOG_TEXT_MAX		2048
#define LOG_FIELDS_MAX		24

enum log_event {		/* the line's shape; the table of shapes is in control/logger/lines.c */
	EVENT_NONE,
	EVENT_TEXT,		/* words about ourselves: TEXT */
	EVENT_CONNECT,		/* connect from HOST[IP]: CLIENT */
	EVENT_DISCONNECT,	/* CLIENT, TEXT ("ehlo=1 mail=1 commands=2") */
	EVENT_LOST,		/* "lost connection after CMD from HOST[IP]": COMMAND, CLIENT */
	EVENT_TIMEOUT,		/* "timeout after CMD from HOST[IP]" */
	EVENT_TOO_MANY_ERRORS,	/* COMMAND, CLIENT */
	EVENT_IMPROPER_PIPELINING,	/* COMMAND, CLIENT, TEXT */
	EVENT_REJECT,		/* NOQUEUE: reject: COMMAND from CLIENT: TEXT; from=<> to=<> proto= helo=<> */
	EVENT_REJECT_WARNING,	/* the same with "reject_warning": it would have been refused */
	EVENT_TLS,		/* "Anonymous TLS connection established from CLIENT: TEXT"; KIND is the phrase up to CLIENT */
	EVENT_TLS_FAILED,	/* "SSL_accept error from CLIENT: TEXT"; KIND likewise */
	EVENT_CLIENT,		/* ID: client=HOST[IP][, sasl_method=PLAIN, sasl_username=bob][, orig_queue_id=..., orig_client=HOST[IP]] */
	EVENT_MESSAGE_ID,	/* ID: message-id=<> */
	EVENT_QUEUED,		/* ID: from=<>, size=, nrcpt= (queue active) */
	EVENT_DELIVERY,		/* ID: to=<>, [orig_to=<>,] relay=, delay=, delays=, dsn=, status= (TEXT) */
	EVENT_NOTIFICATION,	/* ID: sender non-delivery notification: NEW_ID; KIND names it */
	EVENT_TOLD,		/* ID: notification=NEW_ID, to=<>[, orig_to=<>]: the bounce of whom NEW_ID tells; a line for each */
	EVENT_UNTOLD,		/* ID: no notification is wanted, to=<>[, orig_to=<>]: of this recipient's failure */
	EVENT_EXPIRED,		/* ID: from=<>, status=expired, returned to sender */
	EVENT_REMOVED,		/* ID: removed */
	EVENT_OPERATOR,		/* ID: placed on hold | released from hold | requeued | removed: TEXT */
	EVENT_COUNT
};

/* KEY_DELAY is a number of milliseconds; KEY_DELAYS four of them as text, "a/b/c/d"; KEY_ACTION an
 * enum action; KEY_KIND of a notification the whole phrase ("sender non-delivery notification").
 * The text of EVENT_TEXT is escaped already, all others raw. */
enum log_key {
	KEY_NONE, KEY_ID, KEY_CLIENT, KEY_COMMAND, KEY_TEXT, KEY_FROM, KEY_TO, KEY_ORIG_TO, KEY_PROTO, KEY_HELO, KEY_SIZE, KEY_NRCPT,
	KEY_RELAY, KEY_DELAY, KEY_DELAYS, KEY_STATUS, KEY_ACTION, KEY_NEW_ID, KEY_KIND, KEY_MESSAGE_ID, KEY_SASL_METHOD,
	KEY_SASL_USERNAME, KEY_ORIG_ID, KEY_ORIG_CLIENT, KEY_COUNT
};

enum log_type { LOG_TYPE_NONE, LOG_TYPE_NUMBER, LOG_TYPE_SLICE, LOG_TYPE_ID, LOG_TYPE_STATUS, LOG_TYPE_COUNT };

struct log_field {
	enum log_key	key;
	enum log_type	type;
	int64_t		number;		/* also milliseconds, ids, actions */
	struct slice	text;		/* foreign bytes are fine: logger escapes */
	struct status	status;
};

#define LOG_ID(k, v)	((struct log_field){ .key = (k), .type = LOG_TYPE_ID, .number = (int64_t)(v) })
#define LOG_NUM(k, v)	((struct log_field){ .key = (k), .type = LOG_TYPE_NUMBER, .number = (v) })
#define LOG_SLICE(k, v)	((struct log_field){ .key = (k), .type = LOG_TYPE_SLICE, .text = (v) })
#define LOG_STR(k, v)	LOG_SLICE(k, slice_str(v))
#define LOG_STATUS(k, v) ((struct log_field){ .key = (k), .type = LOG_TYPE_STATUS, .status = (v) })

struct log_record {
	enum log_event	 event;
	enum log_level	 level;
	uint32_t	 session;	/* the number in brackets; 0: the process id */
	uint64_t	 sequence;	/* within the process; second half of the event id */
	int64_t		 wall_ms;
	uint32_t	 count;
	struct log_field fields[LOG_FIELDS_MAX];
};

/* Sender's side. Makes base/log write here, too. The
 * descriptor is a non-blocking datagram socket, taken. */
void	log_wire_open(int fd, uint32_t process);
void	log_event_put(enum log_event, enum log_level, uint32_t session, const struct log_field *, size_t count);
#define log_event(ev, level, session, ...) \
	log_event_put(ev, level, session, (const struct log_field[]){ __VA_ARGS__ }, \
	    sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
/* At the end of each round: loop_every_round(loop, log_wire_flush, NULL). */
void	log_wire_flush(void *unused);
void	log_wire_close(void);			/* sends what is there; words go to stderr again */

/* logger's side. A datagram is a header (process number, how many were dropped before) and records. */
int	log_header_get(struct reader *, uint32_t *process, uint64_t *dropped);
int	log_record_get(struct reader *, struct log_record *);		/* one; -1: bad; ask while bytes are left */

#endif
