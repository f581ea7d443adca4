/*
 * fuzz_log — a process that is not ours any more talks to logger: header, records, and what becomes of them as a line and as JSON.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "control/logger/json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* One record is one line, whatever is in it, and what it shows is what it is. */
static void
check_line(struct slice line)
{
	int32_t c;

	if (line.len == 0 || line.p[line.len - 1] != '\n')
		abort();
	for (line.len--; line.len > 0;) {
		c = utf8_take(&line);
		if (c < 0x20 || c == 0x7f || (c > 0x7f && !utf8_is_plain(c)))
			abort();
	}
}

static void
print(const struct log_record *record)
{
	static const struct line_style style = { .name = "postfix", .host = "mx", .stamp = STAMP_SYSLOG, .event_ids = true };
	const struct line_source who = { .role = ROLE_QUEUE, .number = 1, .pid = 2 };
	struct buf out;

	buf_init(&out, 1 << 20);
	if (line_put(&out, &style, &who, record) == 0)
		check_line(buf_slice(&out));
	buf_reset(&out);
	if (json_put(&out, &who, record) == 0 && memchr(buf_slice(&out).p, '\n', buf_len(&out)) != buf_slice(&out).p + buf_len(&out) - 1)
		abort();
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(slice_of(data, size));
	struct log_record record;
	uint32_t process;
	uint64_t dropped;

	if (log_header_get(&r, &process, &dropped) == -1)
		return 0;
	while (r.in.len > 0 && log_record_get(&r, &record) == 0)
		print(&record);
	return 0;
}
