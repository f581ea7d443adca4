/*
 * err — filling in one sentence.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void
err_vset(struct err *err, int code, const char *format, va_list ap)
{
	size_t len;

	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	err->code = code;
	len = strlen(err->text);
	if (code != 0)
		(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(code));
}

int
err_set(struct err *err, const char *format, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, format);
		err_vset(err, 0, format, ap);
		va_end(ap);
	}
	return -1;
}

int
err_memory(struct err *err, const char *format, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, format);
		err_vset(err, 0, format, ap);
		va_end(ap);
		err->code = ENOMEM;
	}
	return -1;
}

int
err_sys(struct err *err, const char *format, ...)
{
	int code = errno;
	va_list ap;

	if (err != NULL) {
		va_start(ap, format);
		err_vset(err, code, format, ap);
		va_end(ap);
	}
	return -1;
}

int
err_wrap(struct err *err, const char *format, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	if (err == NULL)
		return -1;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	return -1;
}
