#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H
/*
 * bounce — whether somebody is told, whom, and the notification as a message of our own.
 *
 * Never an answer to the null reverse-path (RFC 5321 4.5.5): what cannot be delivered of a notification is told to postmaster,
 * and what cannot be delivered to postmaster is held with an alarm.
 */
#include "conf/conf.h"
#include "queue/bounce/dsn.h"
#include "queue/message.h"

/* A notification about those recipients of `m` that have failed or arrived and are owed it (DSN_FAILURE, DSN_SUCCESS) or are to
 * be warned about (DSN_DELAY), at most DSN_RECIPIENTS_MAX of them; *told gets their indexes. `header`: the first bytes of the
 * content, or all of it. A message with content in memory, ready to be put into the store; NULL: err. */
struct message	*bounce_new(const struct conf *, const struct message *m, enum dsn_kind, queue_id own, struct slice header,
		    uint32_t told[DSN_RECIPIENTS_MAX], uint32_t *told_count, struct err *);
bool		 bounce_is_owed(const struct message *, enum dsn_kind);
/* Somebody's end has yet to be told: the message may not be forgotten. */
bool		 bounce_owes(const struct message *);
/* This recipient of this message may not fail: there is nobody left to tell. */
bool		 bounce_is_last_resort(const struct conf *, const struct message *, uint32_t index);

#endif
