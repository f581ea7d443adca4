/*
 * BDAT (RFC 3030): whole dialogues in one write, cut at every byte, and byte by byte, which must make no difference.
 */
#include <malloc.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define RCPT		"RCPT TO:<user@example.net>\r\n"
#define BEGUN		"250 2.1.0 Ok", "250 2.1.5 Ok"
#define QUEUED		"250 2.0.0 Ok: queued as "
#define NOOP		"NOOP\r\n"
#define FINE		"250 2.0.0 Ok"
#define BARE		"550 5.6.11 "

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	w.conf.message_size = 100;
	world_reopen(&w);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static const struct row {
	const char	*name, *say;
	const char	*replies[10];
	const char	*content;		/* of the one message that queue gets; NULL: none */
	bool		 closed;
} rows[] = {
	{ "one chunk", MAIL RCPT "BDAT 12 LAST\r\nSubject: x\r\n" NOOP, { BEGUN, QUEUED, FINE }, "Subject: x\r\n", false },
	{ "any case", MAIL RCPT "bdat 3 last\r\na\r\n", { BEGUN, QUEUED }, "a\r\n", false },
	{ "leading zeros", MAIL RCPT "BDAT 0003 LAST\r\na\r\n", { BEGUN, QUEUED }, "a\r\n", false },
	{ "chunks end where they like", MAIL RCPT "BDAT 1\r\naBDAT 2\r\nb\rBDAT 3\r\n\nc\rBDAT 1 LAST\r\n\n",
	    { BEGUN, "250 2.0.0 Ok: 1 octets", "250 2.0.0 Ok: 2 octets", "250 2.0.0 Ok: 3 octets", QUEUED }, "ab\r\nc\r\n", false },
	{ "nothing at all", MAIL RCPT "BDAT 0 LAST\r\n" NOOP, { BEGUN, QUEUED, FINE }, "", false },
	{ "nothing more", MAIL RCPT "BDAT 3\r\na\r\nBDAT 0\r\nBDAT 0 LAST\r\n" NOOP, { BEGUN, FINE ": 3", FINE ": 0", QUEUED, FINE }, "a\r\n", false },
	{ "dots and commands are text", MAIL RCPT "BDAT 14 LAST\r\n.\r\nQUIT\r\n..\r\n\r" NOOP, { BEGUN, BARE }, NULL, true },
	{ "a lone dot", MAIL RCPT "BDAT 13 LAST\r\n.\r\nQUIT\r\n..\r\n" NOOP, { BEGUN, QUEUED, FINE }, ".\r\nQUIT\r\n..\r\n", false },
	{ "CRLF is added at the end", MAIL RCPT "BDAT 1 LAST\r\nx" NOOP, { BEGUN, QUEUED, FINE }, "x\r\n", false },
	{ "a bare LF", MAIL RCPT "BDAT 4 LAST\r\na\nb\r" NOOP, { BEGUN, BARE }, NULL, true },
	{ "a bare LF, and more to come", MAIL RCPT "BDAT 7\r\na\n.\r\nb\nBDAT 3 LAST\r\nx\r\n", { BEGUN, BARE }, NULL, true },
	{ "LF . LF and a command behind it", MAIL RCPT "BDAT 4 LAST\r\na\n.\n" MAIL RCPT "BDAT 3 LAST\r\nx\r\n", { BEGUN, BARE }, NULL, true },
	{ "a bare CR", MAIL RCPT "BDAT 5 LAST\r\na\rb\r\n" NOOP, { BEGUN, BARE }, NULL, true },
	{ "a CR at the end", MAIL RCPT "BDAT 2 LAST\r\na\r" NOOP, { BEGUN, BARE }, NULL, true },
	{ "a CR at the end, and the LF of nobody", MAIL RCPT "BDAT 2\r\na\rBDAT 0 LAST\r\n", { BEGUN, FINE ": 2", BARE }, NULL, true },
	{ "a CR that the next chunk leaves alone", MAIL RCPT "BDAT 2\r\na\rBDAT 3 LAST\r\nb\r\n" NOOP, { BEGUN, FINE ": 2", BARE }, NULL, true },
	{ "no MAIL", "BDAT 6 LAST\r\nQUIT\r\n" NOOP, { "503 5.5.1 Error: need MAIL", FINE }, NULL, false },
	{ "no RCPT", MAIL "BDAT 6 LAST\r\nQUIT\r\n" RCPT, { "250", "554 5.5.1", "503 5.5.1" }, NULL, false },
	{ "nobody was taken", MAIL "RCPT TO:<nobody@example.net>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" NOOP,
	    { "250", "550 5.1.1", "554 5.5.1", "503 5.5.1", FINE }, NULL, false },
	{ "DATA behind BDAT", MAIL RCPT "BDAT 3\r\na\r\nDATA\r\nBDAT 0 LAST\r\n", { BEGUN, FINE, "503 5.5.1 Error: BDAT", QUEUED }, "a\r\n", false },
	{ "RCPT behind BDAT", MAIL RCPT "BDAT 3\r\na\r\nRCPT TO:<user2@example.net>\r\nBDAT 0 LAST\r\n",
	    { BEGUN, FINE, "503 5.5.1 Error: BDAT", QUEUED }, "a\r\n", false },
	{ "MAIL behind BDAT", MAIL RCPT "BDAT 3\r\na\r\n" MAIL "BDAT 0 LAST\r\n", { BEGUN, FINE, "503 5.5.1 Error: nested", QUEUED }, "a\r\n", false },
	{ "RSET between", MAIL RCPT "BDAT 3\r\na\r\nRSET\r\nBDAT 3 LAST\r\nb\r\n" MAIL RCPT "BDAT 3 LAST\r\nc\r\n",
	    { BEGUN, FINE, FINE, "503", BEGUN, QUEUED }, "c\r\n", false },
	{ "RSET is text, too", MAIL RCPT "BDAT 6\r\nRSET\r\nBDAT 3 LAST\r\nb\r\n", { BEGUN, FINE, QUEUED }, "RSET\r\nb\r\n", false },
	{ "what changes nothing", MAIL RCPT "BDAT 3\r\na\r\nNOOP\r\nVRFY x\r\nEXPN x\r\nWHAT\r\nBDAT 0 LAST\r\n",
	    { BEGUN, FINE, FINE, "252", "502", "500", QUEUED }, "a\r\n", false },
	{ "too big", MAIL RCPT "BDAT 101 LAST\r\n"
	    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" NOOP,
	    { BEGUN, "552 5.3.4", FINE }, NULL, false },
	{ "just not too big", MAIL RCPT "BDAT 100 LAST\r\n"
	    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n" NOOP,
	    { BEGUN, QUEUED, FINE },
	    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n", false },
	{ "too big in sum", MAIL RCPT "BDAT 60\r\n123456789012345678901234567890123456789012345678901234567890BDAT 41\r\n"
	    "12345678901234567890123456789012345678901BDAT 6 LAST\r\nQUIT\r\n" NOOP, { BEGUN, FINE, "552 5.3.4", "503", FINE }, NULL, false },
	{ "far too big", MAIL RCPT "BDAT 99999999 LAST\r\nQUIT\r\n", { BEGUN, "552 5.3.4" }, NULL, true },
	{ "far too big for nobody", "BDAT 99999999 LAST\r\nQUIT\r\n", { "503 5.5.1" }, NULL, true },
	{ "the largest size", MAIL RCPT "BDAT 9223372036854775807\r\nQUIT\r\n", { BEGUN, "552 5.3.4" }, NULL, true },
	{ "one more", MAIL RCPT "BDAT 9223372036854775808\r\nQUIT\r\n", { BEGUN, "501 5.5.4" }, NULL, true },
	{ "more than numbers can say", MAIL RCPT "BDAT 18446744073709551617 LAST\r\nQUIT\r\n", { BEGUN, "501 5.5.4" }, NULL, true },
	{ "endless digits", MAIL RCPT "BDAT 00000000000000000000000000000000003 LAST\r\na\r\n", { BEGUN, "501 5.5.4" }, NULL, true },
	{ "a negative size", MAIL RCPT "BDAT -1 LAST\r\nQUIT\r\n", { BEGUN, "501 5.5.4" }, NULL, true },
	{ "a sign", MAIL RCPT "BDAT +1 LAST\r\nx" NOOP, { BEGUN, "501 5.5.4" }, NULL, true },
	{ "no size", MAIL RCPT "BDAT\r\n" NOOP, { BEGUN, "501 5.5.4" }, NULL, true },
	{ "no size, but LAST", MAIL RCPT "BDAT LAST\r\n" NOOP, { BEGUN, "501 5.5.4" }, NULL, true },
	{ "no size and no transaction", "BDAT x\r\n" NOOP, { "501 5.5.4" }, NULL, true },
	{ "a tab", MAIL RCPT "BDAT 3\tLAST\r\na\r\n" NOOP, { BEGUN, "501 5.5.4" }, NULL, true },
	{ "an odd marker", MAIL RCPT "BDAT 6 FIRST\r\nQUIT\r\nBDAT 3 LAST\r\nb\r\n" NOOP, { BEGUN, "501 5.5.4", "503", FINE }, NULL, false },
	{ "an odd marker in the middle", MAIL RCPT "BDAT 3\r\na\r\nBDAT 6 LAST x\r\nQUIT\r\nBDAT 0 LAST\r\n", { BEGUN, FINE, "501", "503" }, NULL, false },
	{ "LAST twice", MAIL RCPT "BDAT 3 LAST\r\na\r\nBDAT 6 LAST\r\nQUIT\r\n" NOOP, { BEGUN, QUEUED, "503", FINE }, "a\r\n", false },
	{ "QUIT between", MAIL RCPT "BDAT 3\r\na\r\nQUIT\r\n", { BEGUN, FINE, "221" }, NULL, true },
};

static void
forget(void)
{
	for (size_t i = 0; i < w.stored_count; i++) {
		buf_fini(&w.stored[i].sender);
		buf_fini(&w.stored[i].recipients);
		buf_fini(&w.stored[i].content);
	}
	w.stored_count = 0;
}

static void
check_row(const struct row *row)
{
	struct slice got, want = slice_str(row->content);

	assert_int_equal(w.stored_count, row->content != NULL);
	if (row->content == NULL)
		return;
	got = buf_slice(&w.stored[0].content);
	assert_slice(buf_slice(&w.stored[0].recipients), "user@example.net\n");
	assert_int_equal(got.len, w.stored[0].size);
	assert_true(got.len > want.len + 4);
	/* behind the trace header, which ends with a line that begins with a tab */
	slice_drop(&got, got.len - want.len - 2);
	assert_true(slice_starts(got, SLICE_LIT("\r\n")));
	slice_drop(&got, 2);
	assert_true(slice_eq(got, want));
}

/* The dialogue in pieces: the first of `cut` bytes, the rest in steps of `step`. */
static void
play(const struct row *row, size_t cut, size_t step)
{
	size_t len = strlen(row->say);

	world_hello(&w, STRANGER);
	for (size_t at = 0; at < len; at += cut) {
		if (at > 0)
			cut = step;
		world_send(&w, row->say + at, len - at < cut ? len - at : cut);
		if (at + cut < len)
			world_run_round(&w);
	}
	for (size_t i = 0; row->replies[i] != NULL; i++)
		world_expect(&w, row->replies[i]);
	if (row->closed)
		world_expect_close(&w);
	else
		world_talk(&w, NOOP, FINE);
	check_row(row);
	forget();
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].say);

		ROW(i, rows[i].name);
		play(&rows[i], 1, 1);
		for (size_t cut = 1; cut <= len; cut++)
			play(&rows[i], cut, len);
	}
}

static void
begin(void)
{
	world_talk(&w, MAIL, "250");
	world_talk(&w, RCPT, "250");
}

/* Before EHLO, and with one in the middle, which has to be the last of what is sent at once. */
static void
test_hello(void **state)
{
	(void)state;
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	world_talk(&w, "BDAT 6 LAST\r\nQUIT\r\n" NOOP, "503 5.5.1 Error: send HELO");
	world_expect(&w, FINE);
	world_talk(&w, "HELO x\r\n", "250");
	begin();
	world_talk(&w, "BDAT 3\r\na\r\n", "250");
	world_talk(&w, "HELO x\r\n", "250");
	world_talk(&w, "BDAT 0 LAST\r\n", "503");
	begin();
	world_talk(&w, "BDAT 1\r\nxEHLO y\r\n", FINE ": 1");
	assert_int_equal(w.stored_count, 0);
}

static void
test_verdicts(void **state)
{
	static const struct {
		enum submit_verdict	 verdict;
		const char		*reply;
	} verdicts[] = {
		{ VERDICT_TRY_LATER, "451 4.3.0" }, { VERDICT_NO_SPACE, "452 4.3.1" }, { VERDICT_REFUSED, "550 5.7.1" }, { VERDICT_DURABLE, QUEUED },
	};

	(void)state;
	world_hello(&w, STRANGER);
	w.verdict = VERDICT_NONE;
	for (unsigned i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		begin();
		world_talk(&w, "BDAT 3\r\na\r\n", "250");
		world_say(&w, "BDAT 3 LAST\r\nb\r\nBDAT 4\r\nRSET" NOOP);
		while (w.stored_count == i)
			world_run_round(&w);
		assert_int_equal(buf_len(&w.got), 0);		/* not a word before the verdict */
		world_give_verdict(&w, i, verdicts[i].verdict);
		world_expect(&w, verdicts[i].reply);
		world_expect(&w, "503");
		world_expect(&w, FINE);
	}
	world_talk(&w, "QUIT\r\n", "221");
	world_expect_close(&w);
	assert_true(world_logged(&w, "bdat=5/12"));
}

/* queue is replaced before the first chunk, between two, and while it decides. */
static void
test_queue_lost(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	begin();
	world_queue(&w);
	world_talk(&w, "BDAT 6 LAST\r\nQUIT\r\n" NOOP, "451 4.3.2");
	world_expect(&w, FINE);
	begin();
	world_talk(&w, "BDAT 3\r\na\r\n", "250");
	world_queue(&w);
	world_talk(&w, "BDAT 3 LAST\r\nb\r\n", "451 4.3.0");
	begin();
	w.verdict = VERDICT_NONE;
	world_say(&w, "BDAT 3 LAST\r\nb\r\n");
	while (w.stored_count == 0)
		world_run_round(&w);
	channel_close(&w.queue);
	world_expect(&w, "451 4.3.0");
	world_talk(&w, "BDAT 0 LAST\r\n", "503");
}

/* A large content in chunks of every size goes by file; one that gets no file is refused chunk by chunk. */
static void
test_large(void **state)
{
	static char chunk[40000];
	char command[40];
	size_t total = 0;
	uint32_t crc;

	(void)state;
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = (char)('a' + i % 23);
	w.conf.message_size = 1000000;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	begin();
	world_talk(&w, "BDAT 2\r\n\r\n", FINE ": 2");
	for (size_t size = 1; total < 600000; size = size * 3 % sizeof(chunk) + 1) {
		snprintf(command, sizeof(command), "BDAT %zu\r\n", size);
		world_say(&w, command);
		world_send(&w, chunk, size);
		world_expect(&w, FINE ": ");
		total += size;
	}
	world_talk(&w, "BDAT 2 LAST\r\n\r\n", QUEUED);
	assert_int_equal(w.stored_count, 1);
	assert_true(w.stored[0].large);
	assert_true(w.stored[0].size > total && w.stored[0].size < total + 400);
	crc = crc32c(0, buf_slice(&w.stored[0].content).p, buf_len(&w.stored[0].content));
	assert_int_equal(crc, w.stored[0].crc);
	w.no_file = true;
	begin();
	world_talk(&w, "BDAT 2\r\n\r\n", FINE ": 2");
	for (int i = 0; i < 6; i++) {
		world_say(&w, "BDAT 40000\r\n");
		world_send(&w, chunk, sizeof(chunk));
		world_expect(&w, FINE ": 40000");
	}
	world_say(&w, "BDAT 40000\r\n");
	world_send(&w, chunk, sizeof(chunk));
	world_expect(&w, "451 4.3.0");
	world_say(&w, "BDAT 40000 LAST\r\n");
	world_send(&w, chunk, sizeof(chunk));
	world_expect(&w, "503");
	world_talk(&w, NOOP, FINE);
	assert_int_equal(w.stored_count, 1);
}

/* The client hangs or leaves in the middle of a chunk. */
static void
test_hangs_and_leaves(void **state)
{
	static char chunk[400000];

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	w.conf.message_size = 1000000;
	w.conf.smtpd.data_timeout = 50;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	begin();
	world_talk(&w, "BDAT 10\r\nhalf of i", "421 4.4.2");
	world_expect_close(&w);
	assert_true(world_logged(&w, "=BDAT "));
	world_hello(&w, STRANGER);
	world_talk(&w, "BDAT 10\r\nhalf of i", "421 4.4.2");		/* passed over, with no more patience */
	world_expect_close(&w);
	w.conf.smtpd.data_timeout = 60000;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	begin();
	world_say(&w, "BDAT 400002 LAST\r\n\r\n");
	world_send(&w, chunk, 300000);
	while (w.file_asked == 0)
		world_run_round(&w);
	world_hang_up(&w);
	world_until(&w, &w.drops, 1);
	assert_int_equal(w.stored_count, 0);
	assert_true(world_logged(&w, "bdat=0/1"));
}

/* A refused chunk is an error as any other, and empty ones that lead nowhere are junk. */
static void
test_limits(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	for (int i = 0; i < 20; i++)
		world_talk(&w, "BDAT 6\r\nQUIT\r\n", "503");
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
	world_hello(&w, STRANGER);
	begin();
	for (int i = 0; i < 119; i++)		/* EHLO was the first */
		world_talk(&w, "BDAT 0\r\n", FINE ": 0");
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
}

/* A million chunks of one byte: the content grows, and goes to its file; nothing else does. */
static void
test_million(void **state)
{
	enum { BATCH = 500, ROUNDS = 2000 };
	struct buf batch;
	size_t early = 0;

	(void)state;
	w.conf.message_size = 2000000;
	world_reopen(&w);
	world_hello(&w, STRANGER);
	begin();
	world_talk(&w, "BDAT 2\r\n\r\n", FINE ": 2");
	buf_init(&batch, 1 << 20);
	for (int i = 0; i < BATCH; i++)
		buf_puts(&batch, "BDAT 1\r\nx");
	for (int round = 0; round < ROUNDS; round++) {
		if (round == ROUNDS / 2)
			early = mallinfo2().uordblks;
		world_send(&w, buf_slice(&batch).p, buf_len(&batch));
		for (int i = 0; i < BATCH; i++)
			world_expect(&w, "250 2.0.0 Ok: 1 octets");
	}
	assert_true(mallinfo2().uordblks <= early + 65536);
	world_talk(&w, "BDAT 0 LAST\r\n", QUEUED);
	assert_true(w.stored[0].size > (uint32_t)BATCH * ROUNDS);
	buf_fini(&batch);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, open_mx, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_hello),
		TEST(test_verdicts),
		TEST(test_queue_lost),
		TEST(test_large),
		TEST(test_hangs_and_leaves),
		TEST(test_limits),
		TEST(test_million),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
