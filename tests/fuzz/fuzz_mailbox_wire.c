/*
 * fuzz_mailbox_wire — the frames between mda and a worker, from both sides. The first byte chooses the frame.
 */
#include "tests/unit/mda/mailbox_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	recode_fuzz(mailbox_rows, mailbox_row_count, bytes, len);
	return 0;
}
