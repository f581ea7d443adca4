/* name — pure functions on a file's name. */
#include "mda/worker/name.h"

#include <inttypes.h>
#include <stdio.h>

/* Room kept for ",S=4294967295" and for the flags that a mail reader adds. */
#define ROOM_BEHIND	40

int
name_make(char out[NAME_SIZE], int64_t seconds, uint64_t nonce, uint32_t index, struct slice host)
{
	int printed = snprintf(out, NAME_SIZE, "%" PRId64 ".M%016" PRIx64 "R%" PRIu32 ".", seconds, nonce, index);
	size_t len = (size_t)printed;

	for (size_t i = 0; i < host.len; i++) {
		const char *escaped = host.p[i] == '/' ? "\\057" : host.p[i] == ':' ? "\\072" : NULL;
		size_t add = escaped == NULL ? 1 : 4;

		if (len + add + ROOM_BEHIND >= NAME_SIZE)
			return -1;
		memcpy(out + len, escaped == NULL ? host.p + i : escaped, add);
		len += add;
	}
	out[len] = '\0';
	return 0;
}

int
name_add_size(char name[NAME_SIZE], uint64_t size)
{
	size_t len = strlen(name);
	int printed = snprintf(name + len, NAME_SIZE - len, ",S=%" PRIu64, size);

	return printed > 0 && (size_t)printed < NAME_SIZE - len ? 0 : -1;
}

bool
name_matches(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && (entry[len] == '\0' || entry[len] == ':');
}
