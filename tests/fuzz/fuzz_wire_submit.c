/* fuzz_wire_submit — the frames between smtpd and queue, and the envelope in them. The first byte chooses the frame. */
#include "tests/support/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(recode_submit, recode_submit_count, bytes, len);
	return 0;
}
