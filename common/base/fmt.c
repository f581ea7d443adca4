/*
 * fmt — escaping foreign text on its way out. Pure.
 */
#include "base/fmt.h"

static size_t
escape_one(char out[4], unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

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

void
fmt_escape(struct buf *out, struct slice in, size_t most)
{
	size_t used = 0;
	char piece[4];

	for (size_t i = 0; i < in.len; i++) {
		size_t n = escape_one(piece, (unsigned char)in.p[i]);

		if (used + n > most) {
			(void)buf_puts(out, "...");
			return;
		}
		(void)buf_append(out, piece, n);
		used += n;
	}
}

const char *
fmt_escaped(char *out, size_t size, struct slice in)
{
	size_t used = 0;
	char piece[4];

	for (size_t i = 0; i < in.len; i++) {
		size_t n = escape_one(piece, (unsigned char)in.p[i]);

		if (used + n + 1 > size)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	if (size > 0)
		out[used] = '\0';
	return out;
}
