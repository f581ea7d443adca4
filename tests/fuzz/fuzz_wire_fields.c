/*
 * fuzz_wire_fields — an envelope with all its fates, and one fate alone: what a damaged or foreign record
 * on the disk holds. The first byte chooses.
 */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_fields, recode_fields_count, bytes, len);
	return 0;
}
