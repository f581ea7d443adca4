/* fuzz_mailbox_list: what is taken is one address or more, each of which is read as itself again. */
#include <stdlib.h>

#include "mail/mailbox_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena = { .max = 65536 };
	struct slice found[8], again[1];
	const char *why = NULL;
	uint32_t count = 0, one = 0;

	if (mailbox_list_parse(slice_of(data, len), &arena, found, 8, &count, &why) == 0) {
		if (count == 0 || count > 8)
			abort();
		for (uint32_t i = 0; i < count; i++)
			if (mailbox_list_parse(found[i], &arena, again, 1, &one, &why) == -1 || !slice_eq(found[i], again[0]))
				abort();
	} else if (why == NULL) {
		abort();
	}
	arena_fini(&arena);
	return 0;
}
