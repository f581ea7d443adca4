/*
 * queue_id — prints and reads the number of a message.
 *
 * 13 digits of 5 bits hold 65 bits, so the first digit has only 4 of them. The alphabet is Crockford's without his
 * forgiving aliases: one id has one spelling (but for case), so that grep finds it.
 */
#include "mail/queue_id.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *
queue_id_print(queue_id id, char out[QUEUE_ID_LEN + 1])
{
	for (int i = QUEUE_ID_LEN - 1; i >= 0; i--) {
		out[i] = alphabet[id & 31];
		id >>= 5;
	}
	out[QUEUE_ID_LEN] = '\0';
	return out;
}

static int
digit_value(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	at = memchr(alphabet, c, sizeof(alphabet) - 1);
	return at == NULL ? -1 : (int)(at - alphabet);
}

int
queue_id_parse(struct slice in, queue_id *out)
{
	queue_id id = 0;

	if (in.len != QUEUE_ID_LEN || digit_value(in.p[0]) > 15)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		int digit = digit_value(in.p[i]);

		if (digit == -1)
			return -1;
		id = id << 5 | (queue_id)digit;
	}
	if (id == 0)
		return -1;
	*out = id;
	return 0;
}
