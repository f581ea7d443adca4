/*
 * Lines and dots: the smuggling matrix. Whatever the split, only CRLF ends a line and only CRLF.CRLF ends the data.
 */
#include "base/buf.h"
#include "smtp/dot.h"
#include "smtp/line.h"
#include "tests/support/testing.h"

/* Feeds `in` in pieces of the given size; what came through is added to `out`. What is left of the input is *rest. */
static enum dot_result
read_pieces(struct slice in, size_t piece, struct buf *out, struct slice *rest)
{
	struct dot_reader reader = { 0 };
	enum dot_result result = DOT_MORE;
	struct slice run;

	while (in.len > 0 && result == DOT_MORE) {
		struct slice now = slice_of(in.p, in.len < piece ? in.len : piece);
		size_t had = now.len;

		while ((result = dot_read(&reader, &now, &run)) == DOT_RUN)
			assert_int_equal(buf_put_slice(out, run), 0);
		slice_drop(&in, had - now.len);
	}
	*rest = in;
	return result;
}

static const struct {
	struct slice	in;
	enum dot_result	result;
	struct slice	out;		/* not looked at after DOT_BARE */
	struct slice	rest;
} reads[] = {
	{ SLICE_LIT(".\r\n"), DOT_END, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT(".\r\nQUIT\r\n"), DOT_END, SLICE_LIT(""), SLICE_LIT("QUIT\r\n") },
	{ SLICE_LIT("a\r\n.\r\n"), DOT_END, SLICE_LIT("a\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\r\n.\r\n"), DOT_END, SLICE_LIT("a\r\n"), SLICE_LIT(".\r\n") },
	{ SLICE_LIT("..\r\n.\r\n"), DOT_END, SLICE_LIT(".\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("...\r\n.\r\n"), DOT_END, SLICE_LIT("..\r\n"), SLICE_LIT("") },
	{ SLICE_LIT(".a\r\n.\r\n"), DOT_END, SLICE_LIT("a\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a.\r\n.\r\n"), DOT_END, SLICE_LIT("a.\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("\r\n.\r\n"), DOT_END, SLICE_LIT("\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("\r\n\r\n.\r\n"), DOT_END, SLICE_LIT("\r\n\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\0b\r\n\0.\r\n.\r\n"), DOT_END, SLICE_LIT("a\0b\r\n\0.\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n. \r\n.\r\n"), DOT_END, SLICE_LIT("a\r\n \r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\0\r\n.\r\n"), DOT_END, SLICE_LIT("a\r\n\0\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n."), DOT_MORE, SLICE_LIT("a\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\r"), DOT_MORE, SLICE_LIT("a\r\n"), SLICE_LIT("") },
	{ SLICE_LIT("a"), DOT_MORE, SLICE_LIT("a"), SLICE_LIT("") },
	{ SLICE_LIT("a\r"), DOT_MORE, SLICE_LIT("a\r"), SLICE_LIT("") },
	{ SLICE_LIT("a\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\rb"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\r\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n\r."), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\r."), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r\n.\r\r\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\n.\r\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
	{ SLICE_LIT("a\r.\r\n"), DOT_BARE, SLICE_LIT(""), SLICE_LIT("") },
};

static void
test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		for (size_t piece = 1; piece <= reads[i].in.len; piece++) {
			struct slice rest;
			struct buf out;
			enum dot_result result;

			buf_init(&out, 4096);
			result = read_pieces(reads[i].in, piece, &out, &rest);
			if (result != reads[i].result || (result != DOT_BARE &&
			    (!slice_eq(buf_slice(&out), reads[i].out) || !slice_eq(rest, reads[i].rest)))) {
				ROW(i, reads[i].in.p);
				fail_msg("pieces of %zu: result %d", piece, (int)result);
			}
			buf_fini(&out);
		}
}

/* Counted bytes: dots mean nothing, line ends are held to the same rule. */
static const struct {
	struct slice	in;
	enum dot_result	result, end;		/* of the bytes; behind the last of them */
} passes[] = {
	{ SLICE_LIT(""), DOT_MORE, DOT_END },
	{ SLICE_LIT("a\r\n"), DOT_MORE, DOT_END },
	{ SLICE_LIT("a\r\n.\r\nb\r\n"), DOT_MORE, DOT_END },
	{ SLICE_LIT(".\r\n"), DOT_MORE, DOT_END },
	{ SLICE_LIT("..\r\n\r\n"), DOT_MORE, DOT_END },
	{ SLICE_LIT("\0\r\n\0.\r\n"), DOT_MORE, DOT_END },
	{ SLICE_LIT("a"), DOT_MORE, DOT_MORE },
	{ SLICE_LIT("a\r\n."), DOT_MORE, DOT_MORE },
	{ SLICE_LIT("a\r"), DOT_MORE, DOT_BARE },
	{ SLICE_LIT("\r"), DOT_MORE, DOT_BARE },
	{ SLICE_LIT("a\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("a\rb\r\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("a\r\r\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("a\r\n\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("a\r\n.\n"), DOT_BARE, DOT_BARE },
	{ SLICE_LIT("a\n.\r\nb\r\n"), DOT_BARE, DOT_BARE },
};

static void
test_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
		for (size_t piece = 1; piece <= passes[i].in.len + 1; piece++) {
			struct slice in = passes[i].in;
			struct dot_reader reader = { 0 };
			enum dot_result result = dot_pass(&reader, slice_of("", 0));

			while (in.len > 0) {
				struct slice now = slice_of(in.p, in.len < piece ? in.len : piece);

				result = dot_pass(&reader, now);
				slice_drop(&in, now.len);
			}
			if (result != passes[i].result || dot_pass_end(&reader) != passes[i].end) {
				ROW(i, passes[i].in.p);
				fail_msg("pieces of %zu: result %d, end %d", piece, (int)result, (int)dot_pass_end(&reader));
			}
		}
}

/* {CRLF, LF, CR, nothing, CRCRLF, NUL} x {.} x the same, cut at every byte: the one true end is CRLF . CRLF. */
static const struct slice ends[] = {
	SLICE_LIT("\r\n"), SLICE_LIT("\n"), SLICE_LIT("\r"), SLICE_LIT(""), SLICE_LIT("\r\r\n"), SLICE_LIT("\0"),
};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static void
matrix_case(size_t before, size_t behind)
{
	struct buf in;

	buf_init(&in, 4096);
	buf_puts(&in, "text");
	buf_put_slice(&in, ends[before]);
	buf_puts(&in, ".");
	buf_put_slice(&in, ends[behind]);
	buf_puts(&in, "MAIL FROM:<smuggled@example.org>\r\n.\r\n");
	for (size_t piece = 1; piece <= buf_len(&in); piece++) {
		enum dot_result result;
		struct slice rest;
		struct buf out;
		bool true_end = before == 0 && behind == 0;
		/* Only nothing and NUL on either side, or CRLF on one of them, hold no bare CR or LF. */
		bool harmless = (before == 0 || before == 3 || before == 5) && (behind == 0 || behind == 3 || behind == 5);

		buf_init(&out, 4096);
		result = read_pieces(buf_slice(&in), piece, &out, &rest);
		if (result != (harmless ? DOT_END : DOT_BARE))
			fail_msg("row %zu.%zu, pieces of %zu: result %d", before, behind, piece, (int)result);
		if (result == DOT_END)
			assert_true((rest.len > 0) == true_end);
		buf_fini(&out);
	}
	buf_fini(&in);
}

static void
test_matrix(void **state)
{
	(void)state;
	for (size_t before = 0; before < ENDS; before++)
		for (size_t behind = 0; behind < ENDS; behind++)
			matrix_case(before, behind);
}

static const struct {
	struct slice	in;
	struct slice	wire;		/* p NULL: refused */
} writes[] = {
	{ SLICE_LIT(""), SLICE_LIT(".\r\n") },
	{ SLICE_LIT("a\r\n"), SLICE_LIT("a\r\n.\r\n") },
	{ SLICE_LIT("a"), SLICE_LIT("a\r\n.\r\n") },
	{ SLICE_LIT(".\r\n"), SLICE_LIT("..\r\n.\r\n") },
	{ SLICE_LIT("."), SLICE_LIT("..\r\n.\r\n") },
	{ SLICE_LIT("..\r\n.a\r\n"), SLICE_LIT("...\r\n..a\r\n.\r\n") },
	{ SLICE_LIT("a.\r\nb\r\n"), SLICE_LIT("a.\r\nb\r\n.\r\n") },
	{ SLICE_LIT("\r\n.\r\n\r\n"), SLICE_LIT("\r\n..\r\n\r\n.\r\n") },
	{ SLICE_LIT("\0\r\n"), SLICE_LIT("\0\r\n.\r\n") },
	{ SLICE_LIT("a\n"), { NULL, 0 } },
	{ SLICE_LIT("a\r"), { NULL, 0 } },
	{ SLICE_LIT("a\rb"), { NULL, 0 } },
	{ SLICE_LIT("a\r\r\n"), { NULL, 0 } },
	{ SLICE_LIT("a\r\n\nb"), { NULL, 0 } },
	{ SLICE_LIT(".\n"), { NULL, 0 } },
	{ SLICE_LIT("a\n.\n"), { NULL, 0 } },
};

static int
write_pieces(struct slice in, size_t piece, struct buf *wire)
{
	struct dot_writer writer = { 0 };
	enum dot_result result = DOT_MORE;
	struct slice run, end;

	while (in.len > 0 && result == DOT_MORE) {
		struct slice now = slice_of(in.p, in.len < piece ? in.len : piece);

		slice_drop(&in, now.len);
		while ((result = dot_write(&writer, &now, &run)) == DOT_RUN)
			assert_int_equal(buf_put_slice(wire, run), 0);
	}
	end = dot_write_end(&writer);
	if (result == DOT_BARE || end.p == NULL)
		return -1;
	return buf_put_slice(wire, end);
}

static void
test_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		for (size_t piece = 1; piece <= writes[i].in.len + 1; piece++) {
			struct buf wire;
			int result;

			buf_init(&wire, 4096);
			result = write_pieces(writes[i].in, piece, &wire);
			if ((result == 0) != (writes[i].wire.p != NULL) ||
			    (result == 0 && !slice_eq(buf_slice(&wire), writes[i].wire))) {
				ROW(i, writes[i].in.p);
				fail_msg("pieces of %zu", piece);
			}
			buf_fini(&wire);
		}
}

static const struct {
	const char	*in;
	enum line_result result;
	const char	*line, *rest;
} lines[] = {
	{ "NOOP\r\nQUIT\r\n", LINE_READY, "NOOP", "QUIT\r\n" },
	{ "\r\n", LINE_READY, "", "" },
	{ "NOOP\n", LINE_BROKEN, NULL, NULL },
	{ "\n", LINE_BROKEN, NULL, NULL },
	{ "NO\rOP\r\n", LINE_BROKEN, NULL, NULL },
	{ "NOOP\r\r\n", LINE_BROKEN, NULL, NULL },
	{ "\rNOOP\r\n", LINE_BROKEN, NULL, NULL },
	{ "NOOP\r", LINE_MORE, NULL, NULL },
	{ "NOOP", LINE_MORE, NULL, NULL },
	{ "", LINE_MORE, NULL, NULL },
	{ "12345678\r\n", LINE_READY, "12345678", "" },
	{ "123456789\r\n", LINE_TOO_LONG, NULL, NULL },
	{ "1234567890", LINE_MORE, NULL, NULL },
	{ "12345678901", LINE_TOO_LONG, NULL, NULL },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct slice in = slice_str(lines[i].in), out;
		enum line_result result = line_next(&in, 10, &out);

		if (result != lines[i].result) {
			ROW(i, lines[i].in);
			fail_msg("result %d", (int)result);
		}
		assert_slice(in, result == LINE_READY ? lines[i].rest : lines[i].in);
		if (result == LINE_READY)
			assert_slice(out, lines[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
