/*
 * fuzz_conf_blob — any bytes as a configuration from the control wire: refused, or a value that
 * encodes to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "conf/conf.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct conf *conf = conf_get(slice_of(bytes, len)), *again;
	struct buf blob, twice;

	if (conf == NULL)
		return 0;
	buf_init(&blob, 16 * 1024 * 1024);
	buf_init(&twice, 16 * 1024 * 1024);
	conf_put(&blob, conf);
	again = conf_get(buf_slice(&blob));
	if (blob.failed || again == NULL)
		abort();
	conf_put(&twice, again);
	if (!slice_eq(buf_slice(&blob), buf_slice(&twice)))
		abort();
	buf_fini(&blob);
	buf_fini(&twice);
	conf_free(&again);
	conf_free(&conf);
	return 0;
}
