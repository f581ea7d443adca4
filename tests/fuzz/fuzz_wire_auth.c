/* fuzz_wire_auth — the frames of a login. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_auth, recode_auth_count, bytes, len);
	return 0;
}
