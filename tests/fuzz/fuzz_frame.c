/*
 * fuzz_frame — what a channel does with a peer's bytes: frames off the front of a buffer, the first of them a
 * handshake.
 *
 * The same walk as in channel.c and chan_sync.c, without the socket.
 */
#include <assert.h>
#include <stdint.h>

#include "ipc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	struct frame f;
	size_t used;

	while (frame_take(in, &f, &used) == FRAME_READY) {
		assert(used >= FRAME_HEADER && used <= in.len);
		assert(f.body.len == used - FRAME_HEADER && f.body.len <= FRAME_MAX);
		if (f.type == FRAME_HANDSHAKE && handshake_check(f.body, "submit", 1) == 0) {
			/* Only one text can pass for this wire and version. */
			struct buf b;

			buf_init(&b, 100);
			handshake_put(&b, "submit", 1);
			assert(slice_eq(buf_slice(&b), slice_of(in.p, used)) || f.has_fd);
			buf_fini(&b);
		}
		slice_drop(&in, used);
	}
	return 0;
}
