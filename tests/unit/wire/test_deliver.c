/* test_deliver — jobs, leases, results. */
#include "tests/unit/wire/codec.h"

#include "ipc/channel.h"
#include "wire/deliver.h"

#define DELIVER(name)	codec_of(recode_deliver, recode_deliver_count, name)

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
test_hello(void **state)
{
	static uint32_t indexes[JOB_RECIPIENTS_MAX + 1];
	static struct lease leases[AGENT_LEASES_MAX + 1];
	struct deliver_hello in = { .credit = AGENT_CREDIT_MAX, .count = 3, .leases = leases }, out;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof(leases) / sizeof(leases[0]); i++)
		leases[i] = (struct lease){ .lease = i + 1, .id = UINT64_MAX, .indexes = indexes };
	for (uint32_t i = 0; i < JOB_RECIPIENTS_MAX; i++)
		indexes[i] = ENVELOPE_RECIPIENTS_MAX - 1 - i;
	leases[1].count = 5;
	deliver_hello_put(&b, &in);
	codec_check(DELIVER("deliver_hello"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_hello_get(&r, &arena, &out), 0);
	assert_int_equal(out.credit, AGENT_CREDIT_MAX);
	assert_int_equal(out.count, 3);
	assert_int_equal(out.leases[1].count, 5);
	assert_int_equal(out.leases[1].indexes[4], ENVELOPE_RECIPIENTS_MAX - 5);
	assert_true(out.leases[2].lease == 3 && out.leases[2].id == UINT64_MAX);
	arena_fini(&arena);

	in.count = AGENT_LEASES_MAX;
	buf_reset(&b);
	deliver_hello_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_hello"), buf_slice(&b)), 0);
	in.count++;
	buf_reset(&b);
	deliver_hello_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_hello"), buf_slice(&b)), -1);
}

static void
test_bad_hello(void **state)
{
	static uint32_t zeros[JOB_RECIPIENTS_MAX + 1], far = ENVELOPE_RECIPIENTS_MAX;
	static const struct { const char *name; uint32_t credit; struct lease lease;
	} rows[] = {
		{ "credit", AGENT_CREDIT_MAX + 1, { .lease = 1, .id = 1 } },
		{ "no lease", 1, { .lease = 0, .id = 1 } },
		{ "no id", 1, { .lease = 1, .id = 0 } },
		{ "too many recipients",
		  1,
		  { .lease = 1, .id = 1, .count = JOB_RECIPIENTS_MAX + 1, .indexes = zeros } },
		{ "a recipient beyond every envelope", 1, { .lease = 1, .id = 1, .count = 1, .indexes = &far } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lease lease = rows[i].lease;
		struct deliver_hello in = { .credit = rows[i].credit, .count = 1, .leases = &lease };

		ROW(i, rows[i].name);
		buf_reset(&b);
		deliver_hello_put(&b, &in);
		assert_int_equal(codec_try(DELIVER("deliver_hello"), buf_slice(&b)), -1);
	}
}

static struct job_recipient
extreme_recipient(void)
{
	return (struct job_recipient){ .index = ENVELOPE_RECIPIENTS_MAX - 1,
				       .address = codec_fill('a', ADDRESS_FIELD_MAX),
				       .original = codec_fill('o', ADDRESS_FIELD_MAX),
				       .orcpt = codec_fill('p', ORCPT_MAX), .notify = NOTIFY_SUCCESS | NOTIFY_DELAY };
}

static void
test_job(void **state)
{
	struct job_recipient rcpts[2] = { extreme_recipient(), { .index = 0, .address = SLICE_LIT("a@example.org") } };
	struct deliver_job in = { .lease = UINT64_MAX,
				  .id = UINT64_MAX,
				  .nonce = UINT64_MAX,
				  .arrival_ms = TIME_MS_MAX,
				  .flags = JOB_FLAGS_ALL,
				  .body = BODY_8BITMIME,
				  .tls = TLS_TAG_REQUIRED,
				  .ret = RET_FULL,
				  .envid = codec_fill('e', ENVID_MAX),
				  .nexthop = codec_fill('n', NEXTHOP_MAX),
				  .size = 3,
				  .content = SLICE_LIT("\0\r\n"),
				  .reverse_path = codec_fill('s', ADDRESS_FIELD_MAX),
				  .count = 2,
				  .recipients = rcpts },
			   out;
	struct arena arena;

	(void)state;
	deliver_job_put(&b, &in);
	codec_check(DELIVER("deliver_job"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_job_get(&r, &arena, &out), 0);
	assert_true(out.lease == UINT64_MAX && out.id == UINT64_MAX && out.nonce == UINT64_MAX &&
		    out.arrival_ms == TIME_MS_MAX);
	assert_int_equal(out.flags, JOB_MAYBE | JOB_SMTPUTF8);
	assert_int_equal(out.body, BODY_8BITMIME);
	assert_false(out.by_fd);
	assert_true(slice_eq(out.content, in.content) && slice_eq(out.nexthop, in.nexthop));
	assert_true(slice_eq(out.reverse_path, in.reverse_path));
	assert_true(out.tls == TLS_TAG_REQUIRED && out.ret == RET_FULL && slice_eq(out.envid, in.envid));
	assert_int_equal(out.recipients[0].index, ENVELOPE_RECIPIENTS_MAX - 1);
	assert_int_equal(out.recipients[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_true(slice_eq(out.recipients[0].orcpt, rcpts[0].orcpt));
	assert_slice(out.recipients[1].orcpt, "");
	assert_slice(out.recipients[1].address, "a@example.org");
	arena_reset(&arena);

	in.content = SLICE_LIT("");
	in.by_fd = true;
	in.crc = 0xe3069283;
	buf_reset(&b);
	deliver_job_put(&b, &in);
	codec_check(DELIVER("deliver_job"), &b);
	r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_job_get(&r, &arena, &out), 0);
	assert_true(out.by_fd && out.size == 3 && out.crc == 0xe3069283);
	arena_fini(&arena);
	in.by_fd = false;		/* a checksum of a content that brings its own */
	in.size = 0;
	buf_reset(&b);
	deliver_job_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_job"), buf_slice(&b)), -1);
}

static void
test_bad_jobs(void **state)
{
	static struct job_recipient good = { .address = { "a@b", 3 } }, nobody = { .index = 1 },
				    both = { .address = { "a@b", 3 }, .notify = NOTIFY_NEVER | NOTIFY_DELAY },
				    far = { .index = ENVELOPE_RECIPIENTS_MAX, .address = { "a@b", 3 } },
				    many[JOB_RECIPIENTS_MAX + 1];
#define JOB(lease, id, flags, body, hop, size, by_fd, content, count, rcpts) \
	{ lease, id, 0, 0, flags, body, TLS_TAG_NONE, RET_NONE, SLICE_LIT(""), SLICE_LIT(hop), SLICE_LIT(""), size, by_fd ? 0xe3069283 : 0, by_fd, \
	  SLICE_LIT(content), count, rcpts }
	static const struct { const char *name; struct deliver_job job; bool good;
	} rows[] = {
		{ "about TLS nothing that is known", { .lease = 1, .id = 1, .body = BODY_7BIT, .tls = TLS_TAG_COUNT, .nexthop = { "n", 1 }, .count = 1,
		    .recipients = &good }, false },
		{ "plain", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", 1, &good), true },
		{ "by descriptor", JOB(1, 1, 0, BODY_7BIT, "n", UINT32_MAX, true, "", 1, &good), true },
		{ "by descriptor, and inline", JOB(1, 1, 0, BODY_7BIT, "n", 1, true, "x", 1, &good), false },
		{ "shorter than it says", JOB(1, 1, 0, BODY_7BIT, "n", 2, false, "x", 1, &good), false },
		{ "no lease", JOB(0, 1, 0, BODY_7BIT, "n", 0, false, "", 1, &good), false },
		{ "no id", JOB(1, 0, 0, BODY_7BIT, "n", 0, false, "", 1, &good), false },
		{ "unknown flag", JOB(1, 1, 1u << 31, BODY_7BIT, "n", 0, false, "", 1, &good), false },
		{ "no body type", JOB(1, 1, 0, BODY_NONE, "n", 0, false, "", 1, &good), false },
		{ "no next hop", JOB(1, 1, 0, BODY_7BIT, "", 0, false, "", 1, &good), false },
		{ "no recipients", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", 0, NULL), false },
		{ "recipient without address", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", 1, &nobody), false },
		{ "recipient to be told of, and never", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", 1, &both), false },
		{ "recipient beyond every envelope", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", 1, &far), false },
		{ "most recipients", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", JOB_RECIPIENTS_MAX, many), true },
		{ "too many recipients", JOB(1, 1, 0, BODY_7BIT, "n", 0, false, "", JOB_RECIPIENTS_MAX + 1, many),
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = good;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		buf_reset(&b);
		deliver_job_put(&b, &rows[i].job);
		assert_int_equal(codec_try(DELIVER("deliver_job"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_results(void **state)
{
	struct deliver_result results[JOB_RECIPIENTS_MAX + 1];
	struct deliver_results in = { .lease = UINT64_MAX,
				      .id = UINT64_MAX,
				      .finished = true,
				      .delays_ms = { TIME_MS_MAX, 1 },
				      .count = 2,
				      .results = results },
			       out;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		results[i] = (struct deliver_result){ .index = (uint32_t)i,
						      .outcome = { .action = ACTION_DELAYED,
								   .status = STATUS(4, 4, 1),
								   .text = codec_fill('t', OUTCOME_TEXT_MAX),
								   .mta = codec_fill('m', MTA_NAME_MAX) } };
	deliver_results_put(&b, &in);
	codec_check(DELIVER("deliver_results"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_results_get(&r, &arena, &out), 0);
	assert_true(out.finished && !out.damaged && out.delays_ms[0] == TIME_MS_MAX && out.delays_ms[1] == 1);
	assert_int_equal(out.results[1].index, 1);
	assert_int_equal(out.results[1].outcome.action, ACTION_DELAYED);
	assert_int_equal(out.results[1].outcome.text.len, OUTCOME_TEXT_MAX);
	arena_fini(&arena);

	in.count = 0;			/* finished, and nothing to say: a job that was cancelled */
	buf_reset(&b);
	deliver_results_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), 0);
	in.damaged = true;		/* nobody was given it, and that is all */
	buf_reset(&b);
	deliver_results_put(&b, &in);
	codec_check(DELIVER("deliver_results"), &b);
	r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_results_get(&r, &arena, &out), 0);
	assert_true(out.damaged && out.finished && out.count == 0);
	in.finished = false;
	buf_reset(&b);
	deliver_results_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), -1);
	in.finished = true;
	in.damaged = false;
	in.count = JOB_RECIPIENTS_MAX;	/* the worst case fits a frame */
	buf_reset(&b);
	deliver_results_put(&b, &in);
	assert_true(buf_len(&b) <= FRAME_MAX);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), 0);
	in.count++;
	buf_reset(&b);
	deliver_results_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), -1);
	in.count = 1;
	results[0].outcome.action = ACTION_NONE;	/* nothing happened is no result */
	buf_reset(&b);
	deliver_results_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), -1);
}

/* Only who has the message tells the sender of it. */
static void
test_who_tells(void **state)
{
	struct deliver_result result = { .outcome = { .action = ACTION_DELAYED }, .tells = true };
	struct deliver_results in = { .lease = 1, .id = 1, .finished = true, .count = 1, .results = &result };

	(void)state;
	deliver_results_put(&b, &in);
	assert_int_equal(codec_try(DELIVER("deliver_results"), buf_slice(&b)), -1);
	result.outcome.action = ACTION_RELAYED;
	buf_reset(&b);
	deliver_results_put(&b, &in);
	codec_check(DELIVER("deliver_results"), &b);
}

/* A clock that went backwards while an attempt ran is no reason to lose the agent. */
static void
test_negative_delay(void **state)
{
	struct deliver_results in = { .lease = 1, .id = 1, .delays_ms = { -5, INT64_MIN } }, out;
	struct arena arena;

	(void)state;
	deliver_results_put(&b, &in);
	arena_init(&arena, 1000);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(deliver_results_get(&r, &arena, &out), 0);
	assert_true(out.delays_ms[0] == 0 && out.delays_ms[1] == 0);
	arena_fini(&arena);
}

static void
test_lease(void **state)
{
	struct deliver_lease in = { UINT64_MAX };

	(void)state;
	deliver_lease_put(&b, &in);
	codec_check(DELIVER("deliver_lease"), &b);
	assert_int_equal(codec_try(DELIVER("deliver_lease"), SLICE_LIT("\0\0\0\0\0\0\0\0")), -1);
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUF(test_hello),   BUF(test_bad_hello),      BUF(test_job),   BUF(test_bad_jobs),
		BUF(test_results), BUF(test_who_tells), BUF(test_negative_delay), BUF(test_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
