/*
 * fuzz_pam_wire — the frames between lookup and the process pam, from both sides; behind a number they are those of a checker. The
 * first byte chooses the frame.
 */
#include "tests/unit/lookup/pam_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(pam_rows, pam_row_count, bytes, len);
	return 0;
}
