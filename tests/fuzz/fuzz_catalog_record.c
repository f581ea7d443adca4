/*
 * fuzz_catalog_record — a record of the catalog over any bytes.
 *
 * record_decode is the catalog's own; its file is taken in whole, so that it can be asked without a database. The checksum,
 * which the fuzzer cannot guess, is put right when the first byte is odd.
 */
#include <stdlib.h>
#include <string.h>

#include "queue/store/catalog.c"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_plan(struct slice plan)
{
	const char *end = plan.p + plan.len;
	struct plan_item item;
	unsigned char key[INDEX_KEY_MAX];

	while (plan_take(&plan, &item) != PLAN_END) {
		if (plan.p + plan.len != end)
			abort();
		if (item.part == PLAN_DOMAIN && domain_key(key, item.name, 1).len > sizeof(key))
			abort();
	}
}

/* What was read, written and read again is the same. */
static void
check_again(const struct catalog_record *r, struct slice plan)
{
	static struct catalog c;
	struct catalog_record s;
	struct slice other;
	struct err err;

	buf_init(&c.scratch, RECORD_BYTES_MAX);
	if (record_encode(&c, r, plan, &err) == -1 || record_decode(r->id, buf_slice(&c.scratch), &s, &other) == -1)
		abort();
	if (s.version != r->version || s.large != r->large || s.maybe != r->maybe || s.folder != r->folder || s.place != r->place ||
	    s.crc != r->crc || s.size != r->size || !slice_eq(s.envelope, r->envelope) || !slice_eq(other, plan))
		abort();
	buf_fini(&c.scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size - 1;
	struct catalog_record r;
	struct slice plan;
	unsigned char *p;

	if (size < 1 || (p = malloc(len > 0 ? len : 1)) == NULL)
		return 0;
	memcpy(p, data + 1, len);
	if ((data[0] & 1) && len >= RECORD_HEAD_SIZE)
		bytes_put32(p + 44, crc32c(crc32c(0, p, 44), p + RECORD_HEAD_SIZE, len - RECORD_HEAD_SIZE));
	if (record_decode(7, slice_of(p, len), &r, &plan) == 0) {
		if (plan.p != (char *)p + RECORD_HEAD_SIZE || plan.p + plan.len != r.envelope.p ||
		    r.envelope.p + r.envelope.len != (char *)p + len)
			abort();
		check_plan(plan);
		check_again(&r, plan);
	}
	free(p);
	return 0;
}
