/* report — see report.h. */
#include "tests/unit/queue/report.h"

#include <stdio.h>

#include "wire/fields.h"

struct buf out;

struct dsn_recipient one = {
	.address = SLICE_LIT("bob@example.net"),
	.original = SLICE_LIT("Bob@Example.NET"),
	.last_attempt_ms = NOW,
	.outcome = { .action = ACTION_FAILED,
		     .status = { 5, 1, 1 },
		     .text = SLICE_LIT("550 5.1.1 <bob@example.net>: no such user"),
		     .mta = SLICE_LIT("mx1.example.net[192.0.2.1]:25") },
};

struct dsn
plain(void)
{
	return (struct dsn){
		.kind = DSN_FAILURE,
		.hostname = SLICE_LIT("mail.example.org"),
		.id = queue_id_of(1, 2),
		.own_id = queue_id_of(1, 3),
		.random = UINT64_C(0x0123456789abcdef),
		.reverse_path = SLICE_LIT("alice@example.org"),
		.to = SLICE_LIT("alice@example.org"),
		.postmaster = SLICE_LIT("postmaster@mail.example.org"),
		.now_ms = NOW,
		.arrival_ms = NOW - 3600000,
		.expiry_ms = NOW + 86400000,
		.message_id = SLICE_LIT("<1@example.org>"),
		.header = SLICE_LIT("Subject: hi\r\nFrom: alice@example.org\r\n\r\nbody, not for the report\r\n"),
		.count = 1,
		.recipients = &one,
	};
}

int
setup(void **state)
{
	(void)state;
	buf_init(&out, CONTENT_INLINE_MAX);
	return 0;
}

int
teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

/* What a message must be to travel anywhere: 7-bit, CRLF only, lines of at most 998. */
static void
check_bytes(void)
{
	size_t column = 0;

	for (size_t i = 0; i < buf_len(&out); i++) {
		unsigned char c = (unsigned char)buf_slice(&out).p[i];

		if (c == '\r') {
			assert_int_equal(buf_slice(&out).p[i + 1], '\n');
		} else if (c == '\n') {
			assert_true(i > 0 && buf_slice(&out).p[i - 1] == '\r');
			column = 0;
		} else {
			assert_true(c == '\t' || (c >= ' ' && c <= '~'));
			assert_true(++column <= 998);
		}
	}
	assert_int_equal(column, 0);
}

struct slice
between(struct slice *in, const char *end)
{
	const char *at = memmem(in->p, in->len, end, strlen(end));

	if (at == NULL)
		fail_msg("no \"%s\" in the rest", end);
	struct slice piece = slice_of(in->p, (size_t)(at - in->p));
	slice_drop(in, piece.len + strlen(end));
	return piece;
}

/* Takes the message apart by its boundary, as a mail reader does. */
struct parts
take_apart(void)
{
	struct slice rest = buf_slice(&out), head, boundary;
	struct parts parts;
	char delimiter[100], end[110];

	check_bytes();
	parts.header = between(&rest, "\r\n\r\n");
	head = parts.header;
	(void)between(&head, "boundary=\"");
	boundary = between(&head, "\"");
	(void)snprintf(delimiter, sizeof(delimiter), "\r\n--%.*s\r\n", SLICE_FMT(boundary));
	(void)snprintf(end, sizeof(end), "\r\n--%.*s--\r\n", SLICE_FMT(boundary));
	(void)between(&rest, delimiter);
	parts.notice = between(&rest, delimiter);
	parts.report = between(&rest, delimiter);
	parts.original = between(&rest, end);
	assert_int_equal(rest.len, 0);
	return parts;
}

void
assert_has(struct slice part, const char *what)
{
	if (memmem(part.p, part.len, what, strlen(what)) == NULL)
		fail_msg("no \"%s\" in:\n%.*s", what, SLICE_FMT(part));
}

void
assert_has_not(struct slice part, const char *what)
{
	if (memmem(part.p, part.len, what, strlen(what)) != NULL)
		fail_msg("\"%s\" in:\n%.*s", what, SLICE_FMT(part));
}

struct parts
build(const struct dsn *dsn)
{
	buf_reset(&out);
	assert_int_equal(dsn_build(dsn, &out), 0);
	return take_apart();
}
