/* fuzz_wire_deliver — jobs, leases and results. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_deliver, recode_deliver_count, bytes, len);
	return 0;
}
