/*
 * report — collects mistakes. Names and files are foreign text and are escaped; sentences come
 * escaped from their makers.
 */
#include "conf/report.h"

#include <string.h>

#include "base/fmt.h"

void
conf_report_init(struct conf_report *report)
{
	buf_init(&report->lines, REPORT_MAX);
	report->mistakes = 0;
}

void
conf_report_fini(struct conf_report *report)
{
	buf_fini(&report->lines);
	report->mistakes = 0;
}

static bool
is_told(const struct conf_report *report, struct slice line)
{
	struct slice all = buf_slice(&report->lines), one;

	while (all.len > 0) {
		one = slice_split(all, '\n', &all);
		if (slice_eq(one, slice_of(line.p, line.len - 1)))
			return true;
	}
	return false;
}

__attribute__((format(printf, 5, 0))) static void
print_line(struct buf *line, const char *file, uint32_t number, const char *setting,
    const char *format, va_list args)
{
	if (file != NULL)
		fmt_escape(line, slice_str(file), 1024);
	if (file != NULL && number > 0)
		buf_printf(line, ":%u", number);
	if (file != NULL)
		buf_puts(line, ": ");
	if (setting != NULL) {
		fmt_escape(line, slice_str(setting), 200);
		buf_puts(line, ": ");
	}
	buf_vprintf(line, format, args);
	buf_putc(line, '\n');
}

void
conf_report_add(struct conf_report *report, const char *file, uint32_t number, const char *setting,
    const char *format, ...)
{
	struct buf line;
	va_list args;

	buf_init(&line, 8192);
	va_start(args, format);
	print_line(&line, file, number, setting, format, args);
	va_end(args);
	if (line.failed) {
		report->mistakes++;
	} else if (!is_told(report, buf_slice(&line))) {
		/* A line too many is counted, never silently a good configuration. */
		if (report->mistakes++ < REPORT_MISTAKES_MAX &&
		    buf_len(&report->lines) + buf_len(&line) <= REPORT_MAX)
			buf_put_slice(&report->lines, buf_slice(&line));
	}
	buf_fini(&line);
}
