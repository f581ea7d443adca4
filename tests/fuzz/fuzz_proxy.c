/* fuzz_proxy: a header that is whole is not whole without its last byte, and its length is within the input and the limit. */
#include <stdint.h>
#include <stdlib.h>

#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sockaddress client = { .len = 0 };
	size_t header, less;
	enum proxy_result result = proxy_parse(slice_of(data, len), &header, &client);

	if (result == PROXY_NONE || (result == PROXY_CLIENT) != (client.len > 0))
		abort();
	if (result != PROXY_CLIENT && result != PROXY_SELF)
		return 0;
	if (header == 0 || header > len || header > PROXY_MAX)
		abort();
	if (proxy_parse(slice_of(data, header - 1), &less, &client) != PROXY_MORE)
		abort();
	return 0;
}
