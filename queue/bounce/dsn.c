/*
 * dsn — multipart/report, part by part.
 *
 * The boundary must not occur in the parts. Instead of trusting chance the finished message is searched; in the one
 * case among many lifetimes where it is found once too often, the next candidate is taken.
 */
#include "queue/bounce/dsn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/utf8.h"
#include "queue/bounce/notice.h"
#include "queue/bounce/wrap.h"
#include "mail/date.h"
#include "smtp/xtext.h"
#include "wire/fields.h"

#define BOUNDARY_SIZE	64
#define BOUNDARY_USES	5	/* once named, three parts, one end */
#define BOUNDARY_TRIES	8
#define DIAGNOSTIC_MAX	1100
#define UXTEXT_MAX	900	/* of an address; a longer one would not fit a line */
#define MESSAGE_ID_MAX	900	/* a longer one would not fit a line */

static void
put_escaped(struct buf *b, const char *before, struct slice text, const char *after)
{
	(void)buf_puts(b, before);
	fmt_escape(b, text, ADDRESS_FIELD_MAX);
	(void)buf_puts(b, after);
}

static void
put_date(struct buf *b, const char *name, int64_t ms)
{
	char date[DATE_PRINT_SIZE];

	(void)buf_printf(b, "%s: %s\r\n", name, date_print(ms / 1000, date));
}

static bool
is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return true;
}

/* What smtpd decoded out of xtext is fit for a field as it is, backslashes included; what is not comes from a broken disk. */
static void
put_given(struct buf *b, const char *before, struct slice text)
{
	(void)buf_puts(b, before);
	if (is_printable(text))
		(void)buf_put_slice(b, text);
	else
		fmt_escape(b, text, ORCPT_MAX);
}

/* A name in a header or a field: as it is where UTF-8 may be, escaped where not. */
void
dsn_put_name(struct buf *b, const struct dsn *dsn, struct slice name)
{
	for (size_t i = 0; dsn->utf8 && i < name.len; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f) {
			fmt_escape(b, name, ADDRESS_FIELD_MAX);
			return;
		}
	if (dsn->utf8 && utf8_is_name(name))
		(void)buf_put_slice(b, name);
	else
		fmt_escape(b, name, ADDRESS_FIELD_MAX);
}

/* RFC 6533 3: an address outside ASCII has a type of its own, and a form for messages that are ASCII. */
static void
put_address(struct buf *b, const struct dsn *dsn, const char *field, struct slice address)
{
	char text[UXTEXT_MAX];
	struct buf ascii = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	(void)buf_printf(b, "%s: %s; ", field, slice_is_ascii(address) ? "rfc822" : "utf-8");
	if (utf8_is_name(address))
		uxtext_put(&ascii, address);
	if (slice_is_ascii(address) || dsn->utf8 || ascii.failed || buf_len(&ascii) == 0)
		dsn_put_name(b, dsn, address);
	else
		(void)buf_put_slice(b, buf_slice(&ascii));
	(void)buf_puts(b, "\r\n");
}

static const char *
subject(const struct dsn *dsn)
{
	if (dsn->kind == DSN_DELAY)
		return "Delayed Mail (still being retried)";
	if (dsn->kind == DSN_SUCCESS)
		return "Successful Mail Delivery Report";
	return dsn->to_postmaster ? "Postmaster Copy: Undelivered Mail" : "Undelivered Mail Returned to Sender";
}

/* A Message-Id of the original that is fit to be repeated: "<" printable ">" and nothing between that could end a
 * field. */
static bool
message_id_usable(struct slice id)
{
	if (id.len < 3 || id.len > MESSAGE_ID_MAX || id.p[0] != '<' || id.p[id.len - 1] != '>')
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.p[i] <= ' ' || id.p[i] > '~')
			return false;
	return true;
}

/* Both fields, so that mail readers show the report beneath the message that it is about. */
static void
put_thread(struct buf *b, struct slice id)
{
	if (!message_id_usable(id))
		return;
	(void)buf_puts(b, "In-Reply-To: ");
	(void)buf_put_slice(b, id);
	(void)buf_puts(b, "\r\nReferences: ");
	(void)buf_put_slice(b, id);
	(void)buf_puts(b, "\r\n");
}

/* The original's header: whole lines up to the empty one, within DSN_HEADER_MAX. */
static struct slice
header_part(struct slice content)
{
	size_t len = 0;

	while (len < content.len) {
		const char *lf = memchr(content.p + len, '\n', content.len - len);
		size_t next = lf == NULL ? 0 : (size_t)(lf - content.p) + 1;

		if (lf == NULL || next > DSN_HEADER_MAX || next - len <= 1 ||
		    (next - len == 2 && content.p[len] == '\r'))
			break;
		len = next;
	}
	return slice_of(content.p, len);
}

/* How the message itself may travel in a part of its own (RFC 2046 5.2.1 knows no coding there). NULL: not at all. */
static const char *
full_encoding(const struct dsn *dsn)
{
	const char *encoding = "7bit";
	size_t column = 0;

	if (!dsn->full || !(dsn->utf8 ? utf8_valid : slice_is_ascii)(header_part(dsn->header)))
		return NULL;
	for (size_t i = 0; i < dsn->header.len; i++) {
		unsigned char c = (unsigned char)dsn->header.p[i];

		if (c == '\r' && i + 1 < dsn->header.len && dsn->header.p[i + 1] == '\n') {
			column = 0;
			i++;
			continue;
		}
		if (c == '\0' || c == '\r' || c == '\n' || ++column > 998)
			return NULL;
		if (c > 127)
			encoding = "8bit";
	}
	return encoding;
}

enum body_type
dsn_body(const struct dsn *dsn)
{
	const char *encoding = full_encoding(dsn);

	return dsn->utf8 || (encoding != NULL && strcmp(encoding, "8bit") == 0) ? BODY_8BITMIME : BODY_7BIT;
}

static void
put_header(struct buf *b, const struct dsn *dsn, const char *boundary)
{
	char id[QUEUE_ID_LEN + 1];

	put_date(b, "Date", dsn->now_ms);
	put_escaped(b, "From: MAILER-DAEMON@", dsn->hostname, " (Mail Delivery System)\r\n");
	(void)buf_printf(b, "Subject: %s\r\n", subject(dsn));
	(void)buf_puts(b, "To: ");
	dsn_put_name(b, dsn, dsn->to);
	(void)buf_puts(b, "\r\n");
	(void)buf_puts(b, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n");
	(void)buf_printf(b, "\tboundary=\"%s\"\r\n", boundary);
	(void)buf_printf(b, "Content-Transfer-Encoding: %s\r\n", dsn_body(dsn) == BODY_8BITMIME ? "8bit" : "7bit");
	/* The random part keeps it unique even when a spool was lost and its numbers begin again. */
	(void)buf_printf(b, "Message-Id: <%s.%08" PRIx32 "@", queue_id_print(dsn->own_id, id), (uint32_t)dsn->random);
	put_escaped(b, "", dsn->hostname, ">\r\n");
	put_thread(b, dsn->message_id);
	(void)buf_puts(b, "\r\nThis is a MIME-encapsulated message.\r\n");
}

static void
put_part(struct buf *b, const char *boundary, const char *description, const char *type, const char *encoding)
{
	(void)buf_printf(b, "\r\n--%s\r\n", boundary);
	(void)buf_printf(b, "Content-Description: %s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
	    description, type, encoding);
}

/* RFC 3464 2.2: about the message. */
static void
put_message_fields(struct buf *b, const struct dsn *dsn)
{
	char id[QUEUE_ID_LEN + 1];

	if (dsn->envid.len > 0) {
		put_given(b, "Original-Envelope-Id: ", dsn->envid);
		(void)buf_puts(b, "\r\n");
	}
	put_escaped(b, "Reporting-MTA: dns; ", dsn->hostname, "\r\n");
	(void)buf_printf(b, "X-Posthorn-Queue-ID: %s\r\n", queue_id_print(dsn->id, id));
	if (dsn->reverse_path.len > 0)
		put_address(b, dsn, "X-Posthorn-Sender", dsn->reverse_path);
	put_date(b, "Arrival-Date", dsn->arrival_ms);
}

/* "mx1.example.org[192.0.2.1]:25" is three things; the field wants the name, or the address literal if there is no
 * name. */
static struct slice
mta_host(struct slice mta)
{
	struct slice rest, name = slice_split(mta, '[', &rest);

	if (name.len > 0)
		return name;
	const char *end = mta.len > 0 ? memchr(mta.p, ']', mta.len) : NULL;
	return end == NULL ? mta : slice_of(mta.p, (size_t)(end - mta.p) + 1);
}

static void
put_diagnostic(struct buf *b, const struct outcome *outcome)
{
	static const char remote[] = "Diagnostic-Code: smtp; ", ours[] = "Diagnostic-Code: X-Posthorn; ";
	const char *name = outcome->mta.len > 0 ? remote : ours;

	if (outcome->text.len == 0)
		return;
	(void)buf_puts(b, name);
	wrap_put(b, strlen(name), "    ", outcome->text, DIAGNOSTIC_MAX);
}

/* RFC 3464 2.3.4 wants a status in every group; without one only the class is known. */
static struct status
status_of(const struct dsn *dsn, const struct outcome *outcome)
{
	if (outcome->status.class != 0)
		return outcome->status;
	return dsn->kind == DSN_DELAY ? STATUS(4, 0, 0) : dsn->kind == DSN_SUCCESS ? STATUS(2, 0, 0) : STATUS(5, 0, 0);
}

static const char *
action_of(const struct dsn *dsn, const struct outcome *outcome)
{
	if (dsn->kind == DSN_SUCCESS)
		return action_name(outcome->action);
	return dsn->kind == DSN_DELAY ? "delayed" : "failed";
}

/* RFC 3464 2.3.1: in the sender's own words, where there are any. */
static void
put_original(struct buf *b, const struct dsn *dsn, const struct dsn_recipient *rcpt)
{
	struct slice address, type = slice_split(rcpt->orcpt, ';', &address);

	if (address.p != NULL) {
		put_given(b, "Original-Recipient: ", type);
		put_given(b, "; ", address);
		(void)buf_puts(b, "\r\n");
	} else if (rcpt->original.len > 0 && !slice_eq(rcpt->original, rcpt->address)) {
		put_address(b, dsn, "Original-Recipient", rcpt->original);
	}
}

/* RFC 3464 2.3: about one recipient. */
static void
put_recipient_fields(struct buf *b, const struct dsn *dsn, const struct dsn_recipient *rcpt)
{
	const struct outcome *outcome = &rcpt->outcome;
	char status[STATUS_PRINT_SIZE];

	(void)buf_puts(b, "\r\n");
	put_original(b, dsn, rcpt);
	put_address(b, dsn, "Final-Recipient", rcpt->address);
	(void)buf_printf(b, "Action: %s\r\n", action_of(dsn, outcome));
	(void)buf_printf(b, "Status: %s\r\n", status_print(status_of(dsn, outcome), status));
	if (outcome->mta.len > 0)
		put_escaped(b, "Remote-MTA: dns; ", mta_host(outcome->mta), "\r\n");
	put_diagnostic(b, outcome);
	if (rcpt->last_attempt_ms > 0)
		put_date(b, "Last-Attempt-Date", rcpt->last_attempt_ms);
	if (dsn->kind == DSN_DELAY)
		put_date(b, "Will-Retry-Until", dsn->expiry_ms);
}

/* May these lines travel as they are: 7-bit, CRLF, none too long? */
static bool
header_is_plain(struct slice header)
{
	size_t column = 0;

	for (size_t i = 0; i < header.len; i++) {
		unsigned char c = (unsigned char)header.p[i];

		if (c == '\r' && i + 1 < header.len && header.p[i + 1] == '\n') {
			column = 0;
			i++;
		} else if ((c < ' ' && c != '\t') || c > '~' || ++column > 998) {
			return false;
		}
	}
	return true;
}

/* Quoted-printable (RFC 2045 6.7), which RFC 6522 4 allows for headers that are not plain. Spaces before a line's end
 * are coded. */
static void
put_quoted(struct buf *b, struct slice in)
{
	size_t column = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		bool at_end = i + 1 == in.len || in.p[i + 1] == '\r' || in.p[i + 1] == '\n';
		bool as_is = (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !at_end);

		if (c == '\r' && i + 1 < in.len && in.p[i + 1] == '\n') {
			(void)buf_puts(b, "\r\n");
			column = 0;
			i++;
			continue;
		}
		if (column + 3 > 75) {
			(void)buf_puts(b, "=\r\n");
			column = 0;
		}
		if (as_is)
			(void)buf_putc(b, (char)c);
		else
			(void)buf_printf(b, "=%02X", c);
		column += as_is ? 1 : 3;
	}
}

/* RFC 6533 6: lines of UTF-8 that need no coding. */
static bool
header_is_global(const struct dsn *dsn, struct slice header)
{
	size_t column = 0;

	for (size_t i = 0; i < header.len; i++) {
		unsigned char c = (unsigned char)header.p[i];

		column = c == '\n' ? 0 : column + 1;
		if (column > 998 || c == '\0' || (c == '\r') != (i + 1 < header.len && header.p[i + 1] == '\n'))
			return false;
	}
	return dsn->utf8 && utf8_valid(header);
}

static void
put_header_part(struct buf *b, const struct dsn *dsn, const char *boundary, struct slice header)
{
	const char *description = dsn->kind == DSN_SUCCESS ? "Message header" : "Undelivered message's header";
	bool plain = header_is_plain(header);

	if (!plain && header_is_global(dsn, header)) {
		put_part(b, boundary, description, "message/global-headers", "8bit");
		(void)buf_put_slice(b, header);
		return;
	}
	put_part(b, boundary, description, "text/rfc822-headers", plain ? "7bit" : "quoted-printable");
	if (plain)
		(void)buf_put_slice(b, header);
	else
		put_quoted(b, header);
}

static void
put_message(struct buf *b, const struct dsn *dsn, const char *boundary)
{
	const char *encoding = full_encoding(dsn);
	struct slice header = header_part(dsn->header);

	if (encoding == NULL) {
		put_header_part(b, dsn, boundary, header);
		return;
	}
	put_part(b, boundary, "Undelivered message", slice_is_ascii(header) ? "message/rfc822" : "message/global", encoding);
	(void)buf_put_slice(b, dsn->header);
}

static void
put_parts(struct buf *b, const struct dsn *dsn, const char *boundary)
{
	const char *encoding = dsn->utf8 ? "8bit" : "7bit";

	put_part(b, boundary, "Notification", dsn->utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", encoding);
	notice_put(b, dsn);
	put_part(b, boundary, "Delivery report", dsn->utf8 ? "message/global-delivery-status" : "message/delivery-status", encoding);
	put_message_fields(b, dsn);
	for (uint32_t i = 0; i < dsn->count; i++)
		put_recipient_fields(b, dsn, &dsn->recipients[i]);
	put_message(b, dsn, boundary);
	(void)buf_printf(b, "\r\n--%s--\r\n", boundary);
}

static size_t
occurrences(struct slice in, const char *what)
{
	size_t n = 0, len = strlen(what);
	const char *at;

	while (in.len >= len && (at = memmem(in.p, in.len, what, len)) != NULL) {
		n++;
		slice_drop(&in, (size_t)(at - in.p) + len);
	}
	return n;
}

int
dsn_build(const struct dsn *dsn, struct buf *out)
{
	char id[QUEUE_ID_LEN + 1], boundary[BOUNDARY_SIZE];
	size_t before = buf_len(out);

	assert(dsn->count > 0 && dsn->count <= DSN_RECIPIENTS_MAX);
	for (uint64_t try = 0; try < BOUNDARY_TRIES && !out->failed; try++) {
		(void)snprintf(boundary, sizeof(boundary), "%s.%016" PRIx64 "/report",
		    queue_id_print(dsn->own_id, id), dsn->random + try);
		put_header(out, dsn, boundary);
		put_parts(out, dsn, boundary);

		struct slice made = buf_slice(out);
		slice_drop(&made, before);
		if (!out->failed && occurrences(made, boundary) == BOUNDARY_USES)
			return 0;
		buf_cut(out, before);
	}
	return -1;
}
