#ifndef STORE_BYTES_H
#define STORE_BYTES_H
/* bytes — numbers at rest: little-endian, unaligned, the same on every machine; big-endian where
 * the order of bytes has to be the order of numbers. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What was never written, or says nothing. */
static inline bool
bytes_are_zero(const void *at, size_t len)
{
	const unsigned char *p = at;

	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static inline void
bytes_put16(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static inline void
bytes_put32(unsigned char *p, uint32_t v)
{
	bytes_put16(p, (uint16_t)v);
	bytes_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void
bytes_put64(unsigned char *p, uint64_t v)
{
	bytes_put32(p, (uint32_t)v);
	bytes_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t
bytes_get16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
bytes_get32(const unsigned char *p)
{
	return bytes_get16(p) | (uint32_t)bytes_get16(p + 2) << 16;
}

static inline uint64_t
bytes_get64(const unsigned char *p)
{
	return bytes_get32(p) | (uint64_t)bytes_get32(p + 4) << 32;
}

static inline void
bytes_put_big(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static inline uint64_t
bytes_get_big(const void *at, int bytes)
{
	const unsigned char *p = at;
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

#endif
