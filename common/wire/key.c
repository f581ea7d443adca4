/* key — questions and signatures as bytes. */
#include "wire/key.h"

#include <string.h>

void
key_question_put(struct buf *b, const struct key_question *q)
{
	put_slice(b, slice_of((const char *)q->id, KEY_ID_SIZE));
	put_u8(b, (uint8_t)q->digest);
	put_bool(b, q->pss);
	put_slice(b, q->content);
}

int
key_question_get(struct reader *r, struct key_question *out)
{
	struct slice id = get_slice(r, KEY_ID_SIZE);

	out->digest = (enum key_digest)get_enum(r, KEY_DIGEST_COUNT);
	out->pss = get_bool(r);
	out->content = get_slice(r, KEY_CONTENT_MAX);
	if (id.len != KEY_ID_SIZE)
		reader_fail(r);
	else
		memcpy(out->id, id.p, KEY_ID_SIZE);
	return reader_end(r);
}

void
key_answer_put(struct buf *b, const struct key_answer *a)
{
	put_slice(b, a->signature);
}

int
key_answer_get(struct reader *r, struct key_answer *out)
{
	out->signature = get_slice(r, KEY_SIGNATURE_MAX);
	return reader_end(r);
}
