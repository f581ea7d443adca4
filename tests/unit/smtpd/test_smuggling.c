/*
 * The smuggling matrix on whole sessions: {CRLF, LF, CR, nothing, CRCRLF, NUL} x {.} x the same, by DATA and by BDAT, cut at every
 * byte. Of one message in comes one out or none, nothing behind a refused content is a command, and what was taken can be sent on so
 * that nobody, however loose, sees another end in it.
 */
#include <stdio.h>

#include "smtp/dot.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define ENVELOPE	"MAIL FROM:<honest@example.org>\r\nRCPT TO:<user@example.net>\r\n"
#define EVIL		"MAIL FROM:<evil@example.org>\r\nRCPT TO:<user@example.net>\r\n"

static const struct end {
	struct slice	text;
	bool		bare;		/* holds a CR or LF that stands alone */
} ends[] = {
	{ SLICE_LIT("\r\n"), false },
	{ SLICE_LIT("\n"), true },
	{ SLICE_LIT("\r"), true },
	{ SLICE_LIT(""), false },
	{ SLICE_LIT("\r\r\n"), true },
	{ SLICE_LIT("\0"), false },
};
#define ENDS	(sizeof(ends) / sizeof(ends[0]))

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	log_level_set(LOG_LEVEL_ERROR);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
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

/* ---- what goes on from here ---- */

static bool
is_line_end(struct slice wire, size_t at)
{
	return at < wire.len && (wire.p[at] == '\r' || wire.p[at] == '\n');
}

/* Ends of data as the loosest of servers sees them: a dot between any two line ends. */
static unsigned
loose_ends(struct slice wire)
{
	unsigned count = 0;

	for (size_t i = 0; i < wire.len; i++)
		if (wire.p[i] == '.' && (i == 0 || is_line_end(wire, i - 1)) && is_line_end(wire, i + 1))
			count++;
	return count;
}

static void
check_outgoing(struct slice content)
{
	struct dot_writer writer = { 0 };
	struct buf wire;
	struct slice run;

	buf_init(&wire, 1 << 16);
	assert_true(content.len >= 2 && memcmp(content.p + content.len - 2, "\r\n", 2) == 0);
	for (size_t i = 0; i < content.len; i++) {
		assert_true(content.p[i] != '\n' || (i > 0 && content.p[i - 1] == '\r'));
		assert_true(content.p[i] != '\r' || (i + 1 < content.len && content.p[i + 1] == '\n'));
	}
	while (dot_write(&writer, &content, &run) == DOT_RUN)
		assert_int_equal(buf_put_slice(&wire, run), 0);
	assert_int_equal(buf_put_slice(&wire, dot_write_end(&writer)), 0);
	assert_int_equal(loose_ends(buf_slice(&wire)), 1);
	buf_fini(&wire);
}

static void
check_stored(size_t most)
{
	assert_true(w.stored_count <= most);
	for (size_t i = 0; i < w.stored_count; i++) {
		assert_slice(buf_slice(&w.stored[i].sender), "honest@example.org");
		check_outgoing(buf_slice(&w.stored[i].content));
	}
}

/* ---- attacks ---- */

static void
send_cut(struct slice all, size_t cut)
{
	world_send(&w, all.p, cut);
	world_run_round(&w);
	world_send(&w, all.p + cut, all.len - cut);
}

static void
begin(void)
{
	world_connect(&w, "192.0.2.7");
	world_expect(&w, "220");
	world_talk(&w, "HELO client.example\r\n", "250");
}

static void
attack_data(const struct end *before, const struct end *behind, struct slice text, size_t cut)
{
	bool true_end = before == &ends[0] && behind == &ends[0];

	begin();
	world_say(&w, ENVELOPE "DATA\r\n");
	world_expect(&w, "250");
	world_expect(&w, "250");
	world_expect(&w, "354");
	send_cut(text, cut);
	if (before->bare || behind->bare) {
		world_expect(&w, "550 5.6.11");
		world_expect_close(&w);
		assert_int_equal(w.stored_count, 0);
		return;
	}
	world_expect(&w, "250 2.0.0 Ok: queued");
	assert_int_equal(w.stored_count, 1);
	check_stored(1);
	/* Behind the one true end its commands are commands; behind any other they were text. */
	if (true_end) {
		world_expect(&w, "250 2.1.0");
		world_expect(&w, "250 2.1.5");
		world_expect(&w, "500");		/* the dot */
	}
	world_talk(&w, "NOOP\r\n", "250");
}

static void
test_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDS * ENDS; i++) {
		const struct end *before = &ends[i / ENDS], *behind = &ends[i % ENDS];
		struct buf text;

		buf_init(&text, 4096);
		buf_puts(&text, "Subject: x\r\n\r\ntext");
		buf_put_slice(&text, before->text);
		buf_puts(&text, ".");
		buf_put_slice(&text, behind->text);
		buf_puts(&text, EVIL ".\r\n");
		for (size_t cut = 0; cut <= buf_len(&text); cut++) {
			attack_data(before, behind, buf_slice(&text), cut);
			forget_stored();
		}
		buf_fini(&text);
	}
}

/* All of the text is in chunks; what a lax server would take for the second message is text as the rest. */
static void
attack_bdat(const struct end *before, const struct end *behind, struct slice all)
{
	begin();
	world_send(&w, all.p, all.len);
	world_expect(&w, "250 2.1.0");
	world_expect(&w, "250 2.1.5");
	if (before->bare || behind->bare) {
		/* in the first of two chunks, or in the second */
		char line[200];

		world_line(&w, "250 or 550", line, sizeof(line));
		if (line[0] == '2')
			world_expect(&w, "550 5.6.11");
		else
			assert_int_equal(strncmp(line, "550 5.6.11", 10), 0);
		world_expect_close(&w);
		assert_int_equal(w.stored_count, 0);
		return;
	}
	world_expect(&w, "250 2.0.0 Ok: ");
	world_expect(&w, "250 2.0.0 Ok: queued");
	assert_int_equal(w.stored_count, 1);
	check_stored(1);
	world_expect(&w, "250 2.0.0 Ok");		/* NOOP */
}

static void
put_chunks(struct buf *all, struct slice text, size_t cut)
{
	buf_puts(all, ENVELOPE);
	buf_printf(all, "BDAT %zu\r\n", cut);
	buf_put_slice(all, slice_of(text.p, cut));
	buf_printf(all, "BDAT %zu LAST\r\n", text.len - cut);
	buf_put_slice(all, slice_of(text.p + cut, text.len - cut));
	buf_puts(all, "NOOP\r\n");
}

/* The text cut into two chunks at every byte, each pair in one write. */
static void
test_bdat_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDS * ENDS; i++) {
		const struct end *before = &ends[i / ENDS], *behind = &ends[i % ENDS];
		struct buf text, all;

		buf_init(&text, 4096);
		buf_init(&all, 4096);
		buf_puts(&text, "Subject: x\r\n\r\ntext");
		buf_put_slice(&text, before->text);
		buf_puts(&text, ".");
		buf_put_slice(&text, behind->text);
		buf_puts(&text, EVIL "BDAT 3 LAST\r\nx\r\n");
		for (size_t cut = 0; cut <= buf_len(&text); cut++) {
			buf_reset(&all);
			put_chunks(&all, buf_slice(&text), cut);
			attack_bdat(before, behind, buf_slice(&all));
			forget_stored();
		}
		buf_fini(&text);
		buf_fini(&all);
	}
}

/* The chunk ends right behind the pretended end, and the client itself goes on as if it had been one; every cut of the bytes. */
static void
test_bdat_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDS * ENDS; i++) {
		const struct end *before = &ends[i / ENDS], *behind = &ends[i % ENDS];
		bool bare = before->bare || behind->bare;
		struct buf all;

		buf_init(&all, 4096);
		buf_printf(&all, ENVELOPE "BDAT %zu LAST\r\ntext", 4 + before->text.len + 1 + behind->text.len);
		buf_put_slice(&all, before->text);
		buf_puts(&all, ".");
		buf_put_slice(&all, behind->text);
		buf_puts(&all, "MAIL FROM:<honest@example.org>\r\nRSET\r\n");
		for (size_t cut = 0; cut <= buf_len(&all); cut++) {
			begin();
			send_cut(buf_slice(&all), cut);
			world_expect(&w, "250 2.1.0");
			world_expect(&w, "250 2.1.5");
			world_expect(&w, bare ? "550 5.6.11" : "250 2.0.0 Ok: queued");
			if (bare) {
				world_expect_close(&w);
			} else {
				world_expect(&w, "250 2.1.0");
				world_expect(&w, "250 2.0.0");
			}
			assert_int_equal(w.stored_count, !bare);
			check_stored(1);
			forget_stored();
		}
		buf_fini(&all);
	}
}

/* A refused chunk is passed over whole, whatever it looks like and wherever it is cut. */
static void
test_refused_bdat(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDS * ENDS; i++) {
		struct buf text, all;

		buf_init(&text, 4096);
		buf_init(&all, 4096);
		buf_puts(&text, "text");
		buf_put_slice(&text, ends[i / ENDS].text);
		buf_puts(&text, ".");
		buf_put_slice(&text, ends[i % ENDS].text);
		buf_puts(&text, "\r\n" EVIL "BDAT 3 LAST\r\nx\r\n");
		buf_printf(&all, "BDAT %zu LAST\r\n", buf_len(&text));
		buf_put_slice(&all, buf_slice(&text));
		buf_puts(&all, "NOOP\r\n");
		for (size_t cut = 0; cut <= buf_len(&all); cut++) {
			begin();
			send_cut(buf_slice(&all), cut);
			world_expect(&w, "503 5.5.1");
			world_expect(&w, "250 2.0.0 Ok");
			assert_int_equal(w.stored_count, 0);
		}
		buf_fini(&text);
		buf_fini(&all);
	}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, open_mx, close_world)

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_data), TEST(test_bdat_chunks), TEST(test_bdat_bytes), TEST(test_refused_bdat) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
