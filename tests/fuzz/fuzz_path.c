/* fuzz_path: a path is taken whole or not at all. */
#include <stdlib.h>

#include "mail/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena = { .max = 65536 };
	struct slice in = slice_of(data, len);
	struct path path;
	const char *why = NULL;

	if (path_take(&in, true, true, &arena, &path, &why) == 0) {
		if (in.len >= len || in.p[-1] != '>' || (!path.is_null && path.address.local.len == 0))
			abort();
	} else if (why == NULL || in.len != len) {
		abort();
	}
	arena_fini(&arena);
	return 0;
}
