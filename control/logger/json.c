/*
 * json — by jansson, which refuses bytes that are not UTF-8: such text is escaped first, as in lines.
 */
#include "control/logger/json.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/fmt.h"
#include "base/num.h"

#define TEXT_MAX	(4 * LOG_TEXT_MAX + 4)

static const char *const event_names[EVENT_COUNT] = {
	[EVENT_TEXT] = "text", [EVENT_CONNECT] = "connect", [EVENT_DISCONNECT] = "disconnect", [EVENT_LOST] = "lost-connection",
	[EVENT_TIMEOUT] = "timeout", [EVENT_TOO_MANY_ERRORS] = "too-many-errors", [EVENT_IMPROPER_PIPELINING] = "improper-pipelining",
	[EVENT_REJECT] = "reject", [EVENT_REJECT_WARNING] = "reject-warning", [EVENT_TLS] = "tls", [EVENT_TLS_FAILED] = "tls-failed", [EVENT_CLIENT] = "client", [EVENT_MESSAGE_ID] = "message-id",
	[EVENT_QUEUED] = "queued", [EVENT_DELIVERY] = "delivery", [EVENT_NOTIFICATION] = "notification", [EVENT_TOLD] = "told",
	[EVENT_UNTOLD] = "untold", [EVENT_EXPIRED] = "expired", [EVENT_REMOVED] = "removed",
	[EVENT_OPERATOR] = "operator",
};

static const char *const key_names[KEY_COUNT] = {
	[KEY_ID] = "queue_id", [KEY_CLIENT] = "client", [KEY_COMMAND] = "command", [KEY_TEXT] = "text", [KEY_FROM] = "from", [KEY_TO] = "to",
	[KEY_ORIG_TO] = "orig_to", [KEY_PROTO] = "proto", [KEY_HELO] = "helo", [KEY_SIZE] = "size", [KEY_NRCPT] = "nrcpt",
	[KEY_RELAY] = "relay", [KEY_DELAY] = "delay_ms", [KEY_DELAYS] = "delays_ms", [KEY_STATUS] = "dsn", [KEY_ACTION] = "status",
	[KEY_NEW_ID] = "new_queue_id", [KEY_KIND] = "kind", [KEY_MESSAGE_ID] = "message_id",
	[KEY_SASL_METHOD] = "sasl_method", [KEY_SASL_USERNAME] = "sasl_username",
	[KEY_ORIG_ID] = "orig_queue_id", [KEY_ORIG_CLIENT] = "orig_client",
};

static const char *const level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_NONE] = "none", [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warning", [LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static json_t *
text_value(struct slice text)
{
	char escaped[TEXT_MAX];
	json_t *value = json_stringn(text.len == 0 ? "" : text.p, text.len);

	return value != NULL ? value : json_string(fmt_escaped(escaped, sizeof(escaped), text));
}

static json_t *
delays_value(struct slice text)
{
	json_t *list = json_array();
	struct slice rest = text;
	uint64_t ms;

	while (rest.p != NULL)
		(void)json_array_append_new(list, json_integer(
		    num_parse(slice_split(rest, '/', &rest), INT64_MAX, &ms) == 0 ? (json_int_t)ms : 0));
	return list;
}

static json_t *
field_value(const struct log_field *f)
{
	char id[QUEUE_ID_LEN + 1], status[STATUS_PRINT_SIZE];

	switch (f->type) {
	case LOG_TYPE_ID:
		return json_string(queue_id_print((queue_id)f->number, id));
	case LOG_TYPE_STATUS:
		return json_string(status_print(f->status, status));
	case LOG_TYPE_NUMBER:
		return f->key == KEY_ACTION ? json_string(action_word(f->number)) : json_integer((json_int_t)f->number);
	default:
		return f->key == KEY_DELAYS ? delays_value(f->text) : text_value(f->text);
	}
}

static json_t *
time_value(int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };
	char text[80];

	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
	return json_string(text);
}

static json_t *
object_of(const struct line_source *source, const struct log_record *r)
{
	json_t *all = json_object();
	char id[48];

	(void)snprintf(id, sizeof(id), "%u.%llu", (unsigned)source->number, (unsigned long long)r->sequence);
	(void)json_object_set_new(all, "time", time_value(r->wall_ms));
	(void)json_object_set_new(all, "event", json_string(event_names[r->event]));
	(void)json_object_set_new(all, "id", json_string(id));
	(void)json_object_set_new(all, "level", json_string(level_names[r->level]));
	(void)json_object_set_new(all, "service", json_string(service_of_role(source->role)));
	(void)json_object_set_new(all, "pid", json_integer(source->pid));
	if (r->session != 0)
		(void)json_object_set_new(all, "session", json_integer(r->session));
	for (uint32_t i = 0; i < r->count; i++)
		(void)json_object_set_new(all, key_names[r->fields[i].key], field_value(&r->fields[i]));
	return all;
}

static int
dump_piece(const char *bytes, size_t len, void *out)
{
	return buf_append(out, bytes, len);
}

int
json_put(struct buf *out, const struct line_source *source, const struct log_record *r)
{
	json_t *all = object_of(source, r);
	size_t before = buf_len(out);
	int result = -1;

	if (all != NULL && json_dump_callback(all, dump_piece, out, JSON_COMPACT) == 0)
		result = buf_putc(out, '\n');
	json_decref(all);
	if (result == 0)
		return 0;
	buf_cut(out, before);
	out->failed = false;
	return -1;
}
