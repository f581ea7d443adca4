/*
 * fuzz_batch — the readers of a journal segment over any bytes: its head, the look at a batch,
 * the walk over records.
 *
 * The first byte says what the input is taken for. A checksum that the fuzzer cannot guess is
 * put right first, so that what lies behind it is reached, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "queue/store/batch.h"
#include "queue/store/bytes.h"
#include "queue/store/record.h"
#include "queue/store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Whatever record_take shows must lie within what it was given. */
static void
walk_records(struct slice in, int check)
{
	const char *start = in.p, *end = in.p + in.len;
	struct record r;
	bool whole;

	while (in.len > 0 && record_take(&in, &r, check, &whole) == 0) {
		if (in.p + in.len != end || in.p <= start)
			abort();
		if (whole && (r.envelope.p < start || r.envelope.p + r.envelope.len > in.p))
			abort();
		if (whole && r.content.len > 0 && r.content.p + r.content.len != in.p)
			abort();
		start = in.p;
	}
}

static void
mend_records(unsigned char *p, size_t len)
{
	while (len >= RECORD_HEAD) {
		size_t body = bytes_get32(p + 4);

		bytes_put32(p + 28, crc32c(0, p, 28));
		if (body > len - RECORD_HEAD)
			return;
		p += RECORD_HEAD + body;
		len -= RECORD_HEAD + body;
	}
}

static void
look(const unsigned char *p, size_t len)
{
	struct batch_head want = { 0 }, got = { 0 };
	struct slice bytes = slice_of(p, len);

	if (batch_head_get(bytes, &want) == BATCH_WHOLE && batch_look(bytes, &want, &got) != BATCH_ELSE)
		walk_records(slice_of(p + BATCH_HEAD, got.length), 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_head head;
	unsigned char *p;
	uint8_t kind;
	size_t len;

	if (size < 1)
		return 0;
	kind = data[0];
	len = size - 1;
	p = malloc(len > 0 ? len : 1);
	if (p == NULL)
		return 0;
	memcpy(p, data + 1, len);
	if (kind % 4 == 0)
		(void)segment_head_get(slice_of(p, len), &head);
	if (kind % 4 == 1)
		walk_records(slice_of(p, len), kind & 16);
	if (kind % 4 == 2) {
		mend_records(p, len);
		walk_records(slice_of(p, len), kind & 16);
	}
	if (kind % 4 == 3 && len >= BATCH_HEAD) {
		mend_records(p + BATCH_HEAD, len - BATCH_HEAD);
		if (bytes_get32(p + 44) <= len - BATCH_HEAD)
			bytes_put32(p + 52, crc32c(0, p + BATCH_HEAD, bytes_get32(p + 44)));
		bytes_put32(p + 60, crc32c(0, p, 60));
		look(p, len);
	}
	free(p);
	return 0;
}
