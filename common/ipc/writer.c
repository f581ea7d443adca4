/*
 * writer — fields into a buf, little-endian whatever the machine.
 */
#include "ipc/writer.h"

static void
put_bytes(struct buf *b, uint64_t n, size_t size)
{
	char *room = buf_room(b, size);

	if (room == NULL)
		return;
	for (size_t i = 0; i < size; i++)
		room[i] = (char)(n >> (8 * i) & 0xff);
	buf_added(b, size);
}

void
put_u8(struct buf *b, uint8_t n)
{
	put_bytes(b, n, 1);
}

void
put_u16(struct buf *b, uint16_t n)
{
	put_bytes(b, n, 2);
}

void
put_u32(struct buf *b, uint32_t n)
{
	put_bytes(b, n, 4);
}

void
put_u64(struct buf *b, uint64_t n)
{
	put_bytes(b, n, 8);
}

void
put_i64(struct buf *b, int64_t n)
{
	put_bytes(b, (uint64_t)n, 8);
}

void
put_bool(struct buf *b, bool yes)
{
	put_bytes(b, yes ? 1 : 0, 1);
}

void
put_slice(struct buf *b, struct slice s)
{
	if (s.len > UINT32_MAX) {
		b->failed = true;
		return;
	}
	put_u32(b, (uint32_t)s.len);
	(void)buf_put_slice(b, s);
}

void
put_str(struct buf *b, const char *s)
{
	put_slice(b, slice_str(s));
}
