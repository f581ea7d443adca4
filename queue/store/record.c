/*
 * record — see record.h.
 *
 *  0 type  1 flags  2 zero (2)  4 length of the body (4)  8 id (8)  16 version (4)
 * 20 crc32c of the body, a PUT's content excepted (4)  24 zero (4)  28 crc32c of bytes 0..27 (4)
 * body of PUT: 0 length of envelope (4)  4 crc32c of content (4)  8 size of content (8)  16 envelope, content
 * body of STATE: the delta
 * body of DONE: nothing
 */
#include "queue/store/record.h"

#include "base/crc32c.h"
#include "queue/store/bytes.h"

#define FLAG_LARGE	1u

size_t
record_size(const struct record *r)
{
	return (r->type == RECORD_PUT ? RECORD_PUT_HEAD : RECORD_HEAD) + r->envelope.len + r->content.len;
}

size_t
record_head_put(unsigned char *p, const struct record *r)
{
	size_t head = r->type == RECORD_PUT ? RECORD_PUT_HEAD : RECORD_HEAD;
	uint32_t crc = 0;

	memset(p, 0, head);
	if (r->type == RECORD_PUT) {
		bytes_put32(p + RECORD_HEAD, (uint32_t)r->envelope.len);
		bytes_put32(p + RECORD_HEAD + 4, r->content_crc);
		bytes_put64(p + RECORD_HEAD + 8, r->content_size);
		crc = crc32c(0, p + RECORD_HEAD, RECORD_PUT_HEAD - RECORD_HEAD);
	}
	p[0] = (unsigned char)r->type;
	p[1] = r->large ? FLAG_LARGE : 0;
	bytes_put32(p + 4, (uint32_t)(record_size(r) - RECORD_HEAD));
	bytes_put64(p + 8, r->id);
	bytes_put32(p + 16, r->version);
	bytes_put32(p + 20, crc32c(crc, r->envelope.p, r->envelope.len));
	bytes_put32(p + 28, crc32c(0, p, 28));
	return head;
}

/* The lengths within a PUT must meet exactly the length of its body. */
static int
put_body(struct record *r, struct slice body)
{
	const unsigned char *p = (const unsigned char *)body.p;
	size_t fixed = RECORD_PUT_HEAD - RECORD_HEAD;
	uint32_t envelope;

	if (body.len < fixed)
		return -1;
	envelope = bytes_get32(p);
	r->content_crc = bytes_get32(p + 4);
	r->content_size = bytes_get64(p + 8);
	if (envelope > body.len - fixed)
		return -1;
	r->envelope = slice_of(body.p + fixed, envelope);
	r->content = slice_of(body.p + fixed + envelope, body.len - fixed - envelope);
	if (r->content.len != (r->large ? 0 : r->content_size))
		return -1;
	return 0;
}

static bool
body_is_whole(const struct record *r, struct slice body, uint32_t crc)
{
	if (crc32c(0, body.p, body.len - r->content.len) != crc)
		return false;
	return r->large || r->type != RECORD_PUT ||
	    crc32c(0, r->content.p, r->content.len) == r->content_crc;
}

int
record_take(struct slice *in, struct record *out, bool check, bool *whole)
{
	const unsigned char *p = (const unsigned char *)in->p;
	struct slice body;
	uint32_t len, crc;

	if (in->len < RECORD_HEAD || crc32c(0, p, 28) != bytes_get32(p + 28))
		return -1;
	len = bytes_get32(p + 4);
	if (p[0] <= RECORD_NONE || p[0] >= RECORD_TYPE_COUNT || (p[1] & ~FLAG_LARGE) != 0 ||
	    len > in->len - RECORD_HEAD)
		return -1;
	*out = (struct record){ .type = (enum record_type)p[0], .large = (p[1] & FLAG_LARGE) != 0,
	    .id = bytes_get64(p + 8), .version = bytes_get32(p + 16) };
	crc = bytes_get32(p + 20);
	body = slice_of(in->p + RECORD_HEAD, len);
	slice_drop(in, RECORD_HEAD + len);
	*whole = true;
	if (out->type != RECORD_PUT)
		out->envelope = body;
	else if (put_body(out, body) == -1)
		*whole = false;
	if (check && *whole)
		*whole = body_is_whole(out, body, crc);
	return 0;
}
