/*
 * lines — a table from event to the words around its fields.
 *
 * The shapes are those of Postfix 3.7 to 3.10: what pflogsumm, fail2ban, logwatch and exporters
 * match. Changing a comma here blinds somebody's monitoring; tests/unit/control/test_lines.c holds
 * the regular expressions of those programs.
 */
#include "control/logger/lines.h"

#include <stdio.h>
#include <time.h>

#include "base/fmt.h"
#include "base/num.h"
#include "wire/fields.h"

/* Bytes of one field in a line. An address is never cut, for an audit knows recipients by it; so the longest line, of a delivery
 * with two of them, stays below the 8 KiB that syslog daemons take. */
#define FIELD_MAX	1024
#define ADDRESS_ESCAPED	(4 * ADDRESS_FIELD_MAX)
#define PIECES_MAX	9
#define FACILITY_MAIL	(2 << 3)

enum { REQUIRED, OPTIONAL };	/* optional: left out with the words around it when empty */

struct piece {
	const char	*before;
	enum log_key	 key;
	const char	*after;
	int		 need;
};

/* What both kinds of a refusal say behind their first word. */
#define REJECT_PARTS	{ "", KEY_COMMAND, " from ", REQUIRED }, { "", KEY_CLIENT, ": ", REQUIRED }, { "", KEY_TEXT, ";", REQUIRED }, \
	{ " from=<", KEY_FROM, ">", REQUIRED }, { " to=<", KEY_TO, ">", OPTIONAL }, { " proto=", KEY_PROTO, "", OPTIONAL }, \
	{ " helo=<", KEY_HELO, ">", OPTIONAL }

static const struct piece shapes[EVENT_COUNT][PIECES_MAX] = {
	[EVENT_TEXT]		= { { "", KEY_TEXT, "", REQUIRED } },
	[EVENT_CONNECT]		= { { "connect from ", KEY_CLIENT, "", REQUIRED } },
	[EVENT_DISCONNECT]	= { { "disconnect from ", KEY_CLIENT, "", REQUIRED }, { " ", KEY_TEXT, "", OPTIONAL } },
	[EVENT_LOST]		= { { "lost connection after ", KEY_COMMAND, " from ", REQUIRED }, { "", KEY_CLIENT, "", REQUIRED } },
	[EVENT_TIMEOUT]		= { { "timeout after ", KEY_COMMAND, " from ", REQUIRED }, { "", KEY_CLIENT, "", REQUIRED } },
	[EVENT_TOO_MANY_ERRORS]	= { { "too many errors after ", KEY_COMMAND, " from ", REQUIRED }, { "", KEY_CLIENT, "", REQUIRED } },
	[EVENT_IMPROPER_PIPELINING] = { { "improper command pipelining after ", KEY_COMMAND, " from ", REQUIRED },
	    { "", KEY_CLIENT, ": ", REQUIRED }, { "", KEY_TEXT, "", REQUIRED } },
	[EVENT_REJECT]		= { { "", KEY_ID, ": reject: ", REQUIRED }, REJECT_PARTS },
	[EVENT_REJECT_WARNING]	= { { "", KEY_ID, ": reject_warning: ", REQUIRED }, REJECT_PARTS },
	[EVENT_TLS]		= { { "", KEY_KIND, " ", REQUIRED }, { "", KEY_CLIENT, ": ", REQUIRED }, { "", KEY_TEXT, "", REQUIRED } },
	[EVENT_TLS_FAILED]	= { { "", KEY_KIND, " ", REQUIRED }, { "", KEY_CLIENT, ": ", REQUIRED }, { "", KEY_TEXT, "", REQUIRED } },
	[EVENT_CLIENT]		= { { "", KEY_ID, ": client=", REQUIRED }, { "", KEY_CLIENT, "", REQUIRED },
	    { ", sasl_method=", KEY_SASL_METHOD, "", OPTIONAL }, { ", sasl_username=", KEY_SASL_USERNAME, "", OPTIONAL },
	    { ", orig_queue_id=", KEY_ORIG_ID, "", OPTIONAL }, { ", orig_client=", KEY_ORIG_CLIENT, "", OPTIONAL } },
	[EVENT_MESSAGE_ID]	= { { "", KEY_ID, ": message-id=", REQUIRED }, { "", KEY_MESSAGE_ID, "", REQUIRED } },
	[EVENT_QUEUED]		= { { "", KEY_ID, ": from=<", REQUIRED }, { "", KEY_FROM, ">, size=", REQUIRED },
	    { "", KEY_SIZE, ", nrcpt=", REQUIRED }, { "", KEY_NRCPT, " (queue active)", REQUIRED } },
	[EVENT_DELIVERY]	= { { "", KEY_ID, ": to=<", REQUIRED }, { "", KEY_TO, ">, ", REQUIRED }, { "orig_to=<", KEY_ORIG_TO, ">, ", OPTIONAL },
	    { "relay=", KEY_RELAY, ", ", REQUIRED }, { "delay=", KEY_DELAY, ", ", REQUIRED }, { "delays=", KEY_DELAYS, ", ", REQUIRED },
	    { "dsn=", KEY_STATUS, ", ", REQUIRED }, { "status=", KEY_ACTION, " ", REQUIRED }, { "(", KEY_TEXT, ")", REQUIRED } },
	[EVENT_NOTIFICATION]	= { { "", KEY_ID, ": ", REQUIRED }, { "", KEY_KIND, ": ", REQUIRED }, { "", KEY_NEW_ID, "", REQUIRED } },
	[EVENT_TOLD]		= { { "", KEY_ID, ": notification=", REQUIRED }, { "", KEY_NEW_ID, ", to=<", REQUIRED }, { "", KEY_TO, ">", REQUIRED },
	    { ", orig_to=<", KEY_ORIG_TO, ">", OPTIONAL } },
	[EVENT_UNTOLD]		= { { "", KEY_ID, ": no notification is wanted, to=<", REQUIRED }, { "", KEY_TO, ">", REQUIRED },
	    { ", orig_to=<", KEY_ORIG_TO, ">", OPTIONAL } },
	[EVENT_EXPIRED]		= { { "", KEY_ID, ": from=<", REQUIRED }, { "", KEY_FROM, ">, status=expired, returned to sender", REQUIRED } },
	[EVENT_REMOVED]		= { { "", KEY_ID, ": removed", REQUIRED } },
	[EVENT_OPERATOR]	= { { "", KEY_ID, ":", REQUIRED }, { " ", KEY_KIND, "", OPTIONAL }, { " ", KEY_TEXT, "", OPTIONAL } },
};

static const char *const level_words[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = "error: ", [LOG_LEVEL_WARN] = "warning: ", [LOG_LEVEL_DEBUG] = "debug: ",
};

static const int severities[LOG_LEVEL_COUNT] = {	/* RFC 5424 6.2.1 */
	[LOG_LEVEL_NONE] = 6, [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARN] = 4, [LOG_LEVEL_INFO] = 6, [LOG_LEVEL_DEBUG] = 7,
};

const char *
service_of_role(enum wire_role role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_MX] = "smtpd", [ROLE_TRUSTED] = "smtpd", [ROLE_SUBMISSION] = "smtpd", [ROLE_RELAY] = "relay", [ROLE_MDA] = "mda",
		[ROLE_LOOKUP] = "lookup", [ROLE_QUEUE] = "queue", [ROLE_SUPERVISOR] = "posthornd", [ROLE_LOGGER] = "logger",
		[ROLE_KEY] = "key", [ROLE_PAM] = "pam",
	};

	return names[role] == NULL ? "unknown" : names[role];
}

const char *
action_word(int64_t action)
{
	static const char *const words[ACTION_COUNT] = {
		[ACTION_DELIVERED] = "sent", [ACTION_RELAYED] = "sent", [ACTION_EXPANDED] = "sent",
		[ACTION_DELAYED] = "deferred", [ACTION_UNKNOWN] = "deferred", [ACTION_FAILED] = "bounced",
	};

	return action > ACTION_NONE && action < ACTION_COUNT ? words[action] : "unknown";
}

const struct log_field *
record_field(const struct log_record *r, enum log_key key)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (r->fields[i].key == key)
			return &r->fields[i];
	return NULL;
}

/* Two significant digits, as Postfix prints delays: 0.04, 0.3, 1.2, 17, 3605. */
static void
put_seconds(struct buf *out, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	if (ms >= 9950) {
		(void)buf_printf(out, "%lld", (long long)(ms + 500) / 1000);
		return;
	}
	ms = ms >= 995 ? (ms + 50) / 100 * 100 : (ms + 5) / 10 * 10;
	if (ms % 1000 == 0)
		(void)buf_printf(out, "%lld", (long long)ms / 1000);
	else if (ms % 100 == 0)
		(void)buf_printf(out, "%lld.%lld", (long long)ms / 1000, (long long)(ms % 1000) / 100);
	else
		(void)buf_printf(out, "%lld.%02lld", (long long)ms / 1000, (long long)(ms % 1000) / 10);
}

/* "12/3/0/400": milliseconds before the queue, in it, connecting, sending. */
static void
put_delays(struct buf *out, struct slice text)
{
	struct slice rest = text, one;
	uint64_t ms;

	while (rest.p != NULL) {
		one = slice_split(rest, '/', &rest);
		put_seconds(out, num_parse(one, INT64_MAX / 2, &ms) == 0 ? (int64_t)ms : 0);
		if (rest.p != NULL)
			(void)buf_putc(out, '/');
	}
}

/* Our own words were escaped where they took up foreign text: a second
 * time would double each backslash. Still nothing that could end a
 * line or drive a terminal passes, for the sender may be broken into. */
static void
put_words(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		const char *slash = memchr(text.p, '\\', text.len);
		size_t n = slash == NULL ? text.len : (size_t)(slash - text.p);

		fmt_escape(out, slice_of(text.p, n), 4 * n);
		slice_drop(&text, n);
		if (text.len > 0) {
			(void)buf_putc(out, '\\');
			slice_drop(&text, 1);
		}
	}
}

static size_t
field_most(enum log_key key)
{
	return key == KEY_FROM || key == KEY_TO || key == KEY_ORIG_TO ? ADDRESS_ESCAPED : FIELD_MAX;
}

static void
put_field(struct buf *out, const struct log_record *r, const struct log_field *f)
{
	char id[QUEUE_ID_LEN + 1], status[STATUS_PRINT_SIZE];

	switch (f->type) {
	case LOG_TYPE_ID:
		(void)buf_puts(out, queue_id_print((queue_id)f->number, id));
		break;
	case LOG_TYPE_STATUS:
		(void)buf_puts(out, status_print(f->status, status));
		break;
	case LOG_TYPE_NUMBER:
		if (f->key == KEY_ACTION)
			(void)buf_puts(out, action_word(f->number));
		else if (f->key == KEY_DELAY)
			put_seconds(out, f->number);
		else
			(void)buf_printf(out, "%lld", (long long)f->number);
		break;
	default:
		if (f->key == KEY_DELAYS)
			put_delays(out, f->text);
		else if (r->event == EVENT_TEXT)
			put_words(out, f->text);
		else
			fmt_show(out, f->text, field_most(f->key));
		break;
	}
}

static bool
is_empty(const struct log_field *f)
{
	return f == NULL || (f->type == LOG_TYPE_SLICE && f->text.len == 0) || (f->type == LOG_TYPE_ID && f->number == 0);
}

/* What stands there when a line needs a field that the event has not. */
static const char *
stand_in(const struct log_record *r, enum log_key key)
{
	const struct log_field *action;

	switch (key) {
	case KEY_ID:
		return "NOQUEUE";
	case KEY_RELAY:
		action = record_field(r, KEY_ACTION);
		return action != NULL && action->number == ACTION_DELIVERED ? "local" : "none";
	case KEY_CLIENT:
		return "unknown[unknown]";
	case KEY_MESSAGE_ID:
		return "<>";
	case KEY_DELAY:
		return "0";
	case KEY_DELAYS:
		return "0/0/0/0";
	default:
		return "";
	}
}

/* The address as the client gave it is worth words only where it became another. */
static bool
left_out(const struct log_record *r, const struct piece *p, const struct log_field *f)
{
	const struct log_field *to;

	if (p->need != OPTIONAL)
		return false;
	if (is_empty(f))
		return true;
	to = record_field(r, KEY_TO);
	return p->key == KEY_ORIG_TO && to != NULL && slice_eq(to->text, f->text);
}

static void
put_words_of(struct buf *out, const struct log_record *r)
{
	const struct piece *p = shapes[r->event];

	if (r->event == EVENT_TEXT && level_words[r->level] != NULL)
		(void)buf_puts(out, level_words[r->level]);
	for (size_t i = 0; i < PIECES_MAX && p[i].before != NULL; i++) {
		const struct log_field *f = record_field(r, p[i].key);

		if (left_out(r, &p[i], f))
			continue;
		(void)buf_puts(out, p[i].before);
		if (is_empty(f))
			(void)buf_puts(out, stand_in(r, p[i].key));
		else
			put_field(out, r, f);
		(void)buf_puts(out, p[i].after);
	}
}

/* "Nov 23 06:00:00", in local time; the same second is printed many times. */
static const char *
stamp_of(int64_t wall_ms)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	static char text[40];
	static int64_t last = -1;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };

	if (last == wall_ms / 1000)
		return text;
	last = wall_ms / 1000;
	(void)localtime_r(&seconds, &tm);
	(void)snprintf(text, sizeof(text), "%s %2d %02d:%02d:%02d", months[(unsigned)tm.tm_mon % 12], tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return text;
}

static void
put_front(struct buf *out, const struct line_style *style, const struct line_source *source, const struct log_record *r)
{
	uint32_t number = r->session != 0 ? r->session : (uint32_t)source->pid;

	if (style->stamp == STAMP_SYSLOG)
		(void)buf_printf(out, "<%d>%s ", FACILITY_MAIL | severities[r->level], stamp_of(r->wall_ms));
	else if (style->stamp == STAMP_HOST)
		(void)buf_printf(out, "%s %s ", stamp_of(r->wall_ms), style->host);
	(void)buf_printf(out, "%s/%s[%u]: ", style->name, service_of_role(source->role), (unsigned)number);
}

int
line_put(struct buf *out, const struct line_style *style, const struct line_source *source, const struct log_record *r)
{
	size_t before = buf_len(out);

	put_front(out, style, source, r);
	put_words_of(out, r);
	if (style->event_ids)
		(void)buf_printf(out, " event=%u.%llu", (unsigned)source->number, (unsigned long long)r->sequence);
	(void)buf_putc(out, '\n');
	if (!out->failed)
		return 0;
	buf_cut(out, before);
	out->failed = false;
	return -1;
}
