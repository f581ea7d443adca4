/*
 * fuzz_line_dot: what the reader lets through, the writer stuffs back to what was on the wire; and cutting the input at
 * any place changes nothing. The first byte of the input says where it is cut.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "smtp/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum dot_result
feed(struct dot_reader *reader, struct slice *in, struct buf *out)
{
	enum dot_result result;
	struct slice run;

	while ((result = dot_read(reader, in, &run)) == DOT_RUN)
		if (run.len == 0 || buf_put_slice(out, run) == -1)
			abort();
	return result;
}

static void
stuff_again(struct slice content, struct slice wire)
{
	struct dot_writer writer = { 0 };
	enum dot_result result;
	struct slice run;
	struct buf out;

	buf_init(&out, 1 << 24);
	while ((result = dot_write(&writer, &content, &run)) == DOT_RUN)
		if (buf_put_slice(&out, run) == -1)
			abort();
	if (result != DOT_MORE || buf_put_slice(&out, dot_write_end(&writer)) == -1)
		abort();
	/* The client may have stuffed more than it had to (".x"); then the wire was longer. */
	if (buf_len(&out) > wire.len)
		abort();
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dot_reader whole = { 0 }, cut = { 0 };
	struct slice in, first, second;
	struct buf a, b;
	enum dot_result one, two;

	if (len < 2)
		return 0;
	in = slice_of(data + 1, len - 1);
	first = slice_of(in.p, data[0] % in.len);
	second = slice_of(in.p + first.len, in.len - first.len);
	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	one = feed(&whole, &in, &a);
	two = feed(&cut, &first, &b);
	if (two == DOT_MORE)
		two = feed(&cut, &second, &b);
	if (one != two || (one != DOT_BARE && !slice_eq(buf_slice(&a), buf_slice(&b))))
		abort();
	if (one == DOT_END)
		stuff_again(buf_slice(&a), slice_of(data + 1, len - 1 - in.len));
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
