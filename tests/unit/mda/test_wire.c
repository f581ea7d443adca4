/* test_wire — mda's frames to and from workers: round trip, cuts, changed bytes, and values that must be refused. */
#include "tests/unit/wire/codec.h"

#include "mda/worker/wire.h"
#include "tests/unit/mda/mailbox_rows.h"

enum { ROW_OPEN, ROW_DELIVER, ROW_CONTENT, ROW_IDS, ROW_REFUSED };

static void
begin(struct buf *b)
{
	buf_init(b, 1 << 20);
}

static void
test_round_trips(void **state)
{
	const struct mailbox_open open = { SLICE_LIT("/home/u"), SLICE_LIT("/home/u/Maildir"), SLICE_LIT("mx.example.org") };
	const struct mailbox_deliver deliver = { 7, DELIVER_MAYBE | DELIVER_OWN_SYNC, 1700000000, UINT64_MAX, 3,
	    SLICE_LIT("a@example.org"), SLICE_LIT("\"b c\"@example.org"), 9, SLICE_LIT("a: b\r\n\r\n.") };
	const struct mailbox_content content = { 7, SLICE_LIT("more") };
	const struct mailbox_refused refused = { 0, true, STATUS(4, 2, 2), SLICE_LIT("quota") };
	struct mailbox_ids ids = { .count = 3, .ids = { 1, UINT64_MAX, 3 } };
	struct buf b;

	(void)state;
	begin(&b);
	mailbox_open_put(&b, &open);
	codec_check(&mailbox_rows[ROW_OPEN], &b);
	buf_reset(&b);
	mailbox_deliver_put(&b, &deliver);
	codec_check(&mailbox_rows[ROW_DELIVER], &b);
	buf_reset(&b);
	mailbox_content_put(&b, &content);
	codec_check(&mailbox_rows[ROW_CONTENT], &b);
	buf_reset(&b);
	mailbox_ids_put(&b, &ids);
	codec_check(&mailbox_rows[ROW_IDS], &b);
	buf_reset(&b);
	mailbox_refused_put(&b, &refused);
	codec_check(&mailbox_rows[ROW_REFUSED], &b);
	buf_fini(&b);
}

static void
refused_open(struct slice home, struct slice maildir, struct slice host)
{
	const struct mailbox_open open = { home, maildir, host };
	struct mailbox_open out;
	struct reader r;
	struct buf b;

	begin(&b);
	mailbox_open_put(&b, &open);
	r = reader_of(buf_slice(&b));
	assert_int_equal(mailbox_open_get(&r, &out), -1);
	buf_fini(&b);
}

static void
test_bad_open(void **state)
{
	(void)state;
	refused_open(SLICE_LIT("home"), SLICE_LIT("/m"), SLICE_LIT("h"));
	refused_open(SLICE_LIT("/h"), SLICE_LIT("m"), SLICE_LIT("h"));
	refused_open(SLICE_LIT("/h"), SLICE_LIT(""), SLICE_LIT("h"));
	refused_open(SLICE_LIT("/h"), SLICE_LIT("/m\0x"), SLICE_LIT("h"));
	refused_open(SLICE_LIT("/h"), SLICE_LIT("/m"), SLICE_LIT(""));
	refused_open(SLICE_LIT("/h"), SLICE_LIT("/m"), SLICE_LIT("h\nx"));
}

static const struct {
	const char		*name;
	struct mailbox_deliver	 deliver;
} bad[] = {
	{ "no id", { 0, 0, 1, 1, 1, { NULL, 0 }, { "a@b", 3 }, 0, { NULL, 0 } } },
	{ "unknown flag", { 1, 4, 1, 1, 1, { NULL, 0 }, { "a@b", 3 }, 0, { NULL, 0 } } },
	{ "no recipient", { 1, 0, 1, 1, 1, { NULL, 0 }, { NULL, 0 }, 0, { NULL, 0 } } },
	{ "a second header line", { 1, 0, 1, 1, 1, { NULL, 0 }, { "a@b\nX: y", 8 }, 0, { NULL, 0 } } },
	{ "a second line in the sender", { 1, 0, 1, 1, 1, { "a\r@b", 4 }, { "a@b", 3 }, 0, { NULL, 0 } } },
	{ "before 1970", { 1, 0, -1, 1, 1, { NULL, 0 }, { "a@b", 3 }, 0, { NULL, 0 } } },
	{ "more content than size", { 1, 0, 1, 1, 1, { NULL, 0 }, { "a@b", 3 }, 2, { "xyz", 3 } } },
};

static void
test_bad_deliver(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mailbox_deliver out;
		struct reader r;
		struct buf b;

		ROW(i, bad[i].name);
		begin(&b);
		mailbox_deliver_put(&b, &bad[i].deliver);
		r = reader_of(buf_slice(&b));
		assert_int_equal(mailbox_deliver_get(&r, &out), -1);
		buf_fini(&b);
	}
}

/* A worker can only delay: class 2 or 5 out of its mouth is a lie. */
static void
test_worker_can_only_delay(void **state)
{
	static const struct status statuses[] = { { 2, 0, 0 }, { 5, 1, 1 }, { 0, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const struct mailbox_refused refused = { .id = 1, .status = statuses[i] };
		struct mailbox_refused out;
		struct reader r;
		struct buf b;

		begin(&b);
		mailbox_refused_put(&b, &refused);
		r = reader_of(buf_slice(&b));
		assert_int_equal(mailbox_refused_get(&r, &out), -1);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_bad_open),
		cmocka_unit_test(test_bad_deliver),
		cmocka_unit_test(test_worker_can_only_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
