/* logline: what the logger writes is what an audit reads, in either shape; and what strangers say in it counts for nothing. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <time.h>

#include "base/fmt.h"
#include "control/logger/json.h"
#include "queue/archive/book.h"
#include "queue/archive/logline.h"
#include "wire/fields.h"

#define WALL_MS		INT64_C(1795413600250)	/* 2026-11-23 06:00:00.25 */
#define ID		UINT64_C(0x0000000800000001)
#define NEW_ID		UINT64_C(0x0000000800000002)
#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))

static struct logline line;

/* --- round trips -------------------------------------------------------------------------------- */

struct trip {
	const char		*name;
	struct log_record	 record;
	enum logline_kind	 kind;
	const char		*from, *to, *original;
	int64_t			 delay_ms;
};

#define DELIVERY(address, orig, action, words) { .event = EVENT_DELIVERY, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 8, .fields = { \
	LOG_ID(KEY_ID, ID), { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { address, sizeof(address) - 1 } }, \
	{ .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { orig, sizeof(orig) - 1 } }, \
	{ .key = KEY_RELAY, .type = LOG_TYPE_SLICE, .text = { "mx.example.net[192.0.2.1]:25", 28 } }, LOG_NUM(KEY_DELAY, 1200), \
	{ .key = KEY_DELAYS, .type = LOG_TYPE_SLICE, .text = { "1000/200/0/0", 12 } }, LOG_NUM(KEY_ACTION, action), \
	{ .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { words, sizeof(words) - 1 } } } }
#define QUEUED(sender) { .event = EVENT_QUEUED, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 4, .fields = { LOG_ID(KEY_ID, ID), \
	{ .key = KEY_FROM, .type = LOG_TYPE_SLICE, .text = { sender, sizeof(sender) - 1 } }, LOG_NUM(KEY_SIZE, 99), LOG_NUM(KEY_NRCPT, 3) } }
#define NOTICE(words) { .event = EVENT_NOTIFICATION, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 3, .fields = { LOG_ID(KEY_ID, ID), \
	LOG_ID(KEY_NEW_ID, NEW_ID), { .key = KEY_KIND, .type = LOG_TYPE_SLICE, .text = { words, sizeof(words) - 1 } } } }
#define TOLD(address, orig) { .event = EVENT_TOLD, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 4, .fields = { LOG_ID(KEY_ID, ID), \
	LOG_ID(KEY_NEW_ID, NEW_ID), { .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { address, sizeof(address) - 1 } }, \
	{ .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { orig, sizeof(orig) - 1 } } } }
#define UNTOLD(address, orig) { .event = EVENT_UNTOLD, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 3, .fields = { LOG_ID(KEY_ID, ID), \
	{ .key = KEY_TO, .type = LOG_TYPE_SLICE, .text = { address, sizeof(address) - 1 } }, \
	{ .key = KEY_ORIG_TO, .type = LOG_TYPE_SLICE, .text = { orig, sizeof(orig) - 1 } } } }
#define OPERATOR(words) { .event = EVENT_OPERATOR, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 2, .fields = { LOG_ID(KEY_ID, ID), \
	{ .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { words, sizeof(words) - 1 } } } }
#define DROPPED(words) { .event = EVENT_TEXT, .level = LOG_LEVEL_WARN, .wall_ms = WALL_MS, .count = 1, .fields = { \
	{ .key = KEY_TEXT, .type = LOG_TYPE_SLICE, .text = { words, sizeof(words) - 1 } } } }
#define REMOVED { .event = EVENT_REMOVED, .level = LOG_LEVEL_INFO, .wall_ms = WALL_MS, .count = 1, .fields = { LOG_ID(KEY_ID, ID) } }

static const struct trip trips[] = {
	{ "queued", QUEUED("a@example.org"), LOGLINE_QUEUED, "a@example.org", "", "", 0 },
	{ "from nobody", QUEUED(""), LOGLINE_QUEUED, "", "", "", 0 },
	{ "a sender who looks like an end", QUEUED("\">, size=1, nrcpt=9 (queue active)\"@x.test"), LOGLINE_QUEUED,
	  "\">, size=1, nrcpt=9 (queue active)\"@x.test", "", "", 0 },
	{ "relayed", DELIVERY("b@x.test", "", ACTION_RELAYED, "250 ok"), LOGLINE_SENT, "", "b@x.test", "", 1200 },
	{ "delivered", DELIVERY("b@x.test", "b@x.test", ACTION_DELIVERED, "delivered to maildir"), LOGLINE_SENT, "", "b@x.test", "", 1200 },
	{ "another name", DELIVERY("b@x.test", "c@x.test", ACTION_RELAYED, "ok"), LOGLINE_SENT, "", "b@x.test", "c@x.test", 1200 },
	{ "expanded", DELIVERY("b@x.test", "", ACTION_EXPANDED, "expanded"), LOGLINE_EXPANDED, "", "b@x.test", "", 1200 },
	{ "bounced", DELIVERY("b@x.test", "", ACTION_FAILED, "550 no"), LOGLINE_BOUNCED, "", "b@x.test", "", 1200 },
	{ "deferred", DELIVERY("b@x.test", "", ACTION_DELAYED, "450 later"), LOGLINE_DEFERRED, "", "b@x.test", "", 1200 },
	{ "unknown", DELIVERY("b@x.test", "", ACTION_UNKNOWN, "lost"), LOGLINE_DEFERRED, "", "b@x.test", "", 1200 },
	{ "a zero from a next hop", DELIVERY("b@x.test", "", ACTION_FAILED, "550 n\0o"), LOGLINE_BOUNCED, "", "b@x.test", "", 1200 },
	{ "words of a next hop", DELIVERY("b@x.test", "", ACTION_DELAYED, "450, status=sent (ok)"), LOGLINE_DEFERRED, "", "b@x.test", "", 1200 },
	{ "quoted", DELIVERY("\"a>, relay=x\"@x.test", "", ACTION_RELAYED, "ok"), LOGLINE_SENT, "", "\"a>, relay=x\"@x.test", "", 1200 },
	{ "a quoted quote", DELIVERY("\"\\\">, \"@x.test", "", ACTION_RELAYED, "ok"), LOGLINE_SENT, "", "\"\\\\\">, \"@x.test", "", 1200 },
	{ "a quoted backslash", DELIVERY("\"\\\\\"@x.test", "", ACTION_RELAYED, "ok"), LOGLINE_SENT, "", "\"\\\\\\\\\"@x.test", "", 1200 },
	{ "backslash and quote", DELIVERY("\"\\\\\\\">, \"@x.test", "", ACTION_RELAYED, "ok"), LOGLINE_SENT, "",
	  "\"\\\\\\\\\\\\\">, \"@x.test", "", 1200 },
	{ "outside ASCII", DELIVERY("b\303\266b@x.test", "\303\226@x.test", ACTION_RELAYED, "ok"), LOGLINE_SENT, "", "b\303\266b@x.test",
	  "\303\226@x.test", 1200 },
	{ "told", TOLD("b@x.test", ""), LOGLINE_NOTIFIED, "", "b@x.test", "", 0 },
	{ "told, the same", TOLD("b@x.test", "b@x.test"), LOGLINE_NOTIFIED, "", "b@x.test", "", 0 },
	{ "told of another name", TOLD("b@x.test", "c@x.test"), LOGLINE_NOTIFIED, "", "b@x.test", "c@x.test", 0 },
	{ "told, quoted", TOLD("\">, orig_to=<d@x.test>\"@x.test", "c@x.test"), LOGLINE_NOTIFIED, "", "\">, orig_to=<d@x.test>\"@x.test",
	  "c@x.test", 0 },
	{ "not to be told", UNTOLD("b@x.test", ""), LOGLINE_UNWANTED, "", "b@x.test", "", 0 },
	{ "not to be told of another name", UNTOLD("\">, \"@x.test", "c@x.test"), LOGLINE_UNWANTED, "", "\">, \"@x.test", "c@x.test", 0 },
	{ "a notification", NOTICE("sender non-delivery notification"), LOGLINE_NONE, "", "", "", 0 },
	{ "warned", NOTICE("sender delay notification"), LOGLINE_NONE, "", "", "", 0 },
	{ "deleted", OPERATOR("removed by an operator"), LOGLINE_DELETED, "", "", "", 0 },
	{ "held", OPERATOR("placed on hold"), LOGLINE_NONE, "", "", "", 0 },
	{ "removed", REMOVED, LOGLINE_REMOVED, "", "", "", 0 },
	{ "dropped", DROPPED("3 lines of this process were dropped before this one"), LOGLINE_DROPPED, "", "", "", 0 },
	{ "stuck", DROPPED("the log target was stuck: 3 lines were dropped"), LOGLINE_DROPPED, "", "", "", 0 },
	{ "other words", DROPPED("3 lines long"), LOGLINE_NONE, "", "", "", 0 },
};

static void
check(const struct trip *t)
{
	assert_int_equal(line.kind, t->kind);
	assert_int_equal(line.at_ms / 1000, WALL_MS / 1000);
	if (t->kind == LOGLINE_NONE)
		return;
	assert_int_equal(line.id, t->kind == LOGLINE_DROPPED ? 0 : ID);
	assert_int_equal(line.new_id, t->kind == LOGLINE_NOTIFIED ? NEW_ID : 0);
	assert_int_equal(line.recipients, t->kind == LOGLINE_QUEUED || t->kind == LOGLINE_DROPPED ? 3 : 0);
	assert_int_equal(line.delay_ms, t->delay_ms);
	assert_slice(line.from, t->from);
	assert_slice(line.to, t->to);
	assert_slice(line.original, t->original);
}

static void
test_round_trips(void **state)
{
	static const struct line_style styles[] = {
		{ .name = "postfix", .host = "mx", .stamp = STAMP_HOST }, { .name = "posthorn", .host = "mx", .stamp = STAMP_HOST, .event_ids = true },
	};
	const struct line_source queue = { .role = ROLE_QUEUE, .number = 3, .pid = 77 };
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	for (size_t i = 0; i < COUNT(trips); i++)
		for (size_t s = 0; s <= COUNT(styles); s++) {
			ROW(i, trips[i].name);
			buf_reset(&b);
			assert_int_equal(s < COUNT(styles) ? line_put(&b, &styles[s], &queue, &trips[i].record) :
			    json_put(&b, &queue, &trips[i].record), 0);
			logline_read(&line, slice_of(buf_slice(&b).p, buf_len(&b) - 1), 2026);
			check(&trips[i]);
		}
	buf_fini(&b);
}

/* As long as an address may be, with bytes that are escaped: what the log has of it is what the disk's is. */
static void
test_long_addresses(void **state)
{
	static const char *const units[] = { "a", "\303\251", "\\", "\342\202\254", "\342\200\256" };
	static char to[ADDRESS_FIELD_MAX], original[ADDRESS_FIELD_MAX], words[LOG_TEXT_MAX];
	static char to_wanted[4 * ADDRESS_FIELD_MAX + 1], original_wanted[4 * ADDRESS_FIELD_MAX + 1];
	const struct line_style style = { .name = "postfix", .host = "mx.example.org", .stamp = STAMP_HOST, .event_ids = true };
	const struct line_source queue = { .role = ROLE_QUEUE, .number = 3, .pid = 77 };
	struct log_record r = DELIVERY("", "", ACTION_RELAYED, "");
	struct book book;
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	book_init(&book);
	memset(words, '\x01', sizeof(words));
	r.fields[7].text = slice_of(words, sizeof(words));
	for (size_t i = 0; i < COUNT(units); i++)
		for (int json = 0; json < 2; json++) {
			size_t unit = strlen(units[i]), n = sizeof(to) / unit * unit;

			ROW(i, units[i]);
			for (size_t at = 0; at < n; at++) {
				to[at] = units[i][at % unit];
				original[at] = at < unit ? 'o' : to[at];
			}
			r.fields[1].text = slice_of(to, n);
			r.fields[2].text = slice_of(original, n);
			buf_reset(&b);
			assert_int_equal(json ? json_put(&b, &queue, &r) : line_put(&b, &style, &queue, &r), 0);
			assert_true(json || buf_len(&b) < 8192);
			logline_read(&line, slice_of(buf_slice(&b).p, buf_len(&b) - 1), 2026);
			assert_int_equal(line.kind, LOGLINE_SENT);
			assert_slice(line.to, fmt_shown(to_wanted, sizeof(to_wanted), slice_of(to, n)));
			assert_slice(line.original, fmt_shown(original_wanted, sizeof(original_wanted), slice_of(original, n)));
			assert_ptr_equal(book_holder(&book, book_leaf(&book, ID), line.to, line.original),
			    book_holder(&book, book_leaf(&book, ID), slice_str(to_wanted), slice_str(original_wanted)));
		}
	book_fini(&book);
	buf_fini(&b);
}

/* --- lines of others ---------------------------------------------------------------------------- */

#define TAIL	"0000000800001: removed"

static void
test_fronts(void **state)
{
	static const struct { const char *text; enum logline_kind kind; int64_t at_ms; } rows[] = {
		{ "Nov 23 06:00:00 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600000 },
		{ "Nov  3 06:00:00 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1793685600000 },
		{ "2026-11-23T06:00:00.250Z mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600250 },
		{ "2026-11-23T07:00:00.250123+01:00 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600250 },
		{ "2026-11-23T07:30:00+0130 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600000 },
		{ "2026-11-22T22:30:00-0730 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600000 },
		{ "2026-11-23T06:00:00 mx postfix/queue[7]: " TAIL, LOGLINE_REMOVED, 1795413600000 },
		{ "postfix/queue[7]: " TAIL, LOGLINE_REMOVED, -1 },
		{ "Nov 23 06:00:00 mx postfix/smtpd[7]: " TAIL, LOGLINE_NONE, 1795413600000 },
		{ "Nov 23 06:00:00 mx postfix/smtpd[7]: x/queue[1]: " TAIL, LOGLINE_NONE, 1795413600000 },
		{ "Nov 23 06:00:00 postfix/queue[7]: " TAIL, LOGLINE_NONE, 1795413600000 },
		{ "Xov 23 06:00:00 mx postfix/queue[7]: " TAIL, LOGLINE_NONE, -1 },
		{ "Nov 23 06:00:00 mx postfix/queue[7]: removed", LOGLINE_NONE, 1795413600000 },
		{ "Nov 23 06:00:00 mx postfix/queue[7]: 0000000800001: from=<a", LOGLINE_NONE, 1795413600000 },
		{ "Nov 23 06:00:00 mx postfix/queue[7]: 0000000800001: from=<a>, size=1, nrcpt=99999999999 (queue active)", LOGLINE_NONE,
		  1795413600000 },
		{ "{}", LOGLINE_NONE, -1 }, { "{", LOGLINE_NONE, -1 }, { "{\"event\":\"removed\"}", LOGLINE_NONE, -1 },
		{ "{\"event\":\"removed\",\"queue_id\":\"0000000800001\",\"time\":\"2026-11-23T06:00:00.250Z\"}", LOGLINE_REMOVED, 1795413600250 },
		{ "Nov 23 07:00:00 mx {\"event\": \"removed\",\"queue_id\":\"0000000800001\",\"time\":\"2026-11-23T06:00:00.250Z\"}", LOGLINE_REMOVED,
		  1795413600250 },
		{ "Nov 23 06:00:00 mx x: {\"event\":\"removed\",\"queue_id\":\"0000000800001\"}", LOGLINE_NONE, 1795413600000 },
		{ "", LOGLINE_NONE, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ROW(i, rows[i].text);
		logline_read(&line, slice_str(rows[i].text), 2026);
		assert_int_equal(line.kind, rows[i].kind);
		assert_int_equal(line.at_ms, rows[i].at_ms);
		if (line.kind != LOGLINE_NONE)
			assert_slice(line.host, strstr(rows[i].text, " mx ") != NULL ? "mx" : "");
	}
}

/* --- the book ----------------------------------------------------------------------------------- */

static void
test_sums(void **state)
{
	static const struct {
		const char *name;
		uint32_t recipients;
		bool deleted, on_disk;
		struct { enum share log, disk; } holders[3];
		uint64_t missing, queued, delivered, bounced, deleted_too, again;
	} rows[] = {
		{ "nobody knows", 2, false, false, { { SHARE_NONE, SHARE_NONE } }, 2, 0, 0, 0, 0, 0 },
		{ "one of each", 3, false, true, { { SHARE_DELIVERED, SHARE_DELIVERED }, { SHARE_BOUNCED, SHARE_BOUNCED },
		  { SHARE_NONE, SHARE_QUEUED } }, 0, 1, 1, 1, 0, 0 },
		{ "the log lost an end that the disk has", 1, false, true, { { SHARE_NONE, SHARE_DELIVERED } }, 0, 0, 1, 0, 0, 0 },
		{ "only deferred, and gone", 1, false, false, { { SHARE_NONE, SHARE_NONE } }, 1, 0, 0, 0, 0, 0 },
		{ "deleted", 2, true, false, { { SHARE_DELIVERED, SHARE_NONE } }, 0, 0, 1, 0, 1, 0 },
		{ "deleted, but still there without him", 2, true, true, { { SHARE_NONE, SHARE_QUEUED } }, 1, 1, 0, 0, 0, 0 },
		{ "delivered, and will be again", 1, false, true, { { SHARE_DELIVERED, SHARE_QUEUED } }, 0, 0, 1, 0, 0, 1 },
	};
	char name[2] = "a";
	struct holder *h;
	struct book b;
	struct sums s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct leaf *l;

		ROW(i, rows[i].name);
		book_init(&b);
		l = book_leaf(&b, ID);
		assert_ptr_equal(book_leaf(&b, ID), l);
		assert_null(book_find(&b, NEW_ID));
		l->recipients = rows[i].recipients;
		l->deleted = rows[i].deleted;
		l->on_disk = rows[i].on_disk;
		for (int k = 0; k < 3; k++) {
			name[0] = (char)('a' + k);
			h = book_holder(&b, l, slice_str(name), slice_of("", 0));
			assert_ptr_equal(book_holder(&b, l, slice_str(name), slice_of("", 0)), h);
			assert_ptr_not_equal(book_holder(&b, l, slice_of("", 0), slice_str(name)), h);
			h->log = rows[i].holders[k].log;
			h->disk = rows[i].holders[k].disk;
		}
		book_sum(&b, l, &s);
		assert_int_equal(s.share[SHARE_NONE], rows[i].missing);
		assert_int_equal(s.share[SHARE_QUEUED], rows[i].queued);
		assert_int_equal(s.share[SHARE_DELIVERED], rows[i].delivered);
		assert_int_equal(s.share[SHARE_BOUNCED], rows[i].bounced);
		assert_int_equal(s.share[SHARE_DELETED], rows[i].deleted_too);
		assert_int_equal(s.again, rows[i].again);
		book_fini(&b);
	}
}

/* Two that failed at different times have two notifications: one of them says nothing of the other. */
static void
test_tellings(void **state)
{
	static const struct {
		const char *name;
		bool deleted, made, owed, accepted, on_disk;	/* made: the log names a notification, which itself is: */
		enum share disk;
		enum telling telling;
		bool unwanted;
	} rows[] = {
		{ "nobody was told", false, false, false, false, false, SHARE_BOUNCED, TELLING_NONE, false },
		{ "told", false, true, false, true, false, SHARE_NONE, TELLING_DONE, false },
		{ "told, by one that is on the disk only", false, true, false, false, true, SHARE_BOUNCED, TELLING_DONE, false },
		{ "its notification never was", false, true, false, false, false, SHARE_BOUNCED, TELLING_LOST, false },
		{ "owed", false, false, true, false, false, SHARE_BOUNCED, TELLING_OWED, false },
		{ "owed once more after a crash", false, true, true, true, false, SHARE_BOUNCED, TELLING_DONE, false },
		{ "restored to before", false, false, false, false, false, SHARE_QUEUED, TELLING_OWED, false },
		{ "deleted before", true, false, false, false, false, SHARE_NONE, TELLING_DELETED, false },
		{ "deleted, but still there", true, false, false, false, false, SHARE_BOUNCED, TELLING_NONE, false },
		{ "lost before it was deleted", true, true, false, false, false, SHARE_NONE, TELLING_LOST, false },
		{ "not to be told", false, false, false, false, false, SHARE_BOUNCED, TELLING_UNWANTED, true },
		{ "not to be told, and told", false, true, false, true, false, SHARE_BOUNCED, TELLING_DONE, true },
	};
	struct holder *h, *other;
	struct leaf *l, *notice;
	struct book b;
	struct sums s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ROW(i, rows[i].name);
		book_init(&b);
		l = book_leaf(&b, ID);
		l->recipients = 2;
		l->deleted = rows[i].deleted;
		l->on_disk = rows[i].disk != SHARE_NONE;
		h = book_holder(&b, l, slice_str("a"), slice_of("", 0));
		other = book_holder(&b, l, slice_str("b"), slice_of("", 0));
		assert_int_equal(book_bounced(&b, h, slice_str("a")), 0);
		assert_slice(h->address, "a");
		h->log = other->log = SHARE_BOUNCED;
		h->disk = rows[i].disk;
		h->owed = rows[i].owed;
		h->unwanted = rows[i].unwanted;
		h->notice = rows[i].made ? NEW_ID : 0;
		notice = rows[i].accepted || rows[i].on_disk ? book_leaf(&b, NEW_ID) : NULL;
		if (notice != NULL) {
			notice->accepted = rows[i].accepted;
			notice->on_disk = rows[i].on_disk;
		}
		assert_int_equal(book_telling(&b, l, h), rows[i].telling);
		assert_int_equal(book_telling(&b, l, other), rows[i].deleted && !l->on_disk ? TELLING_DELETED : TELLING_NONE);
		book_sum(&b, l, &s);
		assert_int_equal(s.share[SHARE_BOUNCED], 2);
		assert_true(s.telling[rows[i].telling] >= 1);
		book_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips), cmocka_unit_test(test_fronts), cmocka_unit_test(test_sums),
		cmocka_unit_test(test_tellings), cmocka_unit_test(test_long_addresses),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
