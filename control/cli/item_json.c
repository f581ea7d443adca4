/*
 * item_json — each message as one line of JSON. The names that `postqueue -j` has keep their
 * meaning; more stand beside them.
 */
#include "item.h"

#include <jansson.h>

#include "base/fmt.h"
#include "mail/queue_id.h"

/* jansson refuses bytes that are no UTF-8; mail has them. They are shown as \xHH then. */
static json_t *
text(struct slice s)
{
	json_t *value = json_stringn(s.p == NULL ? "" : s.p, s.len);
	char escaped[4096];

	return value != NULL ? value : json_string(fmt_escaped(escaped, sizeof(escaped), s));
}

/* Failures (no memory) leave a NULL value, which json_object_set_new refuses: counted by the
 * caller. */
static int
set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value);
}

static const char *
recipient_state(const struct queue_item_recipient *r)
{
	if (action_final(r->fate.last.action))
		return action_name(r->fate.last.action);
	if (r->active)
		return "active";
	if ((r->fate.flags & FATE_HELD) != 0)
		return "held";
	return r->fate.last.action == ACTION_UNKNOWN ? "unknown" : "waiting";
}

static int
set_last(json_t *object, const struct queue_item_recipient *r)
{
	char status[STATUS_PRINT_SIZE], reason[REASON_MAX];
	int bad = 0;

	if (r->fate.last.action == ACTION_NONE)
		return 0;
	recipient_reason(r, reason, sizeof(reason));
	if (r->fate.last.status.class != 0)
		bad |=
		    set(object, "status", json_string(status_print(r->fate.last.status, status)));
	bad |= set(object, "delay_reason", json_string(reason));
	if (r->fate.last.mta.len > 0)
		bad |= set(object, "mta", text(r->fate.last.mta));
	return bad;
}

static json_t *
recipient(const struct queue_item_recipient *r)
{
	json_t *object = json_object();
	int bad = object == NULL;

	bad |= set(object, "address", text(r->address));
	if (r->original.len > 0)
		bad |= set(object, "orig_address", text(r->original));
	bad |= set(object, "state", json_string(recipient_state(r)));
	bad |= set(object, "attempts", json_integer((json_int_t)r->fate.attempts));
	/* 0: it is not waiting for a time */
	bad |= set(object, "next_attempt", json_integer((json_int_t)(r->fate.next_ms / 1000)));
	bad |= set(object, "next_hop", text(r->nexthop));
	bad |= set(object, "why_waiting", text(r->why));
	bad |= set_last(object, r);
	if (bad) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *
message(const struct queue_item *item)
{
	json_t *object = json_object();
	char id[QUEUE_ID_LEN + 1];
	int bad = object == NULL;

	bad |= set(object, "queue_name", json_string(item_queue(item)));
	bad |= set(object, "queue_id", json_string(queue_id_print(item->id, id)));
	bad |= set(object, "arrival_time", json_integer((json_int_t)(item->arrival_ms / 1000)));
	bad |= set(object, "expiry_time", json_integer((json_int_t)(item->expiry_ms / 1000)));
	bad |= set(object, "message_size", json_integer((json_int_t)item->size));
	bad |= set(object, "forced_expire", json_false());
	bad |= set(object, "sender",
	    item->sender.len == 0 ? json_string("MAILER-DAEMON") : text(item->sender));
	bad |= set(object, "recipients", json_array());
	if (bad) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int
print_message(struct json_lines *j)
{
	int bad = 0;

	if (j->message != NULL)
		bad = json_dumpf(j->message, j->out, JSON_COMPACT | JSON_ENSURE_ASCII) == -1 ||
		    fputc('\n', j->out) == EOF;
	json_decref(j->message);
	j->message = NULL;
	return bad ? -1 : 0;
}

int
json_lines_item(struct json_lines *j, const struct queue_item *item)
{
	json_t *recipients;

	if (item->id != j->id) {
		if (print_message(j) == -1)
			return -1;
		j->id = item->id;
		j->message = message(item);
	}
	recipients = json_object_get(j->message, "recipients");
	for (uint32_t i = 0; i < item->count; i++) {
		if (json_array_append_new(recipients, recipient(&item->recipients[i])) == -1)
			return -1;
	}
	return recipients == NULL ? -1 : 0;
}

int
json_lines_end(struct json_lines *j)
{
	return print_message(j);
}
