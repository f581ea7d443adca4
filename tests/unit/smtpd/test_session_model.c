/*
 * Random command sequences against session_model: each reply has the code that the model says, and queue gets exactly the messages
 * that the model has. Commands leave in random groups, cut at random places, while queue and lookup come and go.
 *
 *	test_session_model [--long | --count N] [--seed N] [--first N]
 *
 * A failure prints what repeats its sequence alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#include "base/num.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/session_model.h"
#include "tests/unit/smtpd/world.h"

#define COUNT		100000
#define COUNT_LONG	1000000
#define GROUPS		8	/* most writes of a session */
#define GROUP		8	/* most commands of a write */

/* One world after the other, an equal share of the sequences in each. */
static const struct setting_of {
	enum wire_role		 role;
	const char		*peer;
	struct model_rules	 rules;
} settings[] = {
	{ ROLE_MX, "192.0.2.9", { .recipients = 4, .message_size = 600 } },
	{ ROLE_TRUSTED, "10.1.2.3", { .may_relay = true, .recipients = 4, .message_size = 600 } },
	{ ROLE_MX, "192.0.2.9", { .max_errors = 5, .max_junk = 10, .recipients = 4, .message_size = 600 } },
	{ ROLE_SUBMISSION, "192.0.2.9", { .login_wanted = true, .recipients = 4, .message_size = 600 } },
	{ ROLE_SUBMISSION, "10.1.2.3", { .may_relay = true, .recipients = 4, .message_size = 600 } },
};
#define SETTINGS	(sizeof(settings) / sizeof(settings[0]))

static struct world w;
static struct model model;
static struct model_message messages[MODEL_MESSAGES];
static struct buf bytes, trace;
static uint64_t seed, first, count = COUNT, now, dice;
static enum model_verdict verdict;
static const char *piece;	/* of a chunk; what the last one has left of it */
static uint64_t replies_heard, messages_found;
static bool whole;		/* this group must not be cut */
static bool completed;		/* messages get what their header lacks */

static uint64_t
throw_dice(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

static unsigned
below(unsigned n)
{
	return (unsigned)(throw_dice() >> 20) % n;
}

/* ---- what is said ---- */

/* The bytes of chunks: a stream of pieces that any chunk may cut, now and then with a CR or LF that stands alone. */
static char
next_byte(bool begin)
{
	static const char *const good[] = { "a", ".", "\r\n", ".\r\n", "..\r\n", "QUIT\r\n", "x\r\n.\r\nRSET\r\n", "\xc3\xa4\r\n", "TLS-Required: No\r\n", "a: b\r\n" };
	static const char *const bare[] = { "\r", "\n", "\n.\n", "\r\r\n", "\n.\r\n" };

	if (begin || *piece == '\0')
		piece = below(150) == 0 ? bare[below(5)] : good[below(10)];
	return *piece++;
}

static void
say_chunk(enum model_chunk form, bool last)
{
	static const char *const lost[] = { "BDAT\r\n", "BDAT -1\r\n", "BDAT LAST\r\n", "BDAT 99999999999999999999 LAST\r\n", "BDAT 3\tLAST\r\n" };
	char chunk[1024];
	size_t size = below(6) == 0 ? 0 : below(6) == 0 ? 1 : below(40) == 0 ? 500 + below(500) : below(30);

	if (form == MODEL_CHUNK_LOST) {
		buf_puts(&bytes, lost[below(5)]);
	} else {
		for (size_t i = 0; i < size; i++)
			chunk[i] = next_byte(i == 0 && !model.chunked);
		buf_printf(&bytes, "%s %zu%s\r\n", below(2) == 0 ? "BDAT" : "bdat", size,
		    form == MODEL_CHUNK_ODD ? " FIRST" : last ? " LAST" : "");
		(void)buf_append(&bytes, chunk, size);
	}
	model_bdat(&model, form, chunk, size, last, verdict);
}

static void
say_any_chunk(void)
{
	unsigned kind = below(40);

	if (kind == 0) {
		buf_puts(&bytes, "BDAT 1052777 LAST\r\n");
		model_bdat_huge(&model);
	} else {
		say_chunk(kind == 1 ? MODEL_CHUNK_LOST : kind < 5 ? MODEL_CHUNK_ODD : MODEL_CHUNK_GOOD, below(3) == 0);
	}
}

/* Lines and their dots, up to the end or to something that looks like one. */
static void
say_content(void)
{
	static const char *const lines[] = { "", "a", ".", "..", "QUIT", ".x", "DATA", "Subject: x", "TLS-Required: No", "tls-required: NO",
	    "TLS-Required: Yes" };
	static const char *const bare[] = { "\n.\r\n", "x\r\n.\n", "\r.\r\n", ".\r\r\n", "x\n.\nRSET\r\n.\r\n" };
	char content[MODEL_CONTENT];
	size_t len = 0;
	bool is_bare = below(25) == 0;

	for (unsigned n = below(40) == 0 ? 100 : below(6); n > 0; n--) {
		const char *line = lines[below(11)];

		buf_printf(&bytes, "%s%s\r\n", line[0] == '.' ? "." : "", line);
		len += (size_t)snprintf(content + len, sizeof(content) - len, "%s\r\n", line);
	}
	buf_puts(&bytes, is_bare ? bare[below(5)] : ".\r\n");
	model_content(&model, content, len, is_bare, verdict);
}

static const struct model_row *
row_like(const char *verb)
{
	const struct model_row *row;

	do
		row = &model_rows[below((unsigned)model_row_count)];
	while (strncasecmp(row->say, verb, strlen(verb)) != 0);
	return row;
}

/* A command that leads on to a message, or any other. */
static const struct model_row *
choose(void)
{
	const struct model_row *row;

	if (below(100) < 70) {
		if (!model.hello)
			return row_like(below(2) == 0 ? "EHLO" : "HELO");
		if (!model.mail)
			return row_like("MAIL");
		return row_like(model.count > 0 && below(2) == 0 ? "DATA" : "RCPT");
	}
	do
		row = &model_rows[below((unsigned)model_row_count)];
	while (row->closes && below(6) > 0);
	return row;
}

/* True: what comes next has to wait for the reply. */
static bool
say_command(void)
{
	const struct model_row *row = choose();
	bool early = row->last && below(25) == 0;

	buf_puts(&bytes, row->say);
	model_command(&model, row, early);
	if (!early)
		return row->last;
	whole = true;
	buf_puts(&bytes, "NOOP\r\n");
	if (!model.over)
		model_command(&model, row_like("NOOP\r\n"), false);
	return true;
}

/* ---- what is heard ---- */

static unsigned
heard(void)
{
	char line[2000];
	unsigned code = 0;

	do
		world_line(&w, "a reply", line, sizeof(line));
	while (line[3] == '-');
	if (sscanf(line, "%3u", &code) != 1)
		fail_msg("\"%s\"", line);
	return code;
}

static struct slice
take(struct slice *in, size_t len)
{
	struct slice taken = slice_of(in->p, len);

	assert_true(len <= in->len);
	slice_drop(in, len);
	return taken;
}

static void
skip_line(struct slice *in, const char *prefix)
{
	const char *end = memmem(in->p, in->len, "\r\n", 2);

	assert_true(slice_starts(*in, slice_str(prefix)));
	assert_non_null(end);
	(void)take(in, (size_t)(end - in->p) + 2);
}

/* RFC 6409 8: no message of the model has a Date or a Message-ID, so both have been added where its header ends. */
static void
compare_completed(struct slice got, const struct model_message *want)
{
	bool closed;
	size_t header = model_header(want, &closed);

	assert_memory_equal(take(&got, header).p, want->content, header);
	skip_line(&got, "Date: ");
	skip_line(&got, "Message-ID: <");
	if (!closed && header < want->len)
		skip_line(&got, "\r\n");
	assert_int_equal(got.len, want->len - header);
	assert_memory_equal(got.p, want->content + header, got.len);
}

static void
compare_message(const struct stored *got, const struct model_message *want)
{
	struct slice content = buf_slice(&got->content);

	assert_slice(buf_slice(&got->sender), want->sender);
	assert_slice(buf_slice(&got->recipients), want->recipients);
	assert_true(slice_starts(content, SLICE_LIT("Received: from ")));
	assert_int_equal(got->tls, want->no_tls_required ? TLS_TAG_OPTIONAL : TLS_TAG_NONE);
	skip_line(&content, "Received: ");
	while (slice_starts(content, SLICE_LIT("\t")))
		skip_line(&content, "\t");
	if (completed) {
		compare_completed(content, want);
		return;
	}
	if (want->len > 0 && (want->content[0] == ' ' || want->content[0] == '\t'))
		skip_line(&content, "\r\n");	/* else it would go on in the trace field */
	assert_int_equal(content.len, want->len);
	assert_memory_equal(content.p, want->content, want->len);
}

static void
forget_stored(void)
{
	for (size_t i = 0; i < w.stored_count; i++) {
		buf_fini(&w.stored[i].sender);
		buf_fini(&w.stored[i].recipients);
		buf_fini(&w.stored[i].content);
	}
	w.stored_count = 0;
}

static void
compare(void)
{
	for (unsigned i = 0; i < model.code_count; i++) {
		unsigned code = heard();

		if (code != model.codes[i])
			fail_msg("reply %u of a group: %u, and the model says %u", i, code, model.codes[i]);
	}
	if (model.over)
		world_expect_close(&w);
	assert_int_equal(w.stored_count, model.message_count);
	for (size_t i = 0; i < w.stored_count; i++)
		compare_message(&w.stored[i], &messages[i]);
	replies_heard += model.code_count;
	messages_found += model.message_count;
	forget_stored();
}

/* ---- sequences ---- */

/* Between groups lookup forgets, so that both ways through RCPT are walked; queue fills up, or is replaced. */
static void
disturb(void)
{
	switch (below(60)) {
	case 0:
	case 1:
	case 2:
		lookup_generation_put(channel_begin(w.lookup, LOOKUP_GENERATION), ++w.generation);
		assert_int_equal(channel_end(w.lookup), 0);
		break;
	case 3:
		model.full = !model.full;
		submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), model.full ? ROOM_NONE : ROOM_ALL);
		assert_int_equal(channel_end(w.queue), 0);
		break;
	case 4:
		buf_puts(&trace, "(another queue)\n");
		model_queue_lost(&model);
		world_queue(&w);
		break;
	default:
		return;
	}
	world_run_round(&w);
}

static void
send_pieces(struct slice all)
{
	unsigned pieces = whole || below(4) > 0 ? 1 : 2 + below(4);

	for (unsigned i = 1; i <= pieces && all.len > 0; i++) {
		size_t len = i == pieces ? all.len : below((unsigned)all.len) + 1;

		buf_printf(&trace, "C: %.*s\n", (int)len, all.p);
		world_send(&w, all.p, len);
		slice_drop(&all, len);
		if (all.len > 0)
			world_run_round(&w);
	}
}

static void
one_group(void)
{
	static const struct { enum model_verdict model; enum submit_verdict queue; } verdicts[] = {
		{ MODEL_LATER, VERDICT_TRY_LATER }, { MODEL_NO_SPACE, VERDICT_NO_SPACE }, { MODEL_REFUSED, VERDICT_REFUSED },
		{ MODEL_TOO_MUCH, VERDICT_TOO_MUCH_MAIL }, { MODEL_NEVER, VERDICT_NEVER },
	};
	const unsigned noes = sizeof(verdicts) / sizeof(verdicts[0]);
	unsigned v = below(4 * noes), most = model.rules->max_errors > 0 ? 1 : 1 + below(GROUP);
	bool waits = false;

	verdict = v < noes ? verdicts[v].model : MODEL_TAKEN;
	w.verdict = v < noes ? verdicts[v].queue : VERDICT_DURABLE;
	model_next(&model);
	buf_reset(&bytes);
	whole = false;
	for (unsigned i = 0; i < most && !waits && !model.over; i++) {
		if (model.wants_content)
			say_content();
		else if (model.mail && model.count > 0 && below(3) == 0)
			say_chunk(MODEL_CHUNK_GOOD, below(3) == 0);
		else if (below(12) == 0)
			say_any_chunk();
		else
			waits = say_command();
	}
	/* Behind the end nothing counts; only behind what has to be the last of a write it would come too early. */
	if (model.over && (!waits || whole))
		buf_puts(&bytes, "MAIL FROM:<evil@example.org>\r\nRCPT TO:<user1@example.net>\r\nBDAT 3 LAST\r\nx\r\n");
	send_pieces(buf_slice(&bytes));
	compare();
}

/* Leaves in the middle of something, or with a word. */
static void
leave(void)
{
	switch (below(3)) {
	case 0:
		world_say(&w, model.wants_content ? "half of it\r\n" : "BDAT 20 LAST\r\nhalf of it");
		break;
	case 1:
		if (!model.wants_content) {
			world_talk(&w, "QUIT\r\n", "221");
			world_expect_close(&w);
		}
		break;
	default:
		break;
	}
	world_hang_up(&w);
	world_run_round(&w);
	assert_int_equal(w.stored_count, 0);
}

static void
one_sequence(const struct setting_of *setting)
{
	unsigned groups;

	/* A sequence is the same whatever came before it. */
	dice = (seed + now) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 8; i++)
		(void)throw_dice();
	groups = 1 + below(setting->rules.max_errors > 0 ? GROUPS * GROUP / 2 : GROUPS);
	buf_reset(&trace);
	piece = "";
	if (model.full) {
		submit_room_put(channel_begin(w.queue, SUBMIT_ROOM), ROOM_ALL);
		assert_int_equal(channel_end(w.queue), 0);
	}
	model_begin(&model, &setting->rules, messages);
	world_connect(&w, setting->peer);
	world_expect(&w, "220");
	while (groups-- > 0 && !model.over) {
		disturb();
		one_group();
	}
	if (!model.over)
		leave();
}

static void
open_setting(const struct setting_of *setting)
{
	world_open(&w, setting->role);
	w.conf.message_size = (int64_t)setting->rules.message_size;
	w.conf.message_recipients = setting->rules.recipients;
	w.conf.smtpd.max_errors = setting->rules.max_errors;
	w.conf.smtpd.max_junk = setting->rules.max_junk;
	world_reopen(&w);
	log_level_set(LOG_LEVEL_ERROR);		/* nobody reads it here */
	model.full = false;
	completed = setting->role == ROLE_SUBMISSION;
}

static void
test_sequences(void **state)
{
	(void)state;
	print_message("# --seed %" PRIu64 " --first %" PRIu64 " --count %" PRIu64 "\n", seed, first, count);
	for (size_t i = 0; i < SETTINGS; i++) {
		open_setting(&settings[i]);
		for (now = first; now < first + count; now++)
			if (now % SETTINGS == i)
				one_sequence(&settings[i]);
		world_close(&w);
	}
	now = first + count;
	print_message("# %" PRIu64 " replies, %" PRIu64 " messages\n", replies_heard, messages_found);
	assert_true(count < 1000 || messages_found > count / 8);	/* the dice lead somewhere */
}

static int
tell(void **state)
{
	(void)state;
	if (now < first + count)
		print_message("# to repeat: --seed %" PRIu64 " --first %" PRIu64 " --count 1\n%s\n", seed, now, buf_cstr(&trace));
	buf_fini(&trace);
	buf_fini(&bytes);
	return 0;
}

static int
read_options(int argc, char **argv)
{
	static const struct { const char *name; uint64_t *at; } options[] = { { "--count", &count }, { "--seed", &seed }, { "--first", &first } };

	for (int i = 1; i < argc; i++) {
		size_t n = 0;

		if (strcmp(argv[i], "--long") == 0) {
			count = COUNT_LONG;
			continue;
		}
		while (n < 3 && strcmp(argv[i], options[n].name) != 0)
			n++;
		if (n == 3 || i + 1 == argc || num_parse(slice_str(argv[++i]), UINT32_MAX, options[n].at) == -1)
			return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(test_sequences, tell) };
	uint32_t drawn;

	if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
		return 1;
	seed = drawn;
	if (read_options(argc, argv) == -1) {
		fprintf(stderr, "usage: test_session_model [--long | --count N] [--seed N] [--first N]\n");
		return 64;
	}
	buf_init(&bytes, 1 << 20);
	buf_init(&trace, 1 << 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
