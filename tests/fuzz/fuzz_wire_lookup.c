/* fuzz_wire_lookup — questions about addresses and their answers. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_lookup, recode_lookup_count, bytes, len);
	return 0;
}
