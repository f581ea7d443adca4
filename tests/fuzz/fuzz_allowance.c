/* fuzz_allowance — the file `logins` as anybody may have left it: what is taken from it is written and read again as the same. */
#include <stdlib.h>

#include "queue/intake/allowance_file.h"

#define NOW	INT64_C(1795413600250)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The size of the text that says what is in the table. */
static size_t
put(struct buf *out, struct allowances *all)
{
	static const struct allowance_limits limits = { { 100, ALLOWANCE_MOST } };

	buf_init(out, ALLOWANCE_TEXT_MAX);
	allowance_text_put(out, all, &limits, NOW);
	return out->failed ? 0 : buf_len(out);
}

static void
again(struct allowances *all)
{
	struct allowances *other = allowances_new();
	struct buf first, second;
	size_t bad, len = put(&first, all);

	if (other == NULL || len == 0 || allowance_text_get(buf_slice(&first), other, NOW, &bad, NULL) == -1 || bad > 0)
		abort();
	if (put(&second, other) != len)
		abort();
	buf_fini(&first);
	buf_fini(&second);
	allowances_free(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct allowances *all = allowances_new();
	size_t bad;

	if (all == NULL)
		abort();
	if (allowance_text_get(slice_of(data, size), all, NOW, &bad, NULL) == 0)
		again(all);
	allowances_free(&all);
	return 0;
}
