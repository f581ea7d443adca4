/* Queued messages in their three shapes; the first one is Postfix's, byte for byte. */
#include "tests/support/testing.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "control/cli/item.h"
#include "mail/queue_id.h"

#define ID	queue_id_of(7, 9)
#define T0	INT64_C(1795413944000)	/* Mon 23 Nov 2026 06:05:44 UTC */

static struct queue_item_recipient
recipient(const char *address, const char *text, const char *mta)
{
	struct queue_item_recipient r = { .address = slice_str(address) };

	if (text != NULL) {
		r.fate.last.action = ACTION_DELAYED;
		r.fate.last.status = STATUS(4, 4, 1);
		r.fate.last.text = slice_str(text);
		r.fate.last.mta = slice_str(mta);
		r.fate.attempts = 3;
		r.fate.next_ms = T0 + 3600000;
		r.nexthop = SLICE_LIT("example.net");
		r.why = SLICE_LIT("retry");
	}
	return r;
}

static struct queue_item
item(struct queue_item_recipient *recipients, uint32_t count)
{
	return (struct queue_item){ .id = ID, .size = 3000, .arrival_ms = T0, .expiry_ms = T0 + INT64_C(432000000),
		.sender = SLICE_LIT("a@example.org"), .recipients = recipients, .count = count };
}

/* What was written to a memory stream; free it. */
struct capture {
	FILE	*f;
	char	*text;
	size_t	 len;
};

static void
capture_open(struct capture *c)
{
	c->f = open_memstream(&c->text, &c->len);
	assert_non_null(c->f);
}

static const char *
capture_text(struct capture *c)
{
	assert_int_equal(fflush(c->f), 0);
	return c->text;
}

static void
capture_close(struct capture *c)
{
	fclose(c->f);
	free(c->text);
}

static void
listing_is_empty(void **state)
{
	struct capture c;
	struct listing l = { 0 };

	(void)state;
	capture_open(&c);
	l.out = c.f;
	listing_end(&l);
	assert_string_equal(capture_text(&c), "Mail queue is empty\n");
	capture_close(&c);
}

static void
listing_layout(void **state)
{
	struct queue_item_recipient waiting[] = {
		recipient("b@example.net", "connect to mx.example.net[192.0.2.1]:25: Connection refused", ""),
		recipient("c@example.net", "connect to mx.example.net[192.0.2.1]:25: Connection refused", ""),
		recipient("d@example.net", "450 4.2.0 later\r\n", "mx.example.net[192.0.2.1]:25"),
		recipient("e@example.net", NULL, NULL),
	};
	struct queue_item_recipient fresh[] = { recipient("x@example.com", NULL, NULL) };
	struct queue_item first = item(waiting, 4), second = item(fresh, 1), third = item(fresh, 1);
	struct capture c;
	struct listing l = { 0 };
	char id[QUEUE_ID_LEN + 1], expected[2000];

	(void)state;
	second.id++;
	second.active = true;
	second.sender = SLICE_LIT("");
	second.size = 70;
	third.id += 2;
	third.held = true;
	queue_id_print(ID, id);
	capture_open(&c);
	l.out = c.f;
	assert_int_equal(listing_item(&l, &first), 0);
	assert_int_equal(listing_item(&l, &second), 0);
	assert_int_equal(listing_item(&l, &third), 0);
	listing_end(&l);
	snprintf(expected, sizeof(expected),
	    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
	    "%s         3000 Mon Nov 23 06:05:44 a@example.org\n"
	    "                 (connect to mx.example.net[192.0.2.1]:25: Connection refused)\n"
	    "                                               b@example.net\n"
	    "                                               c@example.net\n"
	    "             (host mx.example.net[192.0.2.1]:25 said: 450 4.2.0 later\\x0d\\x0a)\n"
	    "                                               d@example.net\n"
	    "                                                          (reason unavailable)\n"
	    "                                               e@example.net\n"
	    "\n"
	    "%.12sA*          70 Mon Nov 23 06:05:44 MAILER-DAEMON\n"
	    "                                               x@example.com\n"
	    "\n"
	    "%.12sB!        3000 Mon Nov 23 06:05:44 a@example.org\n"
	    "                                               x@example.com\n"
	    "\n"
	    "-- 5 Kbytes in 3 Requests.\n", id, id, id);
	assert_string_equal(capture_text(&c), expected);
	capture_close(&c);
}

/* A message in several items is one message: one head, one request. */
static void
listing_joins(void **state)
{
	struct queue_item_recipient one[] = { recipient("b@example.net", "no", "") }, two[] = { recipient("c@example.net", "no", "") };
	struct queue_item first = item(one, 1), second = item(two, 1);
	struct capture c;
	struct listing l = { 0 };

	(void)state;
	capture_open(&c);
	l.out = c.f;
	assert_int_equal(listing_item(&l, &first), 0);
	assert_int_equal(listing_item(&l, &second), 0);
	listing_end(&l);
	assert_non_null(strstr(capture_text(&c), "b@example.net\n                                               c@example.net\n"));
	assert_non_null(strstr(capture_text(&c), "\n-- 2 Kbytes in 1 Request.\n"));
	capture_close(&c);
}

static void
json_fields(void **state)
{
	struct queue_item_recipient one[] = { recipient("b@example.net", "4\x80\xff\n", "mx[192.0.2.1]:25"),
		recipient("gr\xc3\xbc\xc3\x9f@example.net", NULL, NULL) };
	struct queue_item_recipient more[] = { recipient("z@example.net", NULL, NULL) };
	struct queue_item first = item(one, 2), rest = item(more, 1), second = item(more, 1);
	struct json_lines j = { 0 };
	struct capture c;
	json_t *message, *r;
	char id[QUEUE_ID_LEN + 1], *end;

	(void)state;
	second.id++;
	second.sender = SLICE_LIT("");
	second.held = true;
	capture_open(&c);
	j.out = c.f;
	assert_int_equal(json_lines_item(&j, &first), 0);
	assert_int_equal(json_lines_item(&j, &rest), 0);
	assert_int_equal(json_lines_item(&j, &second), 0);
	assert_int_equal(json_lines_end(&j), 0);
	end = strchr(capture_text(&c), '\n');
	assert_non_null(end);
	message = json_loadb(c.text, (size_t)(end - c.text), 0, NULL);
	assert_non_null(message);
	assert_string_equal(json_string_value(json_object_get(message, "queue_id")), queue_id_print(ID, id));
	assert_string_equal(json_string_value(json_object_get(message, "queue_name")), "deferred");
	assert_true(json_integer_value(json_object_get(message, "arrival_time")) == T0 / 1000);
	assert_int_equal(json_array_size(json_object_get(message, "recipients")), 3);
	r = json_array_get(json_object_get(message, "recipients"), 0);
	assert_string_equal(json_string_value(json_object_get(r, "delay_reason")), "host mx[192.0.2.1]:25 said: 4\\x80\\xff\\x0a");
	assert_string_equal(json_string_value(json_object_get(r, "why_waiting")), "retry");
	assert_string_equal(json_string_value(json_object_get(r, "next_hop")), "example.net");
	assert_string_equal(json_string_value(json_object_get(r, "status")), "4.4.1");
	assert_int_equal(json_integer_value(json_object_get(r, "attempts")), 3);
	assert_true(json_integer_value(json_object_get(r, "next_attempt")) == T0 / 1000 + 3600);
	r = json_array_get(json_object_get(message, "recipients"), 1);
	assert_string_equal(json_string_value(json_object_get(r, "address")), "gr\xc3\xbc\xc3\x9f@example.net");
	json_decref(message);
	message = json_loads(end + 1, 0, NULL);
	assert_non_null(message);
	assert_string_equal(json_string_value(json_object_get(message, "queue_name")), "hold");
	assert_string_equal(json_string_value(json_object_get(message, "sender")), "MAILER-DAEMON");
	json_decref(message);
	capture_close(&c);
}

static void
page(void **state)
{
	struct queue_item_recipient r[] = { recipient("b@example.net", "450 4.2.0 \x1b[2J", "mx[192.0.2.1]:25") };
	struct queue_item message = item(r, 1);
	struct pages p = { .now_ms = T0 + 90000 };
	struct capture c;

	(void)state;
	capture_open(&c);
	p.out = c.f;
	r[0].fate.flags = FATE_UNKNOWN;
	assert_int_equal(pages_item(&p, &message), 0);
	assert_non_null(strstr(capture_text(&c), "(deferred)\nSender:     a@example.org\nSize:       3000 bytes\n"));
	assert_non_null(strstr(c.text, "Arrived:    2026-11-23 06:05:44 +0000, 1m 30s ago\n"));
	assert_non_null(strstr(c.text, "Expires:    2026-11-28 06:05:44 +0000, in 4d 23h\n"));
	assert_non_null(strstr(c.text, "  state:    waiting (retry)\n  attempts: 3\n  next hop: example.net\n"));
	assert_non_null(strstr(c.text, "  next:     2026-11-23 07:05:44 +0000, in 58m 30s\n"));
	/* The far end's words never reach the terminal as they are. */
	assert_non_null(strstr(c.text, "4.4.1 host mx[192.0.2.1]:25 said: 450 4.2.0 \\x1b[2J\n"));
	assert_non_null(strstr(c.text, "may deliver it twice"));
	capture_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listing_is_empty), cmocka_unit_test(listing_layout), cmocka_unit_test(listing_joins),
		cmocka_unit_test(json_fields), cmocka_unit_test(page),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
