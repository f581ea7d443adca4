/* base64 — see base64.h. */
#include "smtp/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_encode(struct slice in, char *out)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t len = 0;

	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);

		out[len++] = alphabet[bits >> 18];
		out[len++] = alphabet[bits >> 12 & 63];
		out[len++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[len++] = left > 2 ? alphabet[bits & 63] : '=';
	}
	return len;
}

/* 0-63, or -1. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which `chars` are not padding. -1: one is no character of ours, or unused bits are set. */
static int
quad(const char *in, size_t chars, uint32_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < chars; i++) {
		int value = value_of(in[i]);

		if (value == -1)
			return -1;
		*bits |= (uint32_t)value << (18 - 6 * i);
	}
	return (chars == 2 && (*bits & 0xffff)) || (chars == 3 && (*bits & 0xff)) ? -1 : 0;
}

int
base64_decode(struct slice in, char *out, size_t *len)
{
	size_t chars, done = 0;
	uint32_t bits;

	if (in.len % 4 != 0)
		return -1;
	for (size_t i = 0; i < in.len; i += 4) {
		chars = 4;
		if (i + 4 == in.len && in.p[i + 3] == '=')
			chars = in.p[i + 2] == '=' ? 2 : 3;
		if (quad(in.p + i, chars, &bits) == -1)
			return -1;
		for (size_t k = 0; k + 1 < chars; k++)
			out[done++] = (char)(bits >> (16 - 8 * k));
	}
	*len = done;
	return 0;
}
