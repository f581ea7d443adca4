/* fuzz_wire_control — the supervisor's frames and the operator's. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_control, recode_control_count, bytes, len);
	return 0;
}
