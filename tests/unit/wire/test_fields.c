/* test_fields — status, outcome, fate, envelope: extremes, canonical form, and the size on disk. */
#include "tests/unit/wire/codec.h"

#include <stdio.h>

#include "base/fault.h"
#include "wire/fields.h"

#define FIELDS(name)	codec_of(recode_fields, recode_fields_count, name)

static struct fate
extreme_fate(void)
{
	return (struct fate){
		.last = { .action = ACTION_FAILED,
			  .status = STATUS(5, 999, 999),
			  .text = codec_fill('t', OUTCOME_TEXT_MAX),
			  .mta = codec_fill('m', MTA_NAME_MAX) },
		.attempts = UINT32_MAX,
		.next_ms = TIME_MS_MAX,
		.flags = FATE_ALL,
	};
}

static void
test_fate(void **state)
{
	struct fate in = extreme_fate(), out;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	put_fate(&b, &in);
	codec_check(FIELDS("fate"), &b);
	struct reader r = reader_of(buf_slice(&b));
	get_fate(&r, &out);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(out.last.action, ACTION_FAILED);
	assert_int_equal(out.last.status.class, 5);
	assert_int_equal(out.last.status.subject, 999);
	assert_int_equal(out.last.status.detail, 999);
	assert_true(slice_eq(out.last.text, in.last.text) && slice_eq(out.last.mta, in.last.mta));
	assert_int_equal(out.attempts, UINT32_MAX);
	assert_true(out.next_ms == TIME_MS_MAX);
	assert_int_equal(out.flags, FATE_ALL);
	buf_fini(&b);
}

/* A reply longer than what is kept costs its tail, never the frame. */
static void
test_texts_are_cut(void **state)
{
	struct outcome in = { .action = ACTION_DELAYED, .text = codec_fill('t', 2000), .mta = codec_fill('m', 2000) },
		       out;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	put_outcome(&b, &in);
	struct reader r = reader_of(buf_slice(&b));
	get_outcome(&r, &out);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(out.text.len, OUTCOME_TEXT_MAX);
	assert_int_equal(out.mta.len, MTA_NAME_MAX);
	buf_fini(&b);
}

static void
test_status(void **state)
{
	static const struct { struct slice in; bool good;
	} rows[] = {
		{ SLICE_LIT("\0"), true },
		{ SLICE_LIT("\2\0\0\0\0"), true },
		{ SLICE_LIT("\4\xe7\3\xe7\3"), true },
		{ SLICE_LIT("\5\xe8\3\0\0"), false }, /* 1000 */
		{ SLICE_LIT("\5\0\0\xe8\3"), false },
		{ SLICE_LIT("\1\0\0\0\0"), false },
		{ SLICE_LIT("\3\0\0\0\0"), false },
		{ SLICE_LIT("\6\0\0\0\0"), false },
		{ SLICE_LIT("\0\0\0\0\0"), false }, /* no class, and yet numbers */
		{ SLICE_LIT("\5\0\0\0"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader r = reader_of(rows[i].in);

		ROW(i, "");
		(void)get_status(&r);
		assert_int_equal(reader_end(&r), rows[i].good ? 0 : -1);
	}
}

static void
test_times(void **state)
{
	static const struct { int64_t in, out;
	} rows[] = {
		{ 0, 0 },
		{ -1, 0 },
		{ INT64_MIN, 0 },
		{ 1, 1 },
		{ TIME_MS_MAX, TIME_MS_MAX },
		{ TIME_MS_MAX + 1, TIME_MS_MAX },
		{ INT64_MAX, TIME_MS_MAX },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		put_time_ms(&b, rows[i].in);
		struct reader r = reader_of(buf_slice(&b));
		assert_true(get_time_ms(&r) == rows[i].out);
		assert_int_equal(reader_end(&r), 0);
		buf_reset(&b);
		put_i64(&b, rows[i].in);	/* as a liar writes it */
		r = reader_of(buf_slice(&b));
		(void)get_time_ms(&r);
		assert_int_equal(r.bad, rows[i].in != rows[i].out);
	}
	buf_fini(&b);
}

static void
test_text_has_no_nul(void **state)
{
	struct reader r = reader_of(SLICE_LIT("\3\0\0\0a\0b"));

	(void)state;
	(void)get_text(&r, 10);
	assert_true(r.bad);
}

static void
test_envelope(void **state)
{
	struct recipient rcpts[4] = {
		{ .address = SLICE_LIT("a@example.org") },
		{ .address = codec_fill('r', ADDRESS_FIELD_MAX),
		  .original = codec_fill('o', ADDRESS_FIELD_MAX),
		  .fate = extreme_fate() },
		{ .address = SLICE_LIT("b@example.org"), .original = SLICE_LIT("c@example.org") },
		{ .address = SLICE_LIT("d@example.org"), .fate = { .flags = FATE_HELD }, .notify = NOTIFY_NEVER,
		  .orcpt = codec_fill('p', ORCPT_MAX) },
	};
	struct envelope in = { .reverse_path = codec_fill('s', ADDRESS_FIELD_MAX),
			       .body = BODY_8BITMIME,
			       .ret = RET_HDRS,
			       .smtputf8 = true,
			       .tls = TLS_TAG_OPTIONAL,
			       .envid = codec_fill('e', ENVID_MAX),
			       .arrival_ms = TIME_MS_MAX,
			       .nonce = UINT64_MAX,
			       .size = UINT32_MAX,
			       .recipients = rcpts,
			       .count = 4 },
			out;
	struct arena arena;
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	put_envelope(&b, &in);
	assert_int_equal(envelope_size(&in), buf_len(&b));
	codec_check(FIELDS("envelope"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(get_envelope(&r, &arena, &out), 0);
	memset(b.mem, 0x55, b.cap);		/* the frame may go: everything lives in the arena */
	assert_true(slice_eq(out.reverse_path, in.reverse_path));
	assert_int_equal(out.body, BODY_8BITMIME);
	assert_true(out.arrival_ms == TIME_MS_MAX && out.nonce == UINT64_MAX && out.size == UINT32_MAX);
	assert_int_equal(out.count, 4);
	assert_slice(out.recipients[0].address, "a@example.org");
	assert_slice(out.recipients[0].original, "");
	assert_int_equal(out.recipients[0].fate.last.action, ACTION_NONE);
	assert_true(slice_eq(out.recipients[1].original, rcpts[1].original));
	assert_true(slice_eq(out.recipients[1].fate.last.text, rcpts[1].fate.last.text));
	assert_true(slice_eq(out.recipients[1].fate.last.mta, rcpts[1].fate.last.mta));
	assert_slice(out.recipients[2].original, "c@example.org");
	assert_int_equal(out.recipients[3].fate.flags, FATE_HELD);
	assert_true(out.ret == RET_HDRS && out.smtputf8 && out.tls == TLS_TAG_OPTIONAL);
	assert_true(slice_eq(out.envid, in.envid));
	assert_int_equal(out.recipients[0].notify, 0);
	assert_slice(out.recipients[0].orcpt, "");
	assert_int_equal(out.recipients[3].notify, NOTIFY_NEVER);
	assert_true(slice_eq(out.recipients[3].orcpt, rcpts[3].orcpt));
	arena_fini(&arena);
	buf_fini(&b);
}

/* As the first version wrote it, before senders could say what they want to be told: it reads, and is written, the same. */
static void
test_first_version(void **state)
{
	static const struct slice old = SLICE_LIT(
	    "\5\0\0\0" "s@x.y" "\2" "\1\0\0\0\0\0\0\0" "\2\0\0\0\0\0\0\0" "\3\0\0\0" "\2\0\0\0"
	    "\0" "\5\0\0\0" "a@x.y"
	    "\3" "\5\0\0\0" "b@x.y" "\1\0\0\0" "B"
	    "\6" "\5\1\0\1\0" "\3\0\0\0" "550" "\0\0\0\0" "\1\0\0\0" "\0\0\0\0\0\0\0\0" "\20");
	struct arena arena = { .max = 10000 };
	struct reader r = reader_of(old);
	struct envelope out;

	(void)state;
	assert_int_equal(codec_try(FIELDS("envelope"), old), 0);
	assert_int_equal(get_envelope(&r, &arena, &out), 0);
	assert_slice(out.reverse_path, "s@x.y");
	assert_true(out.body == BODY_8BITMIME && out.ret == RET_NONE && out.envid.len == 0 && !out.smtputf8 && out.tls == TLS_TAG_NONE);
	assert_true(out.arrival_ms == 1 && out.nonce == 2 && out.size == 3 && out.count == 2);
	assert_slice(out.recipients[1].original, "B");
	assert_true(out.recipients[1].notify == 0 && out.recipients[1].orcpt.len == 0);
	assert_int_equal(out.recipients[1].fate.last.action, ACTION_FAILED);
	assert_int_equal(out.recipients[1].fate.flags, FATE_OWED);
	arena_fini(&arena);
}

/* What the ring holds for most mail. */
static void
test_typical_size(void **state)
{
	struct recipient rcpt = { .address = SLICE_LIT("somebody@department.example.org") };
	struct envelope env = { .reverse_path = SLICE_LIT("somebody.else@example.com"), .body = BODY_7BIT,
	    .arrival_ms = INT64_C(1800000000000), .recipients = &rcpt, .count = 1 };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	put_envelope(&b, &env);
	assert_true(buf_len(&b) < 120);
	buf_fini(&b);
}

static void
test_bad_envelopes(void **state)
{
	/* reverse-path, body, arrival, nonce, size; then count and recipients as the row says */
#define REST	"\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0"
#define HEAD	"\1\0\0\0s\1" REST
	static const struct { const char *name; struct slice in; bool good;
	} rows[] = {
		{ "no recipients", SLICE_LIT(HEAD "\0\0\0\0"), true },
		{ "one", SLICE_LIT(HEAD "\1\0\0\0\0\1\0\0\0r"), true },
		{ "count above the bytes", SLICE_LIT(HEAD "\3\0\0\0\0\1\0\0\0r"), false },
		{ "count bomb", SLICE_LIT(HEAD "\xff\xff\xff\xff\0\1\0\0\0r"), false },
		{ "empty address", SLICE_LIT(HEAD "\1\0\0\0\0\0\0\0\0"), false },
		{ "NUL in an address", SLICE_LIT(HEAD "\1\0\0\0\0\1\0\0\0\0"), false },
		{ "unknown flag", SLICE_LIT(HEAD "\1\0\0\0\20\1\0\0\0r"), false },
		{ "NOTIFY", SLICE_LIT(HEAD "\1\0\0\0\4\1\0\0\0r\7"), true },
		{ "NOTIFY announced, but nothing", SLICE_LIT(HEAD "\1\0\0\0\4\1\0\0\0r\0"), false },
		{ "NEVER and DELAY", SLICE_LIT(HEAD "\1\0\0\0\4\1\0\0\0r\14"), false },
		{ "ORCPT announced, but empty", SLICE_LIT(HEAD "\1\0\0\0\10\1\0\0\0r\0\0\0\0"), false },
		{ "RET", SLICE_LIT("\1\0\0\0s\41" REST "\0\0\0\0"), true },
		{ "RET of no kind", SLICE_LIT("\1\0\0\0s\61" REST "\0\0\0\0"), false },
		{ "SMTPUTF8", SLICE_LIT("\1\0\0\0s\202" REST "\0\0\0\0"), true },
		{ "REQUIRETLS", SLICE_LIT("\1\0\0\0s\5" REST "\0\0\0\0"), true },
		{ "TLS-Required: No", SLICE_LIT("\1\0\0\0s\12" REST "\0\0\0\0"), true },
		{ "TLS of no kind", SLICE_LIT("\1\0\0\0s\15" REST "\0\0\0\0"), false },
		{ "REQUIRETLS, but no body type", SLICE_LIT("\1\0\0\0s\4" REST "\0\0\0\0"), false },
		{ "envelope id", SLICE_LIT("\1\0\0\0s\101\1\0\0\0e" REST "\0\0\0\0"), true },
		{ "envelope id announced, but empty", SLICE_LIT("\1\0\0\0s\101\0\0\0\0" REST "\0\0\0\0"), false },
		{ "NUL in an envelope id", SLICE_LIT("\1\0\0\0s\101\1\0\0\0\0" REST "\0\0\0\0"), false },
		{ "no body type", SLICE_LIT("\1\0\0\0s\0" REST "\0\0\0\0"), false },
		{ "body type of no kind", SLICE_LIT("\1\0\0\0s\3" REST "\0\0\0\0"), false },
		{ "original announced, but empty", SLICE_LIT(HEAD "\1\0\0\0\1\1\0\0\0r\0\0\0\0"), false },
		{ "fate announced, but zero",
		  SLICE_LIT(HEAD "\1\0\0\0\2\1\0\0\0r"
				 "\0\0\0\0\0\0\0\0\0\0"
				 "\0\0\0\0"
				 "\0\0\0\0\0\0\0\0"
				 "\0"),
		  false },
		{ "fate",
		  SLICE_LIT(HEAD "\1\0\0\0\2\1\0\0\0r"
				 "\0\0\0\0\0\0\0\0\0\0"
				 "\1\0\0\0"
				 "\0\0\0\0\0\0\0\0"
				 "\0"),
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		assert_int_equal(codec_try(FIELDS("envelope"), rows[i].in), rows[i].good ? 0 : -1);
	}
}

/* Ten thousand recipients fit, one more is refused; an arena that is too small refuses and does not crash. */
static void
test_many_recipients(void **state)
{
	static struct recipient rcpts[ENVELOPE_RECIPIENTS_MAX + 1];
	struct envelope in = { .body = BODY_7BIT, .recipients = rcpts, .count = ENVELOPE_RECIPIENTS_MAX }, out;
	struct arena arena;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++)
		rcpts[i].address = SLICE_LIT("r@example.org");
	buf_init(&b, SIZE_MAX);
	put_envelope(&b, &in);
	assert_int_equal(codec_try(FIELDS("envelope"), buf_slice(&b)), 0);
	arena_init(&arena, 100000);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(get_envelope(&r, &arena, &out), -1);
	arena_fini(&arena);
	buf_reset(&b);
	in.count++;
	put_envelope(&b, &in);
	assert_int_equal(codec_try(FIELDS("envelope"), buf_slice(&b)), -1);
	buf_fini(&b);
}

static void
test_no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct recipient rcpt = { .address = SLICE_LIT("a@example.org"), .fate = extreme_fate() };
	struct envelope in = { .reverse_path = SLICE_LIT("s@example.org"),
			       .body = BODY_7BIT,
			       .recipients = &rcpt,
			       .count = 1 },
			out;
	struct arena arena;
	struct buf b;

	buf_init(&b, 10000);
	put_envelope(&b, &in);
	for (int n = 1, result = -1; result == -1; n++) {
		char plan[32];

		(void)snprintf(plan, sizeof(plan), "alloc:%d", n);
		arena_init(&arena, 1 << 20);
		fault_plan(plan);
		struct reader r = reader_of(buf_slice(&b));
		result = get_envelope(&r, &arena, &out);
		fault_plan(NULL);
		assert_int_equal(out.count, result == 0 ? 1 : 0);
		arena_fini(&arena);
		assert_true(n < 100);
	}
	buf_fini(&b);
#else
	skip();
#endif
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fate),
		cmocka_unit_test(test_texts_are_cut),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_text_has_no_nul),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_first_version),
		cmocka_unit_test(test_typical_size),
		cmocka_unit_test(test_bad_envelopes),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
