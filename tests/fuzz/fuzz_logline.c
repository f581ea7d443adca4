/* fuzz_logline — a line of any log, read for an audit: nothing that it finds lies outside the line. */
#include <stdlib.h>

#include "queue/archive/logline.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must_be_within(struct slice s, struct slice line, const struct logline *l)
{
	const char *const v[] = { line.p, l->scratch };
	const size_t n[] = { line.len, sizeof(l->scratch) };

	for (int i = 0; i < 2 && s.len > 0; i++)
		if (s.p >= v[i] && s.p + s.len <= v[i] + n[i])
			return;
	if (s.len > 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct logline l;
	struct slice line = slice_of(data, size);

	logline_read(&l, line, 2026);
	if (l.kind != LOGLINE_NONE && l.kind != LOGLINE_DROPPED && l.id == 0)
		abort();
	must_be_within(l.from, line, &l);
	must_be_within(l.to, line, &l);
	must_be_within(l.original, line, &l);
	return 0;
}
