/* fuzz_wire_spawn — requests for workers: bytes that reach the one process that is root. The first byte chooses the
 * frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_spawn, recode_spawn_count, bytes, len);
	return 0;
}
