/* fuzz_line: no line holds a CR or LF, and lines and what is left make up the input. */
#include <stdint.h>
#include <stdlib.h>

#include "smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice in = slice_of(data, len), line;
	size_t before = in.len;

	while (line_next(&in, 64, &line) == LINE_READY) {
		if (before - in.len != line.len + 2 || line.len > 62)
			abort();
		if (line.len > 0 && (memchr(line.p, '\r', line.len) != NULL || memchr(line.p, '\n', line.len) != NULL))
			abort();
		before = in.len;
	}
	return 0;
}
