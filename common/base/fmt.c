/*
 * fmt — escaping foreign text on its way out. Pure.
 */
#include "base/fmt.h"

#include "base/utf8.h"

static const char hex[] = "0123456789abcdef";

/* The piece at the front, taken off `in`, as it goes out: one byte of it, or a code point that may be shown. */
static size_t
take_piece(struct slice *in, bool utf8, char out[4])
{
	unsigned char c = (unsigned char)in->p[0];
	struct slice rest = *in;

	if (utf8 && c > 0x7f && utf8_is_plain(utf8_take(&rest))) {
		size_t n = in->len - rest.len;

		memcpy(out, in->p, n);
		*in = rest;
		return n;
	}
	slice_drop(in, 1);
	if (c == '\\') {
		out[0] = out[1] = '\\';
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

static void
put(struct buf *out, struct slice in, size_t most, bool utf8)
{
	size_t used = 0;
	char piece[4];

	while (in.len > 0) {
		size_t n = take_piece(&in, utf8, piece);

		if (used + n > most) {
			(void)buf_puts(out, "...");
			return;
		}
		(void)buf_append(out, piece, n);
		used += n;
	}
}

static const char *
fill(char *out, size_t size, struct slice in, bool utf8)
{
	size_t used = 0;
	char piece[4];

	while (in.len > 0) {
		size_t n = take_piece(&in, utf8, piece);

		if (used + n + 1 > size)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	if (size > 0)
		out[used] = '\0';
	return out;
}

void
fmt_escape(struct buf *out, struct slice in, size_t most)
{
	put(out, in, most, false);
}

const char *
fmt_escaped(char *out, size_t size, struct slice in)
{
	return fill(out, size, in, false);
}

void
fmt_show(struct buf *out, struct slice in, size_t most)
{
	put(out, in, most, true);
}

const char *
fmt_shown(char *out, size_t size, struct slice in)
{
	return fill(out, size, in, true);
}

/* The value of a digit as take_piece prints it, or -1. */
static int
hex_digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(hex, c);

	return at == NULL ? -1 : (int)(at - hex);
}

/* The byte at the front, taken off `in`; -1: take_piece does not print that. */
static int
take_byte(struct slice *in)
{
	char again[4], c = in->p[0];
	struct slice one = slice_of(&c, 1), printed;
	int high, low;

	if (c == '\\' && in->len >= 4 && in->p[1] == 'x' && (high = hex_digit(in->p[2])) >= 0 && (low = hex_digit(in->p[3])) >= 0)
		c = (char)(high << 4 | low);
	printed = slice_of(again, take_piece(&one, false, again));
	if (!slice_starts(*in, printed))
		return -1;
	slice_drop(in, printed.len);
	return (unsigned char)c;
}

int
fmt_unescape(struct slice in, char *out, size_t size, size_t *len)
{
	int c;

	for (*len = 0; in.len > 0; (*len)++) {
		if (*len == size || (c = take_byte(&in)) == -1)
			return -1;
		out[*len] = (char)c;
	}
	return 0;
}
