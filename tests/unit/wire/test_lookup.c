/* test_lookup — questions and answers about addresses. */
#include "tests/unit/wire/codec.h"

#include "wire/auth.h"
#include "wire/lookup.h"

#define LOOKUP(name)	codec_of(recode_lookup, recode_lookup_count, name)

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
test_route_question(void **state)
{
	struct slice addresses[ROUTE_ADDRESSES_MAX + 1];
	struct route_question in = { .serial = UINT64_MAX, .count = 3, .addresses = addresses };
	static const struct { uint32_t count; bool good; } rows[] = {
		{ 0, false }, { 1, true }, { ROUTE_ADDRESSES_MAX, true }, { ROUTE_ADDRESSES_MAX + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		addresses[i] = SLICE_LIT("user@example.org");
	addresses[1] = codec_fill('a', ADDRESS_FIELD_MAX);
	route_question_put(&b, &in);
	codec_check(LOOKUP("route_question"), &b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in.count = rows[i].count;
		buf_reset(&b);
		route_question_put(&b, &in);
		assert_int_equal(codec_try(LOOKUP("route_question"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
	addresses[0] = SLICE_LIT("");
	in.count = 1;
	buf_reset(&b);
	route_question_put(&b, &in);
	assert_int_equal(codec_try(LOOKUP("route_question"), buf_slice(&b)), -1);
}

static void
test_route_answer(void **state)
{
	struct route routes[ROUTE_VERDICT_COUNT - 1] = {
		{ .verdict = ROUTE_LOCAL, .transport = TRANSPORT_LOCAL, .nexthop = codec_fill('n', NEXTHOP_MAX) },
		{ .verdict = ROUTE_REMOTE, .transport = TRANSPORT_RELAY, .nexthop = SLICE_LIT("[192.0.2.1]:25") },
		{ .verdict = ROUTE_UNKNOWN, .status = STATUS(5, 1, 1), .text = codec_fill('t', ROUTE_TEXT_MAX) },
		{ .verdict = ROUTE_INVALID, .status = STATUS(5, 1, 3) },
		{ .verdict = ROUTE_TRY_LATER, .status = STATUS(4, 3, 0), .text = SLICE_LIT("no answer in time") },
	};
	struct route_answer in = { .serial = UINT64_MAX,
				   .generation = UINT64_MAX,
				   .ttl_ms = UINT32_MAX,
				   .count = 5,
				   .routes = routes },
			    out;
	struct arena arena;

	(void)state;
	route_answer_put(&b, &in);
	codec_check(LOOKUP("route_answer"), &b);
	arena_init(&arena, 1 << 20);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(route_answer_get(&r, &arena, &out), 0);
	assert_true(out.generation == UINT64_MAX && out.ttl_ms == UINT32_MAX);
	assert_int_equal(out.count, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(out.routes[i].verdict, i + 1);
		assert_true(slice_eq(out.routes[i].nexthop, routes[i].nexthop));
		assert_true(slice_eq(out.routes[i].text, routes[i].text));
		assert_int_equal(out.routes[i].status.class, routes[i].status.class);
	}
	assert_int_equal(out.routes[1].transport, TRANSPORT_RELAY);
	arena_fini(&arena);
}

static void
test_bad_routes(void **state)
{
	static const struct { const char *name; struct route route; } rows[] = {
		{ "no verdict", { .verdict = ROUTE_NONE } },
		{ "beyond the last", { .verdict = ROUTE_VERDICT_COUNT } },
		{ "local by no transport", { .verdict = ROUTE_LOCAL, .nexthop = { "x", 1 } } },
		{ "remote to nowhere", { .verdict = ROUTE_REMOTE, .transport = TRANSPORT_RELAY } },
		{ "unknown transport", { .verdict = ROUTE_UNKNOWN, .transport = TRANSPORT_COUNT } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route route = rows[i].route;
		struct route_answer in = { .count = 1, .routes = &route };

		ROW(i, rows[i].name);
		buf_reset(&b);
		route_answer_put(&b, &in);
		assert_int_equal(codec_try(LOOKUP("route_answer"), buf_slice(&b)), -1);
	}
}

static void
test_mailbox_question(void **state)
{
	struct mailbox_question in = { .serial = UINT64_MAX, .address = codec_fill('a', ADDRESS_FIELD_MAX) };

	(void)state;
	mailbox_question_put(&b, &in);
	codec_check(LOOKUP("mailbox_question"), &b);
	in.address = SLICE_LIT("");
	buf_reset(&b);
	mailbox_question_put(&b, &in);
	assert_int_equal(codec_try(LOOKUP("mailbox_question"), buf_slice(&b)), -1);
}

static void
test_mailbox_answer(void **state)
{
	struct mailbox_answer in = { .serial = UINT64_MAX,
				     .verdict = ROUTE_LOCAL,
				     .uid = UINT32_MAX,
				     .gid = UINT32_MAX,
				     .user = codec_fill('u', USER_NAME_MAX),
				     .home = SLICE_LIT("/home/u"),
				     .maildir = codec_fill('/', PATH_TEXT_MAX),
				     .text = codec_fill('t', ROUTE_TEXT_MAX) },
			      out;

	(void)state;
	mailbox_answer_put(&b, &in);
	codec_check(LOOKUP("mailbox_answer"), &b);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(mailbox_answer_get(&r, &out), 0);
	assert_true(out.uid == UINT32_MAX && out.gid == UINT32_MAX);
	assert_slice(out.home, "/home/u");
	assert_int_equal(out.maildir.len, PATH_TEXT_MAX);
	assert_int_equal(out.user.len, USER_NAME_MAX);
}

static void
test_mailbox_rules(void **state)
{
	static const struct {
		const char *name;
		enum route_verdict verdict;
		struct slice home, maildir;
		bool good;
	} rows[] = {
		{ "user without a home", ROUTE_LOCAL, { "", 0 }, { "/m", 2 }, true },
		{ "no Maildir", ROUTE_LOCAL, { "/h", 2 }, { "", 0 }, false },
		{ "relative Maildir", ROUTE_LOCAL, { "/h", 2 }, { "m", 1 }, false },
		{ "relative home", ROUTE_LOCAL, { "h", 1 }, { "/m", 2 }, false },
		{ "NUL in a path", ROUTE_LOCAL, { "/h", 2 }, { "/\0m", 3 }, false },
		{ "unknown", ROUTE_UNKNOWN, { "", 0 }, { "", 0 }, true },
		{ "try later", ROUTE_TRY_LATER, { "", 0 }, { "", 0 }, true },
		{ "remote is no answer", ROUTE_REMOTE, { "", 0 }, { "", 0 }, false },
		{ "invalid is no answer", ROUTE_INVALID, { "", 0 }, { "", 0 }, false },
		{ "none is no answer", ROUTE_NONE, { "", 0 }, { "", 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mailbox_answer in = { .verdict = rows[i].verdict,
					     .home = rows[i].home,
					     .maildir = rows[i].maildir };

		ROW(i, rows[i].name);
		buf_reset(&b);
		mailbox_answer_put(&b, &in);
		assert_int_equal(codec_try(LOOKUP("mailbox_answer"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_generation(void **state)
{
	uint64_t out = 0;

	(void)state;
	lookup_generation_put(&b, UINT64_MAX);
	codec_check(LOOKUP("lookup_generation"), &b);
	struct reader r = reader_of(buf_slice(&b));
	assert_int_equal(lookup_generation_get(&r, &out), 0);
	assert_true(out == UINT64_MAX);
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void
test_sender_question(void **state)
{
	struct sender_question in = { .serial = UINT64_MAX, .login = codec_fill('l', AUTH_LOGIN_MAX), .count = 2,
		.addresses = { codec_fill('a', ADDRESS_FIELD_MAX), SLICE_LIT("user@example.org") } };
	static const struct { const char *login, *address; uint32_t count; bool good; } rows[] = {
		{ "bob", "bob@example.org", 1, true }, { "", "bob@example.org", 1, false }, { "bob", "", 1, false },
		{ "bob", "bob@example.org", 0, false }, { "bob", "bob@example.org", SENDER_ADDRESSES_MAX, true },
	};

	(void)state;
	sender_question_put(&b, &in);
	codec_check(LOOKUP("sender_question"), &b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].login);
		in.login = slice_str(rows[i].login);
		in.count = rows[i].count;
		for (uint32_t k = 0; k < SENDER_ADDRESSES_MAX; k++)
			in.addresses[k] = slice_str(rows[i].address);
		buf_reset(&b);
		sender_question_put(&b, &in);
		assert_int_equal(codec_try(LOOKUP("sender_question"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_sender_answer(void **state)
{
	static const struct { struct sender_answer answer; bool good; } rows[] = {
		{ { 1, SENDER_OWN, 0 }, true }, { { 1, SENDER_FOREIGN, 0 }, true },
		{ { 1, SENDER_FOREIGN, SENDER_ADDRESSES_MAX - 1 }, true }, { { 1, SENDER_TRY_LATER, 0 }, true },
		{ { 1, SENDER_NONE, 0 }, false }, { { 1, SENDER_VERDICT_COUNT, 0 }, false }, { { 1, SENDER_OWN, 1 }, false },
		{ { 1, SENDER_FOREIGN, SENDER_ADDRESSES_MAX }, false },
	};

	(void)state;
	sender_answer_put(&b, &(struct sender_answer){ UINT64_MAX, SENDER_FOREIGN, 3 });
	codec_check(LOOKUP("sender_answer"), &b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, "");
		buf_reset(&b);
		sender_answer_put(&b, &rows[i].answer);
		assert_int_equal(codec_try(LOOKUP("sender_answer"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUF(test_route_question), BUF(test_route_answer), BUF(test_bad_routes), BUF(test_sender_question), BUF(test_sender_answer), BUF(test_mailbox_question),
		BUF(test_mailbox_answer), BUF(test_mailbox_rules), BUF(test_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
