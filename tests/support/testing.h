#ifndef SUPPORT_TESTING_H
#define SUPPORT_TESTING_H
/* testing — what every unit test includes: cmocka in the order it wants, and TAP when automake asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/slice.h"

static inline const char *
row_name(const char *name)
{
	return name != NULL ? name : "(unnamed)";
}

/* A row of a table failed: print which, so that the message names the case. */
#define ROW(i, name)	((void)print_message("# row %zu: %s\n", (size_t)(i), row_name(name)))
#define assert_slice(s, text) do { \
	struct slice s_ = (s); \
	if (s_.len != strlen(text) || memcmp(s_.p, (text), s_.len) != 0) \
		fail_msg("got \"%.*s\", wanted \"%s\"", (int)s_.len, s_.p, (text)); \
} while (0)

#endif
