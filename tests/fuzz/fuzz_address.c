/* fuzz_address: an address that parses prints to a form that parses to itself and holds no byte that could end a line. */
#include <stdlib.h>

#include "base/utf8.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
print(const struct address *a, struct buf *out)
{
	buf_init(out, ADDRESS_MAX);
	address_print(a, out);
	if (out->failed)
		abort();
	for (size_t i = 0; i < buf_len(out); i++)
		if ((unsigned char)buf_slice(out).p[i] < ' ' || buf_slice(out).p[i] == 0x7f)
			abort();
	if (!utf8_is_name(buf_slice(out)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena = { .max = 65536 };
	struct address a, again;
	struct buf once, twice;
	const char *why = NULL;

	if (address_parse(slice_of(data, len), true, &arena, &a, &why) == 0) {
		print(&a, &once);
		if (address_parse(buf_slice(&once), true, &arena, &again, &why) == -1)
			abort();
		print(&again, &twice);
		if (!slice_eq(buf_slice(&once), buf_slice(&twice)) || !slice_eq(a.local, again.local))
			abort();
		buf_fini(&once);
		buf_fini(&twice);
	} else if (why == NULL) {
		abort();
	}
	arena_fini(&arena);
	return 0;
}
