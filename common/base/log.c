/*
 * log — formats a line when somebody wants it and hands it to the sink.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

#define LINE_MAX_BYTES	1024

static const char *const level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_NONE]  = "",
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARN]  = "warning: ",
	[LOG_LEVEL_INFO]  = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

static struct {
	const char	*ident;
	enum log_level	 most;
	log_sink	*sink;
	void		*arg;
} state = { .ident = "posthorn", .most = LOG_LEVEL_INFO };

void
log_open(const char *ident)
{
	state.ident = ident;
}

void
log_sink_set(log_sink *sink, void *arg)
{
	state.sink = sink;
	state.arg = arg;
}

void
log_level_set(enum log_level most)
{
	state.most = most;
}

bool
log_wants(enum log_level level)
{
	return level <= state.most;
}

static void
to_stderr(enum log_level level, struct slice text)
{
	char line[LINE_MAX_BYTES + 128];
	int len = snprintf(line, sizeof(line), "%s[%ld]: %s%.*s\n", state.ident, (long)getpid(),
	    level_names[level], SLICE_FMT(text));

	if (len > 0)
		(void)fd_write_all(STDERR_FILENO, line,
		    (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

static void __attribute__((format(printf, 2, 0)))
say(enum log_level level, const char *format, va_list ap)
{
	char text[LINE_MAX_BYTES];
	int len;

	if (!log_wants(level))
		return;
	len = vsnprintf(text, sizeof(text), format, ap);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(text))
		len = (int)sizeof(text) - 1;
	if (state.sink != NULL)
		state.sink(level, slice_of(text, (size_t)len), state.arg);
	else
		to_stderr(level, slice_of(text, (size_t)len));
}

void
log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(LOG_LEVEL_ERROR, format, ap);
	va_end(ap);
}

void
log_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(LOG_LEVEL_WARN, format, ap);
	va_end(ap);
}

void
log_info(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(LOG_LEVEL_INFO, format, ap);
	va_end(ap);
}

void
log_debug(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(LOG_LEVEL_DEBUG, format, ap);
	va_end(ap);
}

void
fatal(const char *format, ...)
{
	va_list ap;

	log_sink_set(NULL, NULL);	/* the process ends: nobody would flush a wire any more */
	va_start(ap, format);
	say(LOG_LEVEL_ERROR, format, ap);
	va_end(ap);
	exit(78);
}
