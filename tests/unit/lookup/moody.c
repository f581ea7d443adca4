/* moody — see moody.h. */
#include "tests/unit/lookup/moody.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

const char *
moody_service(const char *base, const char *arguments, char out[512])
{
	char program[PATH_MAX], text[2 * PATH_MAX + 1024];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	assert_true(len > 0);
	program[len] = '\0';
	assert_non_null(strrchr(program, '/'));
	*strrchr(program, '/') = '\0';
	(void)snprintf(text, sizeof(text), "auth required %s/pam_moody.so %s\naccount required %s/pam_moody.so %s\n", program, arguments,
	    program, arguments);
	tempdir_write(tempdir_join(out, base, "moody"), text);
	return out;
}
