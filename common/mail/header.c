/*
 * header — the incremental scan.
 *
 * A line is gathered only as far as HEADER_VALUE_MAX; the rest of a longer one is counted and passed over, so a header
 * of one endless line costs no more than any other.
 */
#include "mail/header.h"

static const struct {
	struct slice		name;
	enum header_field	field;
} names[] = {
	{ SLICE_LIT("Received"),		HEADER_RECEIVED },
	{ SLICE_LIT("Message-ID"),		HEADER_MESSAGE_ID },
	{ SLICE_LIT("Resent-Message-ID"),	HEADER_RESENT_MESSAGE_ID },
	{ SLICE_LIT("Delivered-To"),		HEADER_DELIVERED_TO },
	{ SLICE_LIT("Return-Path"),		HEADER_RETURN_PATH },
	{ SLICE_LIT("Date"),			HEADER_DATE },
	{ SLICE_LIT("From"),			HEADER_FROM },
	{ SLICE_LIT("Subject"),			HEADER_SUBJECT },
	{ SLICE_LIT("Auto-Submitted"),		HEADER_AUTO_SUBMITTED },
	{ SLICE_LIT("TLS-Required"),		HEADER_TLS_REQUIRED },	/* RFC 8689 3 */
};

void
header_scan_init(struct header_scan *scan, size_t max, header_field_fn *fn, void *arg)
{
	/* The two arrays are filled before they are read. */
	memset(scan, 0, offsetof(struct header_scan, line));
	scan->max = max;
	scan->fn = fn;
	scan->arg = arg;
	scan->result = HEADER_MORE;
}

static enum header_field
field_of(struct slice name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_caseeq(name, names[i].name))
			return names[i].field;
	return HEADER_OTHER;
}

/* The field that was being gathered is complete. */
static void
tell(struct header_scan *scan)
{
	if (scan->field == HEADER_OTHER)
		return;
	scan->counts[scan->field]++;
	if (scan->fn != NULL)
		scan->fn(scan->arg, scan->field, slice_trim(slice_of(scan->value, scan->value_len)));
	scan->field = HEADER_OTHER;
}

static void
gather(struct header_scan *scan, struct slice text)
{
	size_t room = sizeof(scan->value) - scan->value_len;

	if (text.len > room) {
		text.len = room;
		scan->cut = true;
	}
	memcpy(scan->value + scan->value_len, text.p, text.len);
	scan->value_len += text.len;
}

/* RFC 5322 3.6.8: a name is printable ASCII without the colon; 4.5 lets spaces stand before the colon. */
static bool
split_field(struct slice line, struct slice *name, struct slice *value)
{
	*name = slice_split(line, ':', value);
	while (name->len > 0 && (name->p[name->len - 1] == ' ' || name->p[name->len - 1] == '\t'))
		name->len--;
	if (value->p == NULL || name->len == 0)
		return false;
	for (size_t i = 0; i < name->len; i++)
		if (name->p[i] <= ' ' || name->p[i] > '~')
			return false;
	return true;
}

/* One whole line, without its end. */
static enum header_result
take_line(struct header_scan *scan, struct slice line)
{
	struct slice name, value;

	if (line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t') && scan->begun) {
		if (scan->field != HEADER_OTHER)
			gather(scan, line);
		return HEADER_MORE;
	}
	tell(scan);
	scan->closed = line.len == 0;
	if (scan->closed)
		return HEADER_DONE;
	if (!split_field(line, &name, &value))
		return HEADER_DONE;		/* a body without the empty line in front: end_line takes the size back */
	scan->begun = true;
	scan->field = field_of(name);
	scan->value_len = 0;
	scan->cut = false;
	if (scan->field != HEADER_OTHER)
		gather(scan, value);
	return HEADER_MORE;
}

static enum header_result
end_line(struct header_scan *scan, struct slice line, size_t whole)
{
	bool cut = line.len > sizeof(scan->line) || scan->line_size > sizeof(scan->line);
	enum header_result result;

	if (line.len > sizeof(scan->line))
		line.len = sizeof(scan->line);	/* as keep() would have, so that no split shows */
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	result = take_line(scan, line);
	scan->cut |= cut;
	if (result == HEADER_DONE && line.len > 0)
		scan->size -= whole;
	return result;
}

/* Keeps the beginning of a line whose end has not come. */
static void
keep(struct header_scan *scan, struct slice piece)
{
	size_t room = sizeof(scan->line) - scan->len;

	scan->line_size += piece.len;
	if (piece.len > room)
		piece.len = room;
	memcpy(scan->line + scan->len, piece.p, piece.len);
	scan->len += piece.len;
}

enum header_result
header_scan_feed(struct header_scan *scan, struct slice piece)
{
	while (scan->result == HEADER_MORE && piece.len > 0) {
		const char *lf = memchr(piece.p, '\n', piece.len);
		struct slice line = slice_of(piece.p, lf == NULL ? piece.len : (size_t)(lf - piece.p));
		size_t taken = line.len + (lf != NULL);

		slice_drop(&piece, taken);
		scan->size += taken;
		if (scan->size > scan->max) {
			scan->result = HEADER_TOO_LONG;
		} else if (lf == NULL) {
			keep(scan, line);
		} else if (scan->line_size > 0) {
			keep(scan, line);
			scan->result = end_line(scan, slice_of(scan->line, scan->len), scan->line_size + 1);
			scan->len = scan->line_size = 0;
		} else {
			scan->result = end_line(scan, line, taken);
		}
	}
	return scan->result;
}

enum header_result
header_scan_end(struct header_scan *scan)
{
	if (scan->result == HEADER_MORE && scan->line_size > 0) {
		scan->result = end_line(scan, slice_of(scan->line, scan->len), scan->line_size);
		scan->len = scan->line_size = 0;
	}
	if (scan->result == HEADER_MORE) {
		tell(scan);
		scan->result = HEADER_DONE;
	}
	return scan->result;
}
