/* test_submit — the frames between smtpd and queue. */
#include "tests/unit/wire/codec.h"

#include "mail/address.h"
#include "wire/submit.h"

#define SUBMIT(name)	codec_of(recode_submit, recode_submit_count, name)

static struct buf b;

static int
setup(void **state)
{
	(void)state;
	buf_init(&b, SIZE_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&b);
	return 0;
}

static void
test_ids(void **state)
{
	static const struct { struct submit_ids ids; bool good;
	} rows[] = {
		{ { 1, 1 }, true },
		{ { UINT64_MAX - SUBMIT_IDS_MAX, SUBMIT_IDS_MAX }, true },
		{ { 0, 1 }, false },
		{ { 1, 0 }, false },
		{ { 1, SUBMIT_IDS_MAX + 1 }, false },
		{ { UINT64_MAX, 1 }, false },
		{ { UINT64_MAX - 9, 10 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, "");
		buf_reset(&b);
		submit_ids_put(&b, &rows[i].ids);
		assert_int_equal(codec_try(SUBMIT("submit_ids"), buf_slice(&b)), rows[i].good ? 0 : -1);
		if (rows[i].good)
			codec_check(SUBMIT("submit_ids"), &b);
	}
}

static void
test_room(void **state)
{
	(void)state;
	for (int room = ROOM_NONE; room < ROOM_COUNT; room++) {
		enum submit_room out = ROOM_COUNT;

		buf_reset(&b);
		submit_room_put(&b, (enum submit_room)room);
		codec_check(SUBMIT("submit_room"), &b);
		struct reader r = reader_of(buf_slice(&b));
		assert_int_equal(submit_room_get(&r, &out), 0);
		assert_int_equal(out, room);
	}
}

static void
test_message(void **state)
{
	struct recipient rcpts[2] = {
		{ .address = SLICE_LIT("a@example.org") },
		{ .address = codec_fill('r', ADDRESS_FIELD_MAX), .original = SLICE_LIT("A@Example.ORG") },
	};
	struct submit_message in = { .serial = UINT64_MAX,
				     .id = UINT64_MAX,
				     .crc = UINT32_MAX,
				     .token = { UINT64_MAX, 1 },
				     .content = SLICE_LIT("Subject: x\r\n\r\n\0"),
				     .envelope = { .body = BODY_7BIT, .size = 15, .recipients = rcpts, .count = 2 } },
			      out;
	struct arena arena;

	(void)state;
	submit_message_put(&b, &in);
	codec_check(SUBMIT("submit_message"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(submit_message_get(&r, &arena, &out), 0);
	assert_true(out.serial == UINT64_MAX && out.id == UINT64_MAX && out.crc == UINT32_MAX && !out.large);
	assert_true(slice_eq(out.content, in.content));
	assert_int_equal(out.envelope.count, 2);
	assert_slice(out.envelope.recipients[1].original, "A@Example.ORG");
	arena_fini(&arena);
}

/* The same message with one thing wrong, and what may come of it. */
static void
test_claims(void **state)
{
	static char content[CONTENT_INLINE_MAX + 1];
	struct recipient rcpt = { .address = SLICE_LIT("a@example.org") }, tried = rcpt, held = rcpt;
	struct envelope good = { .body = BODY_7BIT, .recipients = &rcpt, .count = 1 };
	struct envelope none = good, lies = good, marks = good, largest = good, over = good;

	(void)state;
	tried.fate.attempts = 1;
	held.fate.flags = FATE_HELD;
	none.count = 0;
	lies.recipients = &tried;
	marks.recipients = &held;
	largest.size = CONTENT_INLINE_MAX;
	over.size = CONTENT_INLINE_MAX + 1;
	const struct { const char *name; struct submit_message msg; bool good;
	} rows[] = {
		{ "plain", { .id = 1, .envelope = good }, true },
		{ "no id", { .id = 0, .envelope = good }, false },
		{ "no recipient", { .id = 1, .envelope = none }, false },
		{ "somebody else's fate", { .id = 1, .envelope = lies }, false },
		{ "a hold", { .id = 1, .envelope = marks }, false },
		{ "size says more than the content",
		  { .id = 1, .envelope = largest, .content = SLICE_LIT("x") },
		  false },
		{ "large, size of the file", { .id = 1, .envelope = over, .large = true, .crc = 7 }, true },
		{ "large and inline", { .id = 1, .envelope = good, .large = true, .content = SLICE_LIT("x") }, false },
		{ "largest inline",
		  { .id = 1, .envelope = largest, .content = { content, CONTENT_INLINE_MAX } },
		  true },
		{ "too large inline",
		  { .id = 1, .envelope = over, .content = { content, CONTENT_INLINE_MAX + 1 } },
		  false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		buf_reset(&b);
		submit_message_put(&b, &rows[i].msg);
		assert_int_equal(codec_try(SUBMIT("submit_message"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_verdict(void **state)
{
	struct submit_verdict_of in = { .serial = UINT64_MAX,
					.verdict = VERDICT_REFUSED,
					.wait_s = SUBMIT_WAIT_MAX,
					.text = codec_fill('x', SUBMIT_TEXT_MAX) },
				 out;

	(void)state;
	submit_verdict_put(&b, &in);
	codec_check(SUBMIT("submit_verdict"), &b);
	in.text = codec_fill('x', SUBMIT_TEXT_MAX + 100);	/* cut, not refused */
	buf_reset(&b);
	submit_verdict_put(&b, &in);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(submit_verdict_get(&r, &out), 0);
	assert_int_equal(out.text.len, SUBMIT_TEXT_MAX);
	assert_int_equal(out.verdict, VERDICT_REFUSED);
	assert_int_equal(out.wait_s, SUBMIT_WAIT_MAX);
	in.wait_s++;
	buf_reset(&b);
	submit_verdict_put(&b, &in);
	assert_int_equal(codec_try(SUBMIT("submit_verdict"), buf_slice(&b)), -1);
	in.wait_s = 0;
	in.verdict = VERDICT_NONE;		/* zeroed memory is no verdict */
	buf_reset(&b);
	submit_verdict_put(&b, &in);
	assert_int_equal(codec_try(SUBMIT("submit_verdict"), buf_slice(&b)), -1);
}

static void
test_large(void **state)
{
	struct submit_large in = { .id = UINT64_MAX, .ok = true };

	(void)state;
	submit_large_put(&b, &in);
	codec_check(SUBMIT("submit_large"), &b);
	in.id = 0;
	buf_reset(&b);
	submit_large_put(&b, &in);
	assert_int_equal(codec_try(SUBMIT("submit_large"), buf_slice(&b)), -1);
}

static void
test_flush(void **state)
{
	struct submit_flush in = { .serial = UINT64_MAX, .token = { 3, 4 }, .domain = codec_fill('d', DOMAIN_MAX) };

	(void)state;
	submit_flush_put(&b, &in);
	codec_check(SUBMIT("submit_flush"), &b);
	in.domain = SLICE_LIT("");
	buf_reset(&b);
	submit_flush_put(&b, &in);
	assert_int_equal(codec_try(SUBMIT("submit_flush"), buf_slice(&b)), -1);
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUF(test_ids), BUF(test_room), BUF(test_message), BUF(test_claims), BUF(test_verdict), BUF(test_large), BUF(test_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
