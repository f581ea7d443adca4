/* fuzz_dovecot: what stands behind Dovecot's socket may say anything, line by line. */
#include <stdlib.h>

#include "lookup/password/dovecot_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice rest = slice_of(data, len);
	struct dovecot_line line;
	char out[64];
	size_t n;

	while (rest.p != NULL) {
		dovecot_line_parse(slice_split(rest, '\n', &rest), &line);
		if (line.kind >= DOVECOT_OK && line.id == 0)
			abort();
		if (line.kind == DOVECOT_OK && line.user.len == 0)
			abort();
		if (dovecot_unescape(line.user, out, sizeof(out), &n) == 0 && n > line.user.len)
			abort();
	}
	return 0;
}
