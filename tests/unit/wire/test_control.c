/* test_control — the supervisor's frames, the operator's, and spawn's, which only the supervisor answers. */
#include "tests/unit/wire/codec.h"

#include "ipc/channel.h"
#include "wire/control.h"
#include "wire/key.h"
#include "wire/spawn.h"

#define CONTROL(name)	codec_of(recode_control, recode_control_count, name)
#define KEY(name)	codec_of(recode_key, recode_key_count, name)
#define SPAWN(name)	codec_of(recode_spawn, recode_spawn_count, name)

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
test_boot(void **state)
{
	static char blob[CONF_BLOB_MAX + 1];
	struct control_boot in = { .name = codec_fill('n', PROCESS_NAME_MAX),
				   .role = ROLE_LOGGER,
				   .process = UINT32_MAX,
				   .generation = UINT64_MAX,
				   .paused = true,
				   .root = true,
				   .conf = SLICE_LIT("blob\0blob") },
			    out;

	(void)state;
	control_boot_put(&b, &in);
	codec_check(CONTROL("control_boot"), &b);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(control_boot_get(&r, &out), 0);
	assert_int_equal(out.role, ROLE_LOGGER);
	assert_true(out.process == UINT32_MAX && out.generation == UINT64_MAX && out.paused && out.root);
	assert_true(slice_eq(out.conf, in.conf));
	in.conf = slice_of(blob, CONF_BLOB_MAX);
	buf_reset(&b);
	control_boot_put(&b, &in);
	assert_true(buf_len(&b) <= FRAME_MAX);
	assert_int_equal(codec_try(CONTROL("control_boot"), buf_slice(&b)), 0);
	in.conf.len++;
	buf_reset(&b);
	control_boot_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("control_boot"), buf_slice(&b)), -1);
}

static void
test_wire(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind <= WIRE_KIND_COUNT; kind++) {
		for (unsigned role = 0; role <= ROLE_COUNT; role++) {
			struct control_wire in = { (enum wire_kind)kind, (enum wire_role)role, UINT32_MAX, role % 2 == 0 };
			bool good = kind < WIRE_KIND_COUNT && role > ROLE_NONE && role < ROLE_COUNT;

			buf_reset(&b);
			control_wire_put(&b, &in);
			assert_int_equal(codec_try(CONTROL("control_wire"), buf_slice(&b)), good ? 0 : -1);
		}
	}
	struct control_wire last = { WIRE_SUBMIT, ROLE_MX, 7, true };
	buf_reset(&b);
	control_wire_put(&b, &last);
	codec_check(CONTROL("control_wire"), &b);
}

static void
test_conf_text_stop(void **state)
{
	struct control_conf conf = {
		.generation = UINT64_MAX, .ok = true, .conf = SLICE_LIT("\0blob"), .text = codec_fill('t', 2000)
	};
	struct control_text text = { .ok = true, .text = SLICE_LIT("bytes\0of mail") };
	struct control_stop stop = { UINT32_MAX };

	(void)state;
	control_conf_put(&b, &conf);
	codec_check(CONTROL("control_conf"), &b);
	buf_reset(&b);
	control_text_put(&b, &text);
	codec_check(CONTROL("control_text"), &b);
	buf_reset(&b);
	control_stop_put(&b, &stop);
	codec_check(CONTROL("control_stop"), &b);
}

static void
test_bytes_limit(void **state)
{
	static char piece[CONTROL_BYTES_MAX + 1];
	struct control_text text = { .ok = true, .text = { piece, CONTROL_BYTES_MAX } };

	(void)state;
	control_text_put(&b, &text);
	assert_int_equal(codec_try(CONTROL("control_text"), buf_slice(&b)), 0);
	text.text.len++;
	buf_reset(&b);
	control_text_put(&b, &text);
	assert_int_equal(codec_try(CONTROL("control_text"), buf_slice(&b)), -1);	/* refused whole, never cut */
}

static void
test_request(void **state)
{
	struct operator_request in = { .verb = codec_fill('v', OPERATOR_VERB_MAX),
				       .flags = OPERATOR_FLAGS_ALL,
				       .count = OPERATOR_ARGS_MAX };

	(void)state;
	for (size_t i = 0; i < OPERATOR_ARGS_MAX; i++)
		in.args[i] = SLICE_LIT("@example.org");
	operator_request_put(&b, &in);
	codec_check(CONTROL("operator_request"), &b);
	in.args[0] = codec_fill('a', OPERATOR_ARG_MAX);
	in.count = 1;
	buf_reset(&b);
	operator_request_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("operator_request"), buf_slice(&b)), 0);
	assert_int_equal(codec_try(CONTROL("operator_request"), SLICE_LIT("\1\0\0\0v" "\0\0\0\0" "\x41\0\0\0")), -1);
	assert_int_equal(codec_try(CONTROL("operator_request"), SLICE_LIT("\1\0\0\0v" "\2\0\0\0" "\0\0\0\0")), -1);
	assert_int_equal(codec_try(CONTROL("operator_request"), SLICE_LIT("\0\0\0\0" "\0\0\0\0" "\0\0\0\0")), -1);
	assert_int_equal(codec_try(CONTROL("operator_request"), SLICE_LIT("\1\0\0\0v" "\1\0\0\0" "\0\0\0\0")), 0);
}

static void
test_pinned(void **state)
{
	struct pinned_segment segments[2] = { { 0, 1048576, 1048576 }, { 999, 1073741824, 8192 } };
	struct control_pinned in = { .directory = SLICE_LIT("/var/spool/posthorn"), .messages = 12, .count = 2, .segments = segments };

	(void)state;
	control_pinned_put(&b, &in);
	codec_check(CONTROL("control_pinned"), &b);
	in.segments[1].length = in.segments[1].size + 1;	/* more than there is */
	buf_reset(&b);
	control_pinned_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("control_pinned"), buf_slice(&b)), -1);
	in = (struct control_pinned){ .directory = SLICE_LIT("/q") };
	buf_reset(&b);
	control_pinned_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("control_pinned"), buf_slice(&b)), 0);
	in.directory = SLICE_LIT("");
	buf_reset(&b);
	control_pinned_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("control_pinned"), buf_slice(&b)), -1);
}

static void
test_item(void **state)
{
	static struct queue_item_recipient rcpts[ITEM_RECIPIENTS_MAX + 1];
	struct queue_item in = { .id = UINT64_MAX,
				 .size = UINT32_MAX,
				 .arrival_ms = TIME_MS_MAX,
				 .expiry_ms = TIME_MS_MAX,
				 .sender = codec_fill('s', ADDRESS_FIELD_MAX),
				 .active = true,
				 .held = true,
				 .count = 2,
				 .recipients = rcpts },
			  out;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++)
		rcpts[i] = (struct queue_item_recipient){ .address = codec_fill('a', ADDRESS_FIELD_MAX),
							  .original = codec_fill('o', ADDRESS_FIELD_MAX),
							  .fate = { .last = { .action = ACTION_UNKNOWN,
									      .status = STATUS(4, 999, 999),
									      .text = codec_fill('t', OUTCOME_TEXT_MAX),
									      .mta = codec_fill('m', MTA_NAME_MAX) },
								    .attempts = UINT32_MAX },
							  .active = true,
							  .nexthop = codec_fill('n', NEXTHOP_MAX),
							  .why = codec_fill('w', ITEM_WHY_MAX) };
	queue_item_put(&b, &in);
	codec_check(CONTROL("queue_item"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(queue_item_get(&r, &arena, &out), 0);
	assert_true(out.active && out.held);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.recipients[1].fate.last.action, ACTION_UNKNOWN);
	assert_int_equal(out.recipients[1].why.len, ITEM_WHY_MAX);
	arena_fini(&arena);

	in.count = ITEM_RECIPIENTS_MAX;		/* the worst case fits a frame */
	buf_reset(&b);
	queue_item_put(&b, &in);
	assert_true(buf_len(&b) <= FRAME_MAX);
	assert_int_equal(codec_try(CONTROL("queue_item"), buf_slice(&b)), 0);
	in.count++;
	buf_reset(&b);
	queue_item_put(&b, &in);
	assert_int_equal(codec_try(CONTROL("queue_item"), buf_slice(&b)), -1);
}

static void
test_spawn_start(void **state)
{
	static const struct { uint32_t uid, gid; bool good;
	} rows[] = {
		{ 1000, 1000, true },     { 1, 0, true },           { 0, 1000, false },
		{ UINT32_MAX, 1, false }, { 1, UINT32_MAX, false }, { UINT32_MAX - 1, UINT32_MAX - 1, true },
	};
	struct spawn_start in = {
		.worker = UINT64_MAX, .uid = 1000, .gid = 1000, .user = codec_fill('u', SPAWN_USER_MAX)
	};

	(void)state;
	spawn_start_put(&b, &in);
	codec_check(SPAWN("spawn_start"), &b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = (struct spawn_start){ .worker = 1, .uid = rows[i].uid, .gid = rows[i].gid };
		ROW(i, "");
		buf_reset(&b);
		spawn_start_put(&b, &in);
		assert_int_equal(codec_try(SPAWN("spawn_start"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_spawn_event(void **state)
{
	struct spawn_event in = { .worker = UINT64_MAX, .status = INT32_MIN, .text = codec_fill('t', SPAWN_TEXT_MAX) },
			   out;

	(void)state;
	spawn_event_put(&b, &in);
	codec_check(SPAWN("spawn_event"), &b);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(spawn_event_get(&r, &out), 0);
	assert_true(out.worker == UINT64_MAX && out.status == INT32_MIN);
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void
test_files_and_tickets(void **state)
{
	struct control_file file = { .kind = PASSED_KEY, .number = UINT32_MAX };
	struct control_tickets tickets = { .count = CONTROL_TICKET_KEYS };

	(void)state;
	control_file_put(&b, &file);
	codec_check(CONTROL("control_file"), &b);
	for (size_t i = 0; i < CONTROL_TICKET_KEYS; i++)
		memset(tickets.keys[i], (int)i + 1, CONTROL_TICKET_KEY);
	buf_reset(&b);
	control_tickets_put(&b, &tickets);
	codec_check(CONTROL("control_tickets"), &b);
	tickets.count = 0;
	buf_reset(&b);
	control_tickets_put(&b, &tickets);
	assert_int_equal(codec_try(CONTROL("control_tickets"), buf_slice(&b)), -1);
}

static void
test_key(void **state)
{
	struct key_question q = { .digest = KEY_SHA384, .pss = true, .content = codec_fill('c', KEY_CONTENT_MAX) };
	struct key_answer a = { .signature = codec_fill('s', KEY_SIGNATURE_MAX) };

	(void)state;
	memset(q.id, 0xfe, sizeof(q.id));
	key_question_put(&b, &q);
	codec_check(KEY("key_question"), &b);
	buf_reset(&b);
	key_answer_put(&b, &a);
	codec_check(KEY("key_answer"), &b);
	a.signature = codec_fill('s', KEY_SIGNATURE_MAX + 1);
	buf_reset(&b);
	key_answer_put(&b, &a);
	assert_int_equal(codec_try(KEY("key_answer"), buf_slice(&b)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUF(test_boot),    BUF(test_wire), BUF(test_conf_text_stop), BUF(test_bytes_limit),
		BUF(test_request), BUF(test_item), BUF(test_spawn_start),    BUF(test_spawn_event),
		BUF(test_pinned),  BUF(test_files_and_tickets), BUF(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
