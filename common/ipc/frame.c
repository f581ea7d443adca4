/*
 * frame — header and handshake bytes.
 */
#include "ipc/frame.h"

#define HANDSHAKE_MAGIC	UINT32_C(0x50485731)	/* "PHW1" */
#define WIRE_NAME_MAX	32

enum frame_result
frame_take(struct slice in, struct frame *out, size_t *used)
{
	struct reader r;
	uint32_t len;
	uint8_t fds, zero;

	if (in.len < FRAME_HEADER)
		return FRAME_MORE;
	r = reader_of(slice_of(in.p, FRAME_HEADER));
	len = get_u32(&r);
	out->type = get_u16(&r);
	fds = get_u8(&r);
	zero = get_u8(&r);
	if (len > FRAME_MAX || fds > 1 || zero != 0)
		return FRAME_BAD;
	if (in.len - FRAME_HEADER < len)
		return FRAME_MORE;
	out->has_fd = fds == 1;
	out->body = slice_of(in.p + FRAME_HEADER, len);
	*used = FRAME_HEADER + len;
	return FRAME_READY;
}

void
frame_open(struct buf *b, uint16_t type)
{
	put_u32(b, 0);
	put_u16(b, type);
	put_u16(b, 0);
}

int
frame_close(struct buf *b, size_t at, bool has_fd)
{
	size_t len;
	char *header;

	if (b->failed)
		return -1;
	len = buf_len(b) - at - FRAME_HEADER;
	if (len > FRAME_MAX)
		return -1;
	header = b->mem + b->start + at;
	for (int i = 0; i < 4; i++)
		header[i] = (char)(len >> (8 * i) & 0xff);
	header[6] = has_fd ? 1 : 0;
	return 0;
}

void
handshake_put(struct buf *b, const char *wire, uint16_t version)
{
	size_t at = buf_len(b);

	frame_open(b, FRAME_HANDSHAKE);
	put_u32(b, HANDSHAKE_MAGIC);
	put_str(b, wire);
	put_u16(b, version);
	(void)frame_close(b, at, false);
}

int
handshake_check(struct slice body, const char *wire, uint16_t version)
{
	struct reader r = reader_of(body);
	uint32_t magic = get_u32(&r);
	struct slice name = get_slice(&r, WIRE_NAME_MAX);
	uint16_t peer_version = get_u16(&r);

	if (reader_end(&r) == -1 || magic != HANDSHAKE_MAGIC)
		return -1;
	return slice_eq(name, slice_str(wire)) && peer_version == version ? 0 : -1;
}
