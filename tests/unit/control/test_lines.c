/*
 * test_lines — each event as the line that log readers know, and the regular expressions of those readers.
 *
 * The expressions are written down here as pflogsumm 1.1.5 and fail2ban 1.0.2 match them, in POSIX form.
 */
#include <regex.h>
#include <stdio.h>
#include <time.h>

#include "control/logger/json.h"
#include "control/logger/lines.h"
#include "tests/support/testing.h"

#include <jansson.h>

#define WALL_MS	INT64_C(1795413600123)		/* 2026-11-23 06:00:00.123 UTC */
#define ID	queue_id_of(1, 2)

static const struct line_source smtpd = { .role = ROLE_MX, .number = 12, .pid = 345 };
static const struct line_source queue = { .role = ROLE_QUEUE, .number = 3, .pid = 77 };

static const struct row {
	const struct line_source *who;
	struct log_record	  r;
	const char		 *line;		/* %s: the printed id */
} rows[] = {
	{ &smtpd, { .event = EVENT_CONNECT, .level = LOG_LEVEL_INFO, .session = 9, .count = 1,
	    .fields = { { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } } } },
	  "postfix/smtpd[9]: connect from mail.example.net[192.0.2.7]" },
	{ &smtpd, { .event = EVENT_DISCONNECT, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "ehlo=1 mail=1 commands=2", 24 } } } },
	  "postfix/smtpd[9]: disconnect from mail.example.net[192.0.2.7] ehlo=1 mail=1 commands=2" },
	{ &smtpd, { .event = EVENT_LOST, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "DATA", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } } } },
	  "postfix/smtpd[9]: lost connection after DATA from unknown[192.0.2.7]" },
	{ &smtpd, { .event = EVENT_TIMEOUT, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "RCPT", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } } } },
	  "postfix/smtpd[9]: timeout after RCPT from unknown[192.0.2.7]" },
	{ &smtpd, { .event = EVENT_TOO_MANY_ERRORS, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "RCPT", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } } } },
	  "postfix/smtpd[9]: too many errors after RCPT from unknown[192.0.2.7]" },
	{ &smtpd, { .event = EVENT_IMPROPER_PIPELINING, .level = LOG_LEVEL_INFO, .session = 9, .count = 3,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "EHLO", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "QUIT\r\n", 6 } } } },
	  "postfix/smtpd[9]: improper command pipelining after EHLO from unknown[192.0.2.7]: QUIT\\x0d\\x0a" },
	{ &smtpd, { .event = EVENT_REJECT, .level = LOG_LEVEL_INFO, .session = 9, .count = 7,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "RCPT", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "554 5.7.1 <x@example.com>: Relay access denied", 46 } },
	    { .key = KEY_FROM, .type = LOG_TYPE_SLICE, .text = { "", 0 } },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "x@example.com", 13 } },
	    { .key = KEY_PROTO, .type = LOG_TYPE_SLICE, .text = { "ESMTP", 5 } },
	    { .key = KEY_HELO, .type = LOG_TYPE_SLICE, .text = { "a\nb", 3 } } } },
	  "postfix/smtpd[9]: NOQUEUE: reject: RCPT from mail.example.net[192.0.2.7]: 554 5.7.1 <x@example.com>: Relay access "
	  "denied; from=<> to=<x@example.com> proto=ESMTP helo=<a\\x0ab>" },
	{ &smtpd, { .event = EVENT_REJECT_WARNING, .level = LOG_LEVEL_INFO, .session = 9, .count = 4,
	    .fields = { { .key = KEY_COMMAND, .type = LOG_TYPE_SLICE, .text = { "MAIL", 4 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "553 5.7.1 <e@x.example>: no", 27 } },
	    { .key = KEY_FROM, .type = LOG_TYPE_SLICE, .text = { "e@x.example", 11 } } } },
	  "postfix/smtpd[9]: NOQUEUE: reject_warning: MAIL from unknown[192.0.2.7]: 553 5.7.1 <e@x.example>: no; from=<e@x.example>" },
	{ &smtpd, { .event = EVENT_TLS, .level = LOG_LEVEL_INFO, .session = 9, .count = 3,
	    .fields = { { .key = KEY_KIND, .type = LOG_TYPE_SLICE, .text = { "Anonymous TLS connection established from", 41 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", 57 } } } },
	  "postfix/smtpd[9]: Anonymous TLS connection established from mail.example.net[192.0.2.7]: "
	  "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)" },
	{ &smtpd, { .event = EVENT_TLS_FAILED, .level = LOG_LEVEL_INFO, .session = 9, .count = 3,
	    .fields = { { .key = KEY_KIND, .type = LOG_TYPE_SLICE, .text = { "SSL_accept error from", 21 } },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "unsupported protocol", 20 } } } },
	  "postfix/smtpd[9]: SSL_accept error from mail.example.net[192.0.2.7]: unsupported protocol" },
	{ &smtpd, { .event = EVENT_CLIENT, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "mail.example.net[192.0.2.7]", 27 } } } },
	  "postfix/smtpd[9]: %s: client=mail.example.net[192.0.2.7]" },
	{ &smtpd, { .event = EVENT_CLIENT, .level = LOG_LEVEL_INFO, .session = 9, .count = 4,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_CLIENT, .type = LOG_TYPE_SLICE, .text = { "unknown[192.0.2.7]", 18 } },
	    { .key = KEY_SASL_METHOD, .type = LOG_TYPE_SLICE, .text = { "PLAIN", 5 } },
	    { .key = KEY_SASL_USERNAME, .type = LOG_TYPE_SLICE, .text = { "bob\n", 4 } } } },
	  "postfix/smtpd[9]: %s: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username=bob\\x0a" },
	{ &smtpd, { .event = EVENT_MESSAGE_ID, .level = LOG_LEVEL_INFO, .session = 9, .count = 2,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_MESSAGE_ID, .type = LOG_TYPE_SLICE, .text = { "<1@example.net>", 15 } } } },
	  "postfix/smtpd[9]: %s: message-id=<1@example.net>" },
	{ &queue, { .event = EVENT_QUEUED, .level = LOG_LEVEL_INFO, .count = 4,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_FROM, .type = LOG_TYPE_SLICE, .text = { "a@example.net", 13 } },
	    { .key = KEY_SIZE, .type = LOG_TYPE_NUMBER, .number = 4321 }, { .key = KEY_NRCPT, .type = LOG_TYPE_NUMBER, .number = 2 } } },
	  "postfix/queue[77]: %s: from=<a@example.net>, size=4321, nrcpt=2 (queue active)" },
	{ &queue, { .event = EVENT_DELIVERY, .level = LOG_LEVEL_INFO, .count = 8,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "b@example.com", 13 } },
	    { .key = KEY_RELAY, .type = LOG_TYPE_SLICE, .text = { "mx.example.com[198.51.100.3]:25", 31 } },
	    { .key = KEY_DELAY, .type = LOG_TYPE_NUMBER, .number = 1234 },
	    { .key = KEY_DELAYS, .type = LOG_TYPE_SLICE, .text = { "34/0/200/1000", 13 } },
	    { .key = KEY_STATUS, .type = LOG_TYPE_STATUS, .status = { 2, 0, 0 } },
	    { .key = KEY_ACTION, .type = LOG_TYPE_NUMBER, .number = ACTION_RELAYED },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "250 2.0.0 Ok: queued as 1F", 26 } } } },
	  "postfix/queue[77]: %s: to=<b@example.com>, relay=mx.example.com[198.51.100.3]:25, delay=1.2, delays=0.03/0/0.2/1, "
	  "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1F)" },
	{ &queue, { .event = EVENT_DELIVERY, .level = LOG_LEVEL_INFO, .count = 9,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "root@example.org", 16 } },
	    { .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { "postmaster@example.org", 22 } },
	    { .key = KEY_RELAY, .type = LOG_TYPE_SLICE, .text = { "", 0 } },
	    { .key = KEY_DELAY, .type = LOG_TYPE_NUMBER, .number = 3605000 },
	    { .key = KEY_DELAYS, .type = LOG_TYPE_SLICE, .text = { "0/3605000/0/0", 13 } },
	    { .key = KEY_STATUS, .type = LOG_TYPE_STATUS, .status = { 4, 4, 1 } },
	    { .key = KEY_ACTION, .type = LOG_TYPE_NUMBER, .number = ACTION_DELAYED },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "no route", 8 } } } },
	  "postfix/queue[77]: %s: to=<root@example.org>, orig_to=<postmaster@example.org>, relay=none, delay=3605, "
	  "delays=0/3605/0/0, dsn=4.4.1, status=deferred (no route)" },
	{ &queue, { .event = EVENT_DELIVERY, .level = LOG_LEVEL_INFO, .count = 6,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "b@example.org", 13 } },
	    { .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { "b@example.org", 13 } },	/* the same: not told */
	    { .key = KEY_STATUS, .type = LOG_TYPE_STATUS, .status = { 5, 1, 1 } },
	    { .key = KEY_ACTION, .type = LOG_TYPE_NUMBER, .number = ACTION_FAILED },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "unknown user", 12 } } } },
	  "postfix/queue[77]: %s: to=<b@example.org>, relay=none, delay=0, delays=0/0/0/0, dsn=5.1.1, status=bounced "
	  "(unknown user)" },
	{ &queue, { .event = EVENT_NOTIFICATION, .level = LOG_LEVEL_INFO, .count = 3,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_NEW_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_KIND, .type = LOG_TYPE_SLICE, .text = { "sender non-delivery notification", 32 } } } },
	  "postfix/queue[77]: %s: sender non-delivery notification: %s" },
	{ &queue, { .event = EVENT_TOLD, .level = LOG_LEVEL_INFO, .count = 4,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_NEW_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "root@example.org", 16 } },
	    { .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { "postmaster@example.org", 22 } } } },
	  "postfix/queue[77]: %s: notification=%s, to=<root@example.org>, orig_to=<postmaster@example.org>" },
	{ &queue, { .event = EVENT_UNTOLD, .level = LOG_LEVEL_INFO, .count = 3,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { "root@example.org", 16 } },
	    { .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { "postmaster@example.org", 22 } } } },
	  "postfix/queue[77]: %s: no notification is wanted, to=<root@example.org>, orig_to=<postmaster@example.org>" },
	{ &queue, { .event = EVENT_EXPIRED, .level = LOG_LEVEL_INFO, .count = 2,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_FROM, .type = LOG_TYPE_SLICE, .text = { "a@example.net", 13 } } } },
	  "postfix/queue[77]: %s: from=<a@example.net>, status=expired, returned to sender" },
	{ &queue, { .event = EVENT_REMOVED, .level = LOG_LEVEL_INFO, .count = 1,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 } } },
	  "postfix/queue[77]: %s: removed" },
	{ &queue, { .event = EVENT_OPERATOR, .level = LOG_LEVEL_INFO, .count = 2,
	    .fields = { { .key = KEY_ID, .type = LOG_TYPE_ID, .number = (int64_t)1 << 32 | 2 },
	    { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "placed on hold", 14 } } } },
	  "postfix/queue[77]: %s: placed on hold" },
	{ &queue, { .event = EVENT_TEXT, .level = LOG_LEVEL_WARN, .count = 1,
	    .fields = { { .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { "already \\x0a escaped\nby hand", 28 } } } },
	  "postfix/queue[77]: warning: already \\x0a escaped\\x0aby hand" },
};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static const struct {
	enum log_event	event;
	const char	*regex;
} readers[] = {
	/* pflogsumm: the front of every line that carries a queue id, then its kinds of line */
	{ EVENT_DELIVERY, "^postfix(/(smtps|submission))?/([^:[]*).*: ([^:[:space:]]+): "
	    "to=<([^>]*)>, (orig_to=<[^>]*>, )?relay=([^,]+), (conn_use=[^,]+, )?delay=([^,]+), (delays=[^,]+, )?(dsn=[^,]+, )?status=([^ ]+)(.*)$" },
	{ EVENT_QUEUED, "from=<([^>]*)>, size=([0-9]+)" },
	{ EVENT_CLIENT, ": [A-Za-z0-9_]+: client=(.+)(,|$)" },
	{ EVENT_REMOVED, "^postfix/[^:[]+\\[[0-9]+\\]: ([0-9A-Z]+): removed$" },
	/* fail2ban's postfix filter: daemon, then its patterns; <HOST> is an address in brackets */
	{ EVENT_REJECT, "^postfix(-[A-Za-z0-9_]+)?/[A-Za-z0-9_]+(/smtp[ds])?\\[[0-9]+\\]: NOQUEUE: reject: [A-Z]{4} from "
	    "[^[]*\\[[0-9a-f.:]+\\]: [45][50][04] [45]\\.[0-9]\\.[0-9]+ " },
	{ EVENT_LOST, "\\]: lost connection after (DATA|AUTH|UNKNOWN) from [^[]*\\[[0-9a-f.:]+\\]" },
	{ EVENT_TOO_MANY_ERRORS, "\\]: too many errors after [A-Z]+ from [^[]*\\[[0-9a-f.:]+\\]" },
	{ EVENT_IMPROPER_PIPELINING, "\\]: improper command pipelining after [A-Z]+ from [^[]*\\[[0-9a-f.:]+\\]" },
	{ EVENT_NOTIFICATION, ": [0-9A-Z]+: sender (non-delivery|delay) notification: [0-9A-Z]+$" },
};

static const char *
print(char *out, size_t size, const struct line_style *style, size_t i)
{
	struct log_record r = rows[i].r;
	struct buf b;

	r.sequence = 1000 + i;
	r.wall_ms = WALL_MS;
	buf_init(&b, 8192);
	assert_int_equal(line_put(&b, style, rows[i].who, &r), 0);
	assert_int_equal(buf_slice(&b).p[buf_len(&b) - 1], '\n');
	(void)snprintf(out, size, "%.*s", (int)buf_len(&b) - 1, buf_slice(&b).p);
	buf_fini(&b);
	return out;
}

/* Puts the printed id where a row has %s. */
static const char *
wanted(char *out, size_t size, const char *line)
{
	char id[QUEUE_ID_LEN + 1];
	const char *at;
	size_t n = 0;

	(void)queue_id_print(ID, id);
	out[0] = '\0';
	while ((at = strstr(line, "%s")) != NULL) {
		n += (size_t)snprintf(out + n, size - n, "%.*s%s", (int)(at - line), line, id);
		line = at + 2;
	}
	(void)snprintf(out + n, size - n, "%s", line);
	return out;
}

static void
test_lines(void **state)
{
	const struct line_style plain = { .name = "postfix", .host = "mx", .stamp = STAMP_NONE };
	char got[2048], want[2048];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		(void)print(got, sizeof(got), &plain, i);
		assert_string_equal(got, wanted(want, sizeof(want), rows[i].line));
		assert_null(strchr(got, '\n'));
	}
}

static void
test_every_event_has_a_row(void **state)
{
	(void)state;
	for (int event = EVENT_NONE + 1; event < EVENT_COUNT; event++) {
		size_t i = 0;

		while (i < ROWS && rows[i].r.event != (enum log_event)event)
			i++;
		assert_true(i < ROWS);
	}
}

static void
test_readers(void **state)
{
	const struct line_style plain = { .name = "postfix", .host = "mx", .stamp = STAMP_NONE };
	char line[2048];
	regex_t regex;

	(void)state;
	for (size_t k = 0; k < sizeof(readers) / sizeof(readers[0]); k++) {
		assert_int_equal(regcomp(&regex, readers[k].regex, REG_EXTENDED | REG_NOSUB), 0);
		for (size_t i = 0; i < ROWS; i++)
			if (rows[i].r.event == readers[k].event &&
			    regexec(&regex, print(line, sizeof(line), &plain, i), 0, NULL, 0) != 0)
				fail_msg("reader %zu does not know the line %s", k, line);
		regfree(&regex);
	}
}

static void
test_stamps(void **state)
{
	const struct line_style file = { .name = "postfix", .host = "mx.example.org", .stamp = STAMP_HOST, .event_ids = true };
	const struct line_style syslog = { .name = "posthorn", .host = "mx.example.org", .stamp = STAMP_SYSLOG };
	char line[2048];

	(void)state;
	assert_string_equal(print(line, sizeof(line), &file, 0),
	    "Nov 23 06:00:00 mx.example.org postfix/smtpd[9]: connect from mail.example.net[192.0.2.7] event=12.1000");
	assert_string_equal(print(line, sizeof(line), &syslog, 0),
	    "<22>Nov 23 06:00:00 posthorn/smtpd[9]: connect from mail.example.net[192.0.2.7]");
	assert_int_equal(strncmp(print(line, sizeof(line), &syslog, ROWS - 1), "<20>", 4), 0);	/* a warning */
}

/* A line that finds no room is left out whole. */
static void
test_no_room(void **state)
{
	const struct line_style plain = { .name = "postfix", .host = "mx", .stamp = STAMP_NONE };
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(line_put(&b, &plain, rows[0].who, &rows[0].r), 0);
	assert_int_equal(line_put(&b, &plain, rows[0].who, &rows[0].r), -1);
	assert_int_equal(buf_slice(&b).p[buf_len(&b) - 1], '\n');
	assert_int_equal(json_put(&b, rows[0].who, &rows[0].r), -1);
	assert_false(b.failed);
	buf_fini(&b);
}

static const char *
member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "(none)" : text;
}

/* Every row is one valid object on one line, with the facts of the line. */
static void
test_json(void **state)
{
	char id[QUEUE_ID_LEN + 1];
	struct log_record r;
	json_error_t error;
	json_t *object;
	struct buf b;

	(void)state;
	(void)queue_id_print(ID, id);
	for (size_t i = 0; i < ROWS; i++) {
		r = rows[i].r;
		r.sequence = 5;
		r.wall_ms = WALL_MS;
		buf_init(&b, 8192);
		assert_int_equal(json_put(&b, rows[i].who, &r), 0);
		assert_ptr_equal(memchr(buf_slice(&b).p, '\n', buf_len(&b)), buf_slice(&b).p + buf_len(&b) - 1);
		object = json_loadb(buf_slice(&b).p, buf_len(&b), 0, &error);
		assert_non_null(object);
		assert_string_equal(member(object, "time"), "2026-11-23T06:00:00.123Z");
		assert_string_equal(member(object, "id"), rows[i].who == &smtpd ? "12.5" : "3.5");
		if (record_field(&r, KEY_ID) != NULL)
			assert_string_equal(member(object, "queue_id"), id);
		if (r.event == EVENT_DELIVERY)
			assert_string_equal(member(object, "status"), action_word(record_field(&r, KEY_ACTION)->number));
		json_decref(object);
		buf_fini(&b);
	}
}

static void
test_json_bytes(void **state)
{
	struct log_record r = { .event = EVENT_CONNECT, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 1 };
	json_t *object;
	struct buf b;

	(void)state;
	r.fields[0] = LOG_SLICE(KEY_CLIENT, SLICE_LIT("a\xff\"b\n"));
	buf_init(&b, 8192);
	assert_int_equal(json_put(&b, &smtpd, &r), 0);
	object = json_loadb(buf_slice(&b).p, buf_len(&b), 0, NULL);
	assert_non_null(object);
	assert_string_equal(member(object, "client"), "a\\xff\"b\\x0a");
	json_decref(object);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_every_event_has_a_row), cmocka_unit_test(test_readers),
		cmocka_unit_test(test_stamps), cmocka_unit_test(test_no_room), cmocka_unit_test(test_json), cmocka_unit_test(test_json_bytes),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
