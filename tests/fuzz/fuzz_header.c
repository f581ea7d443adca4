/* fuzz_header: the scan gives the same counts and size whether the header comes whole or byte by byte. */
#include <stdlib.h>

#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
sum(void *arg, enum header_field field, struct slice value)
{
	uint64_t *total = arg;

	if (field == HEADER_OTHER || field >= HEADER_FIELD_COUNT || value.len > HEADER_VALUE_MAX)
		abort();
	for (size_t i = 0; i < value.len; i++)
		*total = *total * 31 + (unsigned char)value.p[i];
	*total = *total * 31 + (uint64_t)field;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct header_scan whole, bytes;
	uint64_t a = 0, b = 0;

	header_scan_init(&whole, 4000, sum, &a);
	header_scan_init(&bytes, 4000, sum, &b);
	header_scan_feed(&whole, slice_of(data, len));
	for (size_t i = 0; i < len; i++)
		header_scan_feed(&bytes, slice_of(data + i, 1));
	if (header_scan_end(&whole) != header_scan_end(&bytes))
		abort();
	if (whole.result == HEADER_DONE && (whole.size != bytes.size || whole.size > len || a != b))
		abort();
	if (whole.result == HEADER_DONE && whole.closed != bytes.closed)
		abort();
	if (whole.result == HEADER_DONE && memcmp(whole.counts, bytes.counts, sizeof(whole.counts)) != 0)
		abort();
	return 0;
}
