/*
 * reader — fields out of hostile bytes. Total: any input ends in values or in `bad`.
 */
#include "ipc/reader.h"

struct reader
reader_of(struct slice in)
{
	return (struct reader){ .in = in };
}

void
reader_fail(struct reader *r)
{
	r->bad = true;
	r->in.len = 0;
}

static uint64_t
get_bytes(struct reader *r, size_t size)
{
	uint64_t n = 0;

	if (r->bad || r->in.len < size) {
		reader_fail(r);
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		n |= (uint64_t)(unsigned char)r->in.p[i] << (8 * i);
	slice_drop(&r->in, size);
	return n;
}

uint8_t
get_u8(struct reader *r)
{
	return (uint8_t)get_bytes(r, 1);
}

uint16_t
get_u16(struct reader *r)
{
	return (uint16_t)get_bytes(r, 2);
}

uint32_t
get_u32(struct reader *r)
{
	return (uint32_t)get_bytes(r, 4);
}

uint64_t
get_u64(struct reader *r)
{
	return get_bytes(r, 8);
}

uint64_t
get_number(struct reader *r)
{
	uint64_t number = get_u64(r);

	if (number == 0)
		reader_fail(r);
	return number;
}

int64_t
get_i64(struct reader *r)
{
	return (int64_t)get_bytes(r, 8);
}

bool
get_bool(struct reader *r)
{
	uint64_t n = get_bytes(r, 1);

	if (n > 1)
		reader_fail(r);
	return !r->bad && n == 1;
}

uint32_t
get_count(struct reader *r, uint32_t max, size_t least)
{
	uint32_t n = get_u32(r);

	/* The bytes for so many items must be there, or an allocation would trust a stranger's number. */
	if (n > max || (least > 0 && n > r->in.len / least)) {
		reader_fail(r);
		return 0;
	}
	return n;
}

struct slice
get_slice(struct reader *r, size_t max)
{
	uint32_t len = get_u32(r);
	struct slice out;

	if (r->bad || len > max || len > r->in.len) {
		reader_fail(r);
		return slice_of("", 0);
	}
	out = slice_of(r->in.p, len);
	slice_drop(&r->in, len);
	return out;
}

unsigned
get_enum0(struct reader *r, unsigned count)
{
	unsigned n = get_u8(r);

	if (n >= count) {
		reader_fail(r);
		return 0;
	}
	return n;
}

unsigned
get_enum(struct reader *r, unsigned count)
{
	unsigned n = get_enum0(r, count);

	if (n == 0)
		reader_fail(r);
	return n;
}

int
reader_end(struct reader *r)
{
	return r->bad || r->in.len != 0 ? -1 : 0;
}
