/* fuzz_wire_key — questions for signatures, and signatures. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_key, recode_key_count, bytes, len);
	return 0;
}
