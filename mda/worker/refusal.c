/* refusal — errno in the postmaster's words. */
#include "mda/worker/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* RFC 3463: X.2.2 mailbox full, X.3.1 mail system full, X.2.1 disabled, X.3.0 other. */
static const struct {
	int		code;
	struct status	status;
} statuses[] = {
	{ EDQUOT,  { 4, 2, 2 } },
	{ ENOSPC,  { 4, 3, 1 } },
	{ EFBIG,   { 4, 2, 2 } },
	{ EACCES,  { 4, 2, 0 } },
	{ EPERM,   { 4, 2, 0 } },
	{ ENOENT,  { 4, 2, 0 } },
	{ ENOTDIR, { 4, 2, 0 } },
	{ ELOOP,   { 4, 2, 0 } },
	{ EROFS,   { 4, 3, 0 } },
};

int
refuse(struct refusal *refusal, struct status status, const char *format, ...)
{
	va_list ap;

	refusal->status = status;
	refusal->again = false;
	va_start(ap, format);
	(void)vsnprintf(refusal->text, sizeof(refusal->text), format, ap);
	va_end(ap);
	return -1;
}

int
refuse_sys(struct refusal *refusal, const char *format, ...)
{
	int code = errno;
	size_t len;
	va_list ap;

	refusal->status = STATUS(4, 3, 0);
	refusal->again = false;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].code == code)
			refusal->status = statuses[i].status;
	va_start(ap, format);
	(void)vsnprintf(refusal->text, sizeof(refusal->text), format, ap);
	va_end(ap);
	len = strlen(refusal->text);
	(void)snprintf(refusal->text + len, sizeof(refusal->text) - len, ": %s", strerror(code));
	errno = code;
	return -1;
}
