/*
 * xtext — hexadecimal escapes of ENVID, ORCPT and AUTH. Pure and total.
 *
 * What comes out goes into headers, log lines and commands, so that a coded CR, LF or NUL is no text, whoever coded it.
 */
#include "smtp/xtext.h"

#include <inttypes.h>

#include "base/utf8.h"

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, ascii_lower(c));

	return at == NULL ? -1 : (int)(at - digits);
}

/* RFC 3461 4: xchar is any of "!" to "~" but "+" and "=". */
static bool
is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* The escape at the front, taken off. -1: it is none, or stands for a byte that is no text. */
static int
take_escape(struct slice *in)
{
	int high, low, c;

	if (in->len < 3 || (high = digit(in->p[1])) == -1 || (low = digit(in->p[2])) == -1)
		return -1;
	slice_drop(in, 3);
	c = high * 16 + low;
	return c >= ' ' && c != 0x7f ? c : -1;
}

int
xtext_decode(struct slice in, char *out, size_t size, size_t *len)
{
	size_t n;

	if (xtext_decode_bytes(in, out, size, &n) == -1 || !slice_is_ascii(slice_of(out, n)))
		return -1;
	*len = n;
	return 0;
}

int
xtext_decode_bytes(struct slice in, char *out, size_t size, size_t *len)
{
	size_t n = 0;

	while (in.len > 0) {
		int c = (unsigned char)in.p[0];

		if (c == '+')
			c = take_escape(&in);
		else if (c > 0x7f || is_xchar((char)c))
			slice_drop(&in, 1);
		else
			c = -1;
		if (c == -1 || n == size)
			return -1;
		out[n++] = (char)c;
	}
	*len = n;
	return 0;
}

void
xtext_put(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_xchar(text.p[i]))
			(void)buf_putc(out, text.p[i]);
		else
			(void)buf_printf(out, "+%02X", (unsigned char)text.p[i]);
	}
}

/* RFC 6533 3: QCHAR is printable ASCII without "+", "=" and the backslash. */
static bool
is_qchar(int32_t c)
{
	return c > ' ' && c <= '~' && c != '+' && c != '=' && c != '\\';
}

void
uxtext_put(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		int32_t c = utf8_take(&text);

		if (is_qchar(c))
			(void)buf_putc(out, (char)c);
		else
			(void)buf_printf(out, "\\x{%02" PRIX32 "}", c == -1 ? 0xfffd : (uint32_t)c);
	}
}
